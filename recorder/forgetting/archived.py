"""Take rows out of the files of an archive: each is written anew under another name, and then removed.

The new file is noted as one to be removed before it is written. Then one transaction makes it the noted one, and the
old one that to be removed; whoever reads the archive takes noted files alone. So at any instant each row counts once.
"""

from functools import partial
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.archiving.notes import Noted, note_file, note_intent, note_leaving, remove_leaving
from pulsoid_rec.recorder.archiving.parquet import copy_to_parquet, fingerprint, parquet_sql
from pulsoid_rec.recorder.archiving.store import ArchiveStore
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile, table_of
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.ids import new_id
from pulsoid_rec.recorder.contract.paths import duckdb_pattern
from pulsoid_rec.recorder.contract.tables import BATCH_NOTES
from pulsoid_rec.recorder.forgetting.rows import count_in, masked_sql, own_sql
from pulsoid_rec.recorder.forgetting.texts import Texts


def count_rows(
    connection: duckdb.DuckDBPyConnection, store: ArchiveStore, file: ArchiveFile, texts: Texts
) -> tuple[int, int]:
    """Return how many rows of a file are the members' own, and how many others have their ids in a text."""
    return count_in(connection, table_of(file), _source(store, file), texts)


def forget_in_file(
    connection: duckdb.DuckDBPyConnection, store: ArchiveStore, file: ArchiveFile, texts: Texts
) -> tuple[int, int]:
    """Take the members out of a noted file; return as `count_rows`."""
    own, named = count_rows(connection, store, file, texts)
    if own or named:
        table = table_of(file)
        columns = masked_sql(table, texts, in_file=True) if named else "*"
        select = f"SELECT {columns} FROM {_source(store, file)} WHERE NOT {own_sql(table, texts)}"
        _replace(connection, store, file, select)
    return own, named


def remove_file(connection: duckdb.DuckDBPyConnection, store: ArchiveStore, file: ArchiveFile) -> None:
    """Remove a noted file, with all that is noted of it."""
    connection.execute("BEGIN")
    note_leaving(connection, file)
    for notes in BATCH_NOTES:
        connection.execute(f"DELETE FROM {notes.name} WHERE batch = ?", [file.batch])
    connection.execute("COMMIT")
    remove_leaving(connection, store)


def _replace(connection: duckdb.DuckDBPyConnection, store: ArchiveStore, file: ArchiveFile, select: str) -> None:
    rows, _ = expected = fingerprint(connection, f"({select})")
    if not rows:
        remove_file(connection, store, file)
        return
    new = ArchiveFile(file.table, file.day, file.recorder, new_id().replace("-", ""))
    note_intent(connection, new, rows)
    stored = store.put(new, partial(_write, connection, new, select, expected))
    connection.execute("BEGIN")
    note_file(connection, new, Noted(rows, *stored))
    note_leaving(connection, file)
    for notes in BATCH_NOTES:  # of which the members' own leave with the rows of the database
        connection.execute(f"UPDATE {notes.name} SET batch = ? WHERE batch = ?", [new.batch, file.batch])
    connection.execute("COMMIT")
    remove_leaving(connection, store)


def _write(
    connection: duckdb.DuckDBPyConnection,
    file: ArchiveFile,
    select: str,
    expected: tuple[int, int | None],
    path: Path,
) -> None:
    copy_to_parquet(connection, file, select, path)
    if fingerprint(connection, parquet_sql(duckdb_pattern(path))) != expected:
        raise StorageError(
            f"What was written to {path.parent} is not what was read",
            "The file before is unchanged. Check that disk, and run this again.",
        )


def _source(store: ArchiveStore, file: ArchiveFile) -> str:
    return parquet_sql(store.place.duckdb_path(file))
