"""`pulsoid-rec archive`."""

import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.recorder.cli.options import DbOption
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB
from pulsoid_rec.recorder.contract.display import print_lines
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.contract.paths import follow_link, require_valid_path
from pulsoid_rec.recorder.contract.wording import format_count

if TYPE_CHECKING:
    from pulsoid_rec.recorder.archiving.archive import Archived
    from pulsoid_rec.recorder.archiving.store import ArchiveStore

_REPORT_EVERY_S = 5.0


def archive(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="DIR",
            help="The folder of the archive, made the first time; or s3://BUCKET/FOLDER.",
            show_default=False,
        ),
    ],
    *,
    db: DbOption = DEFAULT_DB,
    before: Annotated[
        str, typer.Option(metavar="TIME", help="How long ago a day must have ended, such as 12h or 2w; or a date.")
    ] = "1d",
    check: Annotated[
        bool, typer.Option("--check", help="Archive nothing; check that each file is as it was written.")
    ] = False,
    compact: Annotated[
        bool, typer.Option("--compact", help="Then rewrite the database, so that its file gets smaller.")
    ] = False,
    new_identity: Annotated[
        bool, typer.Option("--new-identity", help="Let a copy whose original is lost archive under a name of its own.")
    ] = False,
) -> None:
    """Move old days from the database to an archive of Parquet files.

    It moves whole days (UTC). It may run while a recorder does, and be stopped at any time: each row is in the database
    or in the archive. Run it again, from time to time, with the same folder. Several databases may share one. Reports
    and exports read it, too.
    """
    from pulsoid_rec.recorder.archiving.access import only_run, spill_folder
    from pulsoid_rec.recorder.archiving.archive import archive as archive_days
    from pulsoid_rec.recorder.archiving.cutoff import parse_before
    from pulsoid_rec.recorder.archiving.rewrite import rewrite
    from pulsoid_rec.recorder.archiving.store import open_store
    from pulsoid_rec.recorder.cli.recording_log import log_to_stderr
    from pulsoid_rec.recorder.contract.archive_place import open_place

    log_to_stderr()
    until = parse_before(before, datetime.now(UTC))
    if check and (compact or new_identity):
        raise UsageError("--check changes nothing", "Leave out --compact and --new-identity.")
    require_valid_path(db)
    if not db.exists():
        raise UsageError(f"There is no recording {db}", "Name the database with --db.")
    store = open_store(open_place(folder), db, spill_folder(follow_link(db)))
    if check:
        _check(db, store)
        return
    try:
        with only_run(db):
            archived = archive_days(db, store, until, new_identity=new_identity, report=_Progress().show_archived)
            print_lines(_format_archived(archived, store.place.text, until))
            if compact:
                before_bytes, bytes_now = rewrite(db)
                print_lines(f"{db} had {before_bytes:,} bytes, and has {bytes_now:,} bytes now.")
            elif archived.files:
                print_lines(f"{db} has {db.stat().st_size:,} bytes. --compact makes it smaller.")
    except KeyboardInterrupt:
        print_lines("Stopped. What was not archived is in the database; run it again for the rest.")
        raise


class _Progress:
    """Prints how far it is when it takes long."""

    def __init__(self) -> None:
        self._printed_at = time.monotonic()

    def show(self, text: str) -> None:
        """Print a text, unless one was printed a short while ago."""
        now = time.monotonic()
        if now >= self._printed_at + _REPORT_EVERY_S:
            self._printed_at = now
            print_lines(f"{text} ...")

    def show_archived(self, done: int, to_do: int, archived: "Archived") -> None:
        """Print how much is archived."""
        rows = format_count(sum(archived.rows.values()), "row")
        self.show(f"{done:,} of {format_count(to_do, 'file')} archived, {rows}")


def _format_archived(archived: "Archived", place: str, until: date) -> str:
    if not archived.files:
        return f"Nothing was archived to {place}: the database has no rows of days before {until} (UTC)."
    by_table = ", ".join(f"{count:,} {name}" for name, count in archived.rows.items())
    rows, days = format_count(sum(archived.rows.values()), "row"), format_count(len(archived.days), "day")
    files = format_count(archived.files, "file")
    return f"Archived {rows} ({by_table}) of {days} to {place}: {files}, {archived.bytes:,} bytes."


def _check(db: Path, store: "ArchiveStore") -> None:
    from pulsoid_rec.recorder.archiving.access import open_when_free
    from pulsoid_rec.recorder.archiving.check import check_archive
    from pulsoid_rec.recorder.archiving.notes import read_notes

    with open_when_free(db) as connection:
        notes = read_notes(connection)
    files = faults = 0
    progress = _Progress()
    for file, fault in check_archive(notes, store):
        files += 1
        if fault:
            faults += 1
            print_lines(f"{store.place.name_of(file)} {fault}.")
        progress.show(f"{format_count(files, 'file')} checked")
    checked = f"Checked {format_count(files, 'file')} in {store.place.text}"
    if faults:
        raise StorageError(f"{checked}: {format_count(faults, 'fault')}", "Put these files back from a backup.")
    print_lines(f"{checked}: no faults.")
