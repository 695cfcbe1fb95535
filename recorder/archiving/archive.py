"""Archive all days before a date, table by table, and let recorders use the database in between."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pulsoid_rec.recorder.archiving.access import open_when_free
from pulsoid_rec.recorder.archiving.move import move_rows
from pulsoid_rec.recorder.archiving.notes import (
    MOVE_FIRST,
    Noted,
    note_intent,
    note_new_identity,
    note_place,
    read_notes,
    remove_leaving,
)
from pulsoid_rec.recorder.archiving.parquet import days_before, has_rows
from pulsoid_rec.recorder.archiving.store import ArchiveStore
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.ids import new_id
from pulsoid_rec.recorder.contract.tables import TABLES
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings


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


def archive(
    database: Path,
    store: ArchiveStore,
    until: date,
    *,
    new_identity: bool = False,
    report: Callable[[int, int, Archived], object] = lambda *_: None,
    timings: Timings = DEFAULT_TIMINGS,
) -> Archived:
    """Move all rows of the days before a date from a database to an archive.

    `only_run` keeps others from archiving the database. With `new_identity` it is a copy, and gets a name of its own
    first. `report` is called now and then, with the number of files done and to do, and what was archived so far.

    Raises `DatabaseBusyError` if another process keeps the database open, and `StorageError` if the database or the
    archive cannot be used, or they do not belong together. What was not archived is in the database as before.
    """
    with open_when_free(database, timings=timings) as connection:
        notes = read_notes(connection)
        if new_identity:
            note_new_identity(connection, notes)
    if not notes.noted:  # else it must be there: its disk may not be connected now
        store.make()
    try:
        files = store.place.list_files()
    except StorageError as error:
        if notes.place in {None, store.place.text}:
            raise
        raise StorageError(f"{error.message}. This database archives to {notes.place}", MOVE_FIRST) from error
    with open_when_free(database, timings=timings) as connection:
        notes = read_notes(connection)
        note_place(connection, notes, store.place, files)
        remove_leaving(connection, store)
        waiting = {(file.table, file.day): file for file in notes.intended}
        for table in TABLES:
            for day in days_before(connection, table, until):
                waiting.setdefault((table.name, day), _new_file(table.name, day, notes.recorder))
    files_to_do = list(waiting.values())
    archived = Archived()
    for done, archived in _move_in_turns(database, store, files_to_do, set(notes.intended), timings):
        report(done, len(files_to_do), archived)
    with open_when_free(database, 0, timings):
        pass  # closing it makes a checkpoint
    return archived


def _move_in_turns(
    database: Path, store: ArchiveStore, files: list[ArchiveFile], intended: set[ArchiveFile], timings: Timings
) -> Iterator[tuple[int, Archived]]:
    """Move the rows of each file; yield how many are done, and what was moved, when the database is free for others."""
    archived = Archived()
    done = 0
    while done < len(files):
        with open_when_free(database, timings=timings) as connection:
            begun_at = time.monotonic()
            is_over = False
            while not is_over:
                file = files[done]
                if file not in intended:
                    note_intent(connection, file)
                if noted := move_rows(connection, file, store):
                    archived.add(file, noted)
                done += 1
                if has_rows(connection, file):
                    files.insert(done, _new_file(file.table, file.day, file.recorder))
                is_over = done == len(files) or time.monotonic() >= begun_at + timings.archive_turn_s
        yield done, archived
        if done < len(files):
            held_s = time.monotonic() - begun_at
            time.sleep(min(max(held_s, timings.readers_turn_s), timings.longest_busy_retry_s))


def _new_file(table: str, day: date, recorder: str) -> ArchiveFile:
    return ArchiveFile(table, day, recorder, new_id().replace("-", ""))
