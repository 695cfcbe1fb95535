"""`pulsoid-rec recover`."""

from pathlib import Path
from typing import TYPE_CHECKING

from pulsoid_rec.recorder.cli.options import DbOption
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB
from pulsoid_rec.recorder.contract.display import print_lines
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.wording import format_count

if TYPE_CHECKING:
    from pulsoid_rec.recorder.ingest.recover import Recovered


def recover(*, db: DbOption = DEFAULT_DB) -> None:
    """Store what a crash left in the journal.

    `record` does this by itself when it starts; use this when there is nothing more to record. Segments that a running
    recorder is writing are not touched.
    """
    from pulsoid_rec.recorder.cli.recording_log import log_to_stderr
    from pulsoid_rec.recorder.ingest.recover import recover as recover_journal

    log_to_stderr()
    recovered = recover_journal(db)
    print_lines(_format_recovered(recovered, db))
    if recovered.ingested.skipped:
        raise StorageError(
            f"{format_count(len(recovered.ingested.skipped), 'segment')} of the journal could not be ingested",
            "The reasons are above; the files are unchanged.",
        )


def _format_recovered(recovered: "Recovered", db: Path) -> str:
    ingested = recovered.ingested
    text = f"There was nothing to recover for {db}"
    if ingested.segments or ingested.skipped:
        rows, readings = format_count(ingested.count, "row"), format_count(ingested.readings, "reading")
        text = f"Recovered {rows} ({readings}) from {format_count(ingested.segments, 'segment')} into {db}"
        if rejected := ingested.rejected:
            text += f"; {format_count(rejected, 'row')} went into rejected_messages"
    if ingested.forgotten:
        text += f"; {format_count(ingested.forgotten, 'row')} of forgotten members left out"
    return f"{text}; a recorder is still writing to its journal." if recovered.is_recording else f"{text}."
