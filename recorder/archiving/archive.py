"""Archive all days that have ended, table by table, while a recorder has its turns with the database."""

import logging
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.archiving.move import move_rows
from pulsoid_rec.recorder.archiving.notes import (
    Noted,
    batch_of,
    note_intent,
    note_new_identity,
    read_notes,
    settle_place,
)
from pulsoid_rec.recorder.archiving.parquet import days_before
from pulsoid_rec.recorder.archiving.store import FolderStore
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile
from pulsoid_rec.recorder.contract.errors import DatabaseBusyError, StorageError
from pulsoid_rec.recorder.contract.ids import new_id
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.paths import follow_link
from pulsoid_rec.recorder.contract.tables import TABLES
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.disk.lock_file import LockFile
from pulsoid_rec.recorder.ingest.database import open_database, stop_engines, translate_errors

log = logging.getLogger(__name__)


@dataclass
class Archived:
    """What was archived: rows by table, days, files, and their bytes."""

    rows: dict[str, int] = field(default_factory=dict)
    days: set[date] = field(default_factory=set)
    files: int = 0
    bytes: int = 0

    def add(self, file: ArchiveFile, noted: Noted) -> None:
        """Count a file."""
        self.rows[file.table] = self.rows.get(file.table, 0) + noted.rows
        self.days.add(file.day)
        self.files += 1
        self.bytes += noted.bytes


@contextmanager
def only_run(database: Path) -> Iterator[None]:
    """See that no other process archives from a database, or rewrites it, until the block ends.

    Sorting a large day goes to temporary files: to a folder of their own, which is gone at the end.
    """
    database = follow_link(database)
    spill = spill_folder(database)
    with translate_errors(database):
        try:
            lock = LockFile(database.with_name(f"{database.name}.archive.lock"), wait=False)
        except BlockingIOError as error:
            raise StorageError(f"Another run is archiving {database}", "Try again when it has ended.") from error
        try:
            shutil.rmtree(spill, ignore_errors=True)  # of a run that was killed
            spill.mkdir(mode=0o700)
            yield
        finally:
            stop_engines()  # which still have that folder
            shutil.rmtree(spill, ignore_errors=True)
            lock.release()


def spill_folder(database: Path) -> Path:
    """Return the folder for temporary files, beside a database."""
    return database.with_name(f"{database.name}.archive.tmp")


@contextmanager
def open_when_free(
    database: Path, wal_bytes: int = DEFAULT_LIMITS.wal_bytes, timings: Timings = DEFAULT_TIMINGS
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the database as `open_database` does; wait while another process has it open, and log that once."""
    begun_at = time.monotonic()
    is_logged = False
    with ExitStack() as stack:
        while True:
            try:
                connection = stack.enter_context(open_database(database, wal_bytes))
                break
            except DatabaseBusyError as error:
                waited_s = time.monotonic() - begun_at
                if waited_s >= timings.archive_timeout_s:
                    raise DatabaseBusyError(error.message, "Try again when that process has ended.") from error
                if waited_s >= timings.report_busy_after_s and not is_logged:
                    log.warning("%s. Waiting until it is released.", error.message)
                    is_logged = True
                time.sleep(random.uniform(0.1, 1) * timings.ingest_retry_s)  # noqa: S311 - so as not to retry in step
        with translate_errors(database):
            spill = str(spill_folder(follow_link(database)).absolute())
            if connection.execute("SELECT current_setting('temp_directory')").fetchall() != [(spill,)]:
                connection.execute("SET temp_directory = ?", [spill])  # once: DuckDB changes none that was used
            yield connection


def archive(
    database: Path,
    store: FolderStore,
    until: date,
    *,
    new_identity: bool = False,
    report: Callable[[int, int, Archived], object] = lambda *_: None,
    timings: Timings = DEFAULT_TIMINGS,
) -> Archived:
    """Move all rows of the days before a date from a database to an archive.

    Parameters
    ----------
    database
        The DuckDB file; `only_run` keeps others from archiving it.
    store
        The archive.
    until
        The first day (UTC) that stays in the database.
    new_identity
        Whether the database, a copy, gets a name of its own first.
    report
        Called after each file, with the number of files done and to do, and what was archived so far.
    timings
        How long to wait for the database, and to leave it to others.

    Raises
    ------
    DatabaseBusyError
        Another process keeps the database open.
    StorageError
        The database or the archive cannot be used, or they do not belong together. What was not archived is in the
        database as before; run it again.
    """
    with open_when_free(database, timings=timings) as connection:
        notes = read_notes(connection)
        if new_identity:
            note_new_identity(connection, notes)
    if not notes.noted:  # else the folder must be there: it may be on a disk that is not connected now
        store.make()
    files = store.place.list_files()
    with open_when_free(database, timings=timings) as connection:
        notes = read_notes(connection)
        settle_place(connection, notes, store.place, files)
        waiting = batch_of(notes.intended)
        for table in TABLES:
            for day in days_before(connection, table, until):
                waiting.setdefault((table.name, day), ArchiveFile(table.name, day, notes.recorder, _new_batch()))
    files_to_do = list(waiting.values())
    archived = Archived()
    for done, archived in _move_in_turns(database, store, files_to_do, set(notes.intended), timings):
        report(done, len(files_to_do), archived)
    with open_when_free(database, 0, timings):
        pass  # which makes a checkpoint
    return archived


def _move_in_turns(
    database: Path, store: FolderStore, files: list[ArchiveFile], intended: set[ArchiveFile], timings: Timings
) -> Iterator[tuple[int, Archived]]:
    """Move the rows of each file; others have their turn whenever it yields how many are done, and what was moved."""
    archived = Archived()
    done = 0
    while done < len(files):
        with open_when_free(database, timings=timings) as connection:
            begun_at = time.monotonic()
            while done < len(files) and time.monotonic() < begun_at + timings.archive_turn_s:
                if files[done] not in intended:
                    note_intent(connection, files[done])
                if noted := move_rows(connection, files[done], store):
                    archived.add(files[done], noted)
                done += 1
        yield done, archived
        held_s = time.monotonic() - begun_at
        time.sleep(min(max(held_s, timings.readers_turn_s), timings.longest_busy_retry_s))


def _new_batch() -> str:
    return new_id().replace("-", "")
