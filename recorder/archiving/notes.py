"""What is noted in a database of its archive; and whether it is the database that wrote it, or a copy."""

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from pulsoid_rec.recorder.archiving.store import ArchiveStore
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile
from pulsoid_rec.recorder.contract.archive_place import ArchivePlace
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.tables import ARCHIVE_BATCHES, ARCHIVE_IDENTITY, ARCHIVE_NOTES
from pulsoid_rec.recorder.ingest.archive_identity import note_identity
from pulsoid_rec.recorder.ingest.migration import SCHEMA

MOVE_FIRST = "Archive to that place; or move the whole archive first, and then name the new place."


@dataclass(frozen=True)
class Noted:
    """What is noted of a file whose rows have left the database."""

    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Notes:
    """A database's name, the place of its archive, and its files: noted, intended, or to be removed."""

    recorder: str
    place: str | None
    noted: dict[ArchiveFile, Noted]
    intended: tuple[ArchiveFile, ...]
    leaving: tuple[ArchiveFile, ...] = ()

    def find_unknown(self, files: Iterable[ArchiveFile]) -> list[ArchiveFile]:
        """Return the files of this database's name that it has neither noted nor intended."""
        known = {file.batch for file in (*self.noted, *self.intended, *self.leaving)}
        return [file for file in files if file.recorder == self.recorder and file.batch not in known]


def read_notes(connection: duckdb.DuckDBPyConnection, files: Iterable[ArchiveFile] | None = None) -> Notes:
    """Read the notes, of these files alone if any are given; make tables for them and a name, if there are none."""
    for table in ARCHIVE_NOTES:
        connection.execute(table.ddl_in(SCHEMA))
    newest = f"SELECT recorder, place FROM {ARCHIVE_IDENTITY.name} ORDER BY noted_at DESC, rowid DESC LIMIT 1"
    found = connection.execute(newest).fetchall()
    recorder, place = found[0] if found else note_identity(connection)
    noted: dict[ArchiveFile, Noted] = {}
    intended: list[ArchiveFile] = []
    leaving: list[ArchiveFile] = []
    columns = 'table_name, day, recorder, batch, "rows", bytes, sha256, noted_at IS NOT NULL'
    batches = f"SELECT {columns} FROM {ARCHIVE_BATCHES.name} WHERE $1 IS NULL OR list_contains($1, batch)"
    only = None if files is None else [file.batch for file in files]
    for *names, rows, size, sha256, is_noted in connection.execute(f"{batches} ORDER BY begun_at", [only]).fetchall():
        if is_noted:
            noted[ArchiveFile(*names)] = Noted(rows, size, sha256)
        else:
            (intended if rows is None else leaving).append(ArchiveFile(*names))
    return Notes(recorder, place, noted, tuple(intended), tuple(leaving))


def note_new_identity(connection: duckdb.DuckDBPyConnection, notes: Notes) -> None:
    """Give a copy a name of its own. Files that are intended under the old name are left to the original."""
    connection.execute("BEGIN")
    note_identity(connection, place=notes.place)
    connection.execute(f"DELETE FROM {ARCHIVE_BATCHES.name} WHERE noted_at IS NULL")
    connection.execute("COMMIT")


def note_intent(connection: duckdb.DuckDBPyConnection, file: ArchiveFile, rows: int | None = None) -> None:
    """Note that a file will be written, from rows of the database; with `rows` from another file.

    A file that is not noted and has `rows` is removed by whoever comes next: its rows are not in the database.
    """
    values = [file.recorder, file.batch, file.table, file.day, rows]
    columns = "recorder, batch, table_name, day, rows, begun_at"
    connection.execute(f"INSERT INTO {ARCHIVE_BATCHES.name} ({columns}) VALUES (?, ?, ?, ?, ?, now())", values)


def note_leaving(connection: duckdb.DuckDBPyConnection, file: ArchiveFile) -> None:
    """Note that a file will be removed: from now on nobody reads it."""
    connection.execute(
        f"UPDATE {ARCHIVE_BATCHES.name} SET noted_at = NULL WHERE recorder = ? AND batch = ?",
        [file.recorder, file.batch],
    )


def remove_leaving(connection: duckdb.DuckDBPyConnection, store: ArchiveStore) -> None:
    """Remove the files of which that is noted, and the notes."""
    for file in read_notes(connection).leaving:
        store.remove(file)
        note_file(connection, file, None)


def note_file(connection: duckdb.DuckDBPyConnection, file: ArchiveFile, noted: Noted | None) -> None:
    """Note a file that was intended; or remove the intent if nothing was written."""
    own = f"{ARCHIVE_BATCHES.name} {{}} WHERE recorder = ? AND batch = ?"
    if noted is None:
        connection.execute(f"DELETE FROM {own.format('')}", [file.recorder, file.batch])
        return
    connection.execute(
        f"UPDATE {own.format('SET noted_at = now(), rows = ?, bytes = ?, sha256 = ?')}",
        [noted.rows, noted.bytes, noted.sha256, file.recorder, file.batch],
    )


def note_place(
    connection: duckdb.DuckDBPyConnection, notes: Notes, place: ArchivePlace, files: Iterable[ArchiveFile]
) -> None:
    """Note the place of an archive with these files, or raise `StorageError` if it cannot be this database's.

    That is so if the database is a copy of the one that wrote there, or its archive is elsewhere.
    """
    there = set(files)
    if notes.find_unknown(there):
        raise copy_error(notes, place)
    missing = len(notes.noted.keys() - there)
    if notes.place == place.text:
        if missing and missing == len(notes.noted):
            raise StorageError(
                f"None of the {missing:,} files archived from this database are in {place.text}",
                "Connect its disk, or put them back.",
            )
        return
    if missing:
        raise StorageError(
            f"This database archives to {notes.place}: of its {len(notes.noted):,} files there {missing:,} are not in "
            f"{place.text}",
            MOVE_FIRST,
        )
    note_identity(connection, notes.recorder, place.text)


def copy_error(notes: Notes, place: ArchivePlace) -> StorageError:
    """Return the error for a database that is a copy of the one that archived."""
    return StorageError(
        f"{place.text} has files under this database's name, {notes.recorder}, that are not noted in it: the database "
        "is a copy, or an older state, of the one that wrote them. Nothing was archived",
        "Archive from the original; if that is lost, add --new-identity once: rows that are in both count as "
        "duplicates then.",
    )
