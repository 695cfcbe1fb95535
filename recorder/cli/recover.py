"""`pulsoid-rec recover`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.wording import format_count

if TYPE_CHECKING:
    from pulsoid_rec.recorder.ingest.recover import Recovered


def recover(
    *,
    db: Annotated[Path, typer.Option(envvar="PULSOID_REC_DB", metavar="PATH", help="The database.")] = Path(
        "data/pulsoid.duckdb"
    ),
) -> None:
    """Bring in what a crash left in the journal.

    `record` does so by itself when it starts; this is for when there is nothing more to record. What a recorder at work
    is writing is left to it.
    """
    import logging
    import os

    from pulsoid_rec.recorder.ingest.recover import recover as bring_in

    os.umask(0o077)  # what is made from here on is for its owner alone
    logging.basicConfig(format="%(message)s")
    done = bring_in(db)
    print(_in_words(done, db), file=sys.stderr)
    if done.ingested.skipped:
        raise StorageError(
            f"{format_count(len(done.ingested.skipped), 'segment')} of the journal could not be brought in",
            "See above; each stays where it is.",
        )


def _in_words(done: "Recovered", db: Path) -> str:
    found = done.ingested
    if found.segments:
        rejected = found.rows["rejected_messages"]
        rows = format_count(sum(found.rows.values()), "row")
        readings, segments = format_count(found.readings, "reading"), format_count(found.segments, "segment")
        text = f"Brought {rows} in, of which {readings}, from {segments} of the journal into {db}"
        if rejected:
            text += f"; {format_count(rejected, 'row')} went into rejected_messages"
    else:
        text = f"The journal holds nothing that {db} lacks"
    return f"{text}; a recorder is at work on it." if done.is_recording else f"{text}."
