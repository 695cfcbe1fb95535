"""Move the rows of one table and day from the database to a file of the archive."""

from functools import partial
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.archiving.notes import Noted, copy_error, note_file, read_notes
from pulsoid_rec.recorder.archiving.parquet import fingerprint, live_sql, parquet_sql, portion, write_parquet
from pulsoid_rec.recorder.archiving.store import FolderStore
from pulsoid_rec.recorder.contract.activity import activity_sql
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile, table_of
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.ids import IS_IMPORTED
from pulsoid_rec.recorder.contract.paths import duckdb_pattern
from pulsoid_rec.recorder.contract.tables import (
    ARCHIVED_ACTIVITY,
    ARCHIVED_NAMES,
    HEART_RATE,
    MEMBER_EVENTS,
    ROOM_EVENTS,
)

_LATEST = "arg_max({}, (occurred_at, received_at))"
_MEMBERS = {MEMBER_EVENTS.name: "profile_id", ROOM_EVENTS.name: "NULL"}
"""Who is named in the configs of a table: a member, or the room."""


def move_rows(connection: duckdb.DuckDBPyConnection, file: ArchiveFile, store: FolderStore) -> Noted | None:
    """Write a file that is intended, note it, and delete its rows; return what is noted, or None if there are no rows.

    If there is too much of a day for one file, some of its rows are left for another.

    Raises
    ------
    StorageError
        The file cannot be written; or it shows that another database archives under the same name.
    duckdb.Error
        The database cannot be read or written. Whatever is raised, closing the connection leaves the rows as before.
    """
    # One transaction, whose view of the rows does not change: those deleted are those that were written.
    connection.execute("BEGIN")
    table, where = table_of(file), portion(connection, file)
    rows, hashes = fingerprint(connection, live_sql(table, where))
    is_there = file in store.place.list_files(file.table, file.day)
    if is_there:
        _require_contained(connection, file, where, store)
    elif not rows:
        note_file(connection, file, None)
        connection.execute("COMMIT")
        return None
    stored = store.put(file, partial(_write, connection, file, where, (rows, hashes)))
    notes = read_notes(connection)
    if notes.find_unknown(store.place.list_files(file.table, file.day)):
        # A copy of this database archives at the same time. Whoever wrote last finds the other's file.
        if not is_there:
            store.remove(file)
        raise copy_error(notes, store.place)
    noted = Noted(rows, stored.bytes, stored.sha256)
    _note_content(connection, file, where)
    note_file(connection, file, noted)
    deleted = connection.execute(f"DELETE FROM {table.name} WHERE {where}").fetchall()[0][0]
    if deleted != rows:
        raise duckdb.TransactionException(f"{deleted} rows of {rows} would be deleted")
    connection.execute("COMMIT")
    return noted


def _write(
    connection: duckdb.DuckDBPyConnection,
    file: ArchiveFile,
    where: str,
    expected: tuple[int, int | None],
    path: Path,
) -> None:
    write_parquet(connection, file, where, path)
    if fingerprint(connection, parquet_sql(duckdb_pattern(path))) != expected:
        raise StorageError(
            f"What was written to {path.parent} is not what is in the database",
            "The rows stay there. Check that disk, and run this again.",
        )


def _require_contained(
    connection: duckdb.DuckDBPyConnection, file: ArchiveFile, where: str, store: FolderStore
) -> None:
    """Raise `StorageError` unless all rows of a file that is there already are in the database.

    A run that was killed left it, and it is written anew. If it has other rows, a copy of this database finished it.
    """
    store.place.register(connection)
    written = parquet_sql(store.place.duckdb_path(file))
    try:
        others = connection.execute(
            f"SELECT 1 FROM (FROM {written} EXCEPT ALL FROM {live_sql(table_of(file), where)}) LIMIT 1"
        ).fetchall()
    except duckdb.Error as error:
        raise StorageError(
            f"{store.place.text}/{file.path} is damaged, or no file of this archive",
            "Move it away, and run this again: its rows are here.",
        ) from error
    if others:
        raise copy_error(read_notes(connection), store.place)


def _note_content(connection: duckdb.DuckDBPyConnection, file: ArchiveFile, where: str) -> None:
    """Note what reports need of rows that leave the database: the activity of readings, the names of configs."""
    rows = f"{file.table} WHERE {where}"
    if file.table == HEART_RATE.name:
        imported = f", count_if({IS_IMPORTED}) AS imported"
        insert = f"INSERT INTO {ARCHIVED_ACTIVITY.name} SELECT ?, * FROM ({activity_sql(rows, more=imported)})"
        connection.execute(insert, [file.batch])
    elif member := _MEMBERS.get(file.table):
        latest = ", ".join(map(_LATEST.format, ("name", "occurred_at", "received_at")))
        insert = f"INSERT INTO {ARCHIVED_NAMES.name} SELECT ?, room_id, {member}, {latest} FROM {rows}"
        connection.execute(f"{insert} AND name IS NOT NULL GROUP BY ALL", [file.batch])
