"""Move the rows of one table and day from the database to a file of the archive."""

from functools import partial
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.archiving.notes import Noted, copy_error, note_file, read_notes
from pulsoid_rec.recorder.archiving.parquet import fingerprint, live_sql, parquet_sql, portion, write_parquet
from pulsoid_rec.recorder.archiving.store import ArchiveStore
from pulsoid_rec.recorder.contract.activity import activity_sql
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile, table_of
from pulsoid_rec.recorder.contract.errors import StorageError, is_out_of_memory
from pulsoid_rec.recorder.contract.ids import IS_IMPORTED
from pulsoid_rec.recorder.contract.paths import duckdb_pattern
from pulsoid_rec.recorder.contract.tables import (
    ARCHIVED_ACTIVITY,
    ARCHIVED_CONNECTIONS,
    ARCHIVED_NAMES,
    CONNECTION_EVENTS,
    HEART_RATE,
    LATEST_NAMED,
    MARKS,
    MEMBER_EVENTS,
    ROOM_EVENTS,
    Table,
)

_MEMBERS = {MEMBER_EVENTS.name: "profile_id", ROOM_EVENTS.name: "NULL"}
"""Who is named in the configs of a table: a member, or the room."""


def move_rows(connection: duckdb.DuckDBPyConnection, file: ArchiveFile, store: ArchiveStore) -> Noted | None:
    """Write a file that is intended, note it, and delete its rows; return what is noted, or None if there are no rows.

    If there is too much of a day for one file, some of its rows are left for another. Raises `StorageError` if the file
    cannot be written, or the archive shows that another database archives under the same name; and `duckdb.Error` if
    the database cannot be read or written. Closing the connection then leaves the rows as before.
    """
    # One transaction, whose view of the rows does not change: those deleted are those that were written.
    connection.execute("BEGIN")
    table, where = table_of(file), portion(connection, file)
    expected = fingerprint(connection, live_sql(table, where))
    rows = expected[0]
    is_there = file in store.place.list_files(file.table, file.day)
    if is_there:
        _require_contained(connection, file, where, expected, store)
    elif not rows:
        note_file(connection, file, None)
        connection.execute("COMMIT")
        return None
    stored = store.put(file, partial(_write, connection, file, where, expected))
    there = store.place.list_files(file.table, file.day)
    notes = read_notes(connection, there)
    if notes.find_unknown(there):
        # A copy of this database archives at the same time. Whoever wrote last finds the other's file.
        if not is_there:
            store.remove(file)
        raise copy_error(notes, store.place)
    noted = Noted(rows, *stored)
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
    connection: duckdb.DuckDBPyConnection,
    file: ArchiveFile,
    where: str,
    expected: tuple[int, int | None],
    store: ArchiveStore,
) -> None:
    """Raise `StorageError` unless all rows of a file that is there already are in the database.

    A run that was killed left it, and it is written anew. If it has other rows, a copy of this database finished it.
    """
    store.place.register(connection)
    written = parquet_sql(store.place.duckdb_path(file))
    others = f"SELECT 1 FROM (FROM {written} EXCEPT ALL FROM {live_sql(table_of(file), where)}) LIMIT 1"
    try:
        is_contained = fingerprint(connection, written) == expected or not connection.execute(others).fetchall()
    except duckdb.Error as error:
        if is_out_of_memory(error):
            raise
        raise StorageError(
            f"{store.place.name_of(file)} is damaged, or no file of this archive",
            "Move it away, and run this again: its rows are still in the database.",
        ) from error
    if not is_contained:
        raise copy_error(read_notes(connection), store.place)


def _note_content(connection: duckdb.DuckDBPyConnection, file: ArchiveFile, where: str) -> None:
    """Note what reports need of rows that leave the database: activity, names, and what became of connections."""
    table = table_of(file)
    rows = f"{file.table} WHERE ({where})"
    notes = list[tuple[Table, str]]()
    if table is HEART_RATE:
        imported = f", count_if({IS_IMPORTED}) AS imported"
        notes.append((ARCHIVED_ACTIVITY, f"* FROM ({activity_sql(rows, more=imported)})"))
    elif member := _MEMBERS.get(file.table):
        latest = ", ".join(map(LATEST_NAMED.format, ("name", "occurred_at", "received_at")))
        notes.append((ARCHIVED_NAMES, f"room_id, {member}, {latest} FROM {rows} GROUP BY ALL"))
    if table is CONNECTION_EVENTS:
        notes.append((ARCHIVED_CONNECTIONS, f"room_id, connection_id, event, changed_at FROM {rows}"))
    elif table is not MARKS:
        received = f"room_id, connection_id, 'received', max(received_at) FROM {rows} AND connection_id IS NOT NULL"
        notes.append((ARCHIVED_CONNECTIONS, f"{received} GROUP BY ALL"))
    for note, content in notes:
        connection.execute(f"INSERT INTO {note.name} SELECT ?, {content}", [file.batch])
