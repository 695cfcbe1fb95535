"""Compare an archive with what is noted of it, and see that what others archived there is whole."""

from collections.abc import Iterator

import duckdb

from pulsoid_rec.recorder.archiving.notes import Noted, Notes
from pulsoid_rec.recorder.archiving.parquet import describe, fingerprint, parquet_sql, within
from pulsoid_rec.recorder.archiving.store import FolderStore
from pulsoid_rec.recorder.contract.archive_files import METADATA_PREFIX, ArchiveFile, table_of
from pulsoid_rec.recorder.ingest.database import CONFIG

_SAME_AS_PATH = ("table", "day", "recorder", "batch")


def check_archive(notes: Notes, store: FolderStore) -> Iterator[tuple[ArchiveFile, str]]:
    """Look at each file of an archive, and yield it with what is wrong with it; with an empty text if all is well.

    Parameters
    ----------
    notes
        What a database knows of it. Of its files sizes, rows and checksums are compared.
    store
        The archive. Files of other databases are read, and compared with what their names say.

    Raises
    ------
    StorageError
        The archive is not there, or cannot be read.
    """
    files = store.place.list_files()
    unknown = set(notes.find_unknown(files))
    with duckdb.connect(config=CONFIG) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        store.place.register(connection)
        for file in sorted(files.keys() | notes.noted.keys()):
            noted = notes.noted.get(file)
            if noted and file not in files:
                yield file, "is missing"
            elif file in unknown:
                yield file, "has this database's name, and is not noted in it"
            else:
                yield file, _find_fault(connection, store, file, files[file], noted)


def _find_fault(
    connection: duckdb.DuckDBPyConnection, store: FolderStore, file: ArchiveFile, size: int, noted: Noted | None
) -> str:
    """Return what is wrong with a file; an empty text if nothing is."""
    if noted and noted.bytes != size:
        return f"has {size:,} bytes, and not {noted.bytes:,}"
    try:
        if noted and store.sha256_of(file) != noted.sha256:
            return "has other content than when it was written: its checksum differs"
        return _find_fault_of_rows(connection, store.place.duckdb_path(file), file, noted)
    except (duckdb.Error, OSError) as error:
        return f"cannot be read: {str(error).splitlines()[0]}"


def _find_fault_of_rows(
    connection: duckdb.DuckDBPyConnection, pattern: str, file: ArchiveFile, noted: Noted | None
) -> str:
    table = table_of(file)
    metadata = connection.execute("SELECT key, value FROM parquet_kv_metadata(?)", [pattern]).fetchall()
    found = {bytes(key).decode(errors="replace"): bytes(value).decode(errors="replace") for key, value in metadata}
    for key in _SAME_AS_PATH:
        name = METADATA_PREFIX + key
        if found.get(name) != describe(file)[name]:
            return f"is of the {key} {found.get(name)}, by its metadata"
    rows = parquet_sql(pattern)
    types = dict(row[:2] for row in connection.execute(f"DESCRIBE FROM {rows}").fetchall())
    for column in table.columns:
        expected = {"JSON": "VARCHAR", "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}.get(column.type, column.type)
        if types.get(column.name) != expected:
            return f"has the column {column.name} as {types.get(column.name)}, and not as {expected}"
    count, _ = fingerprint(connection, rows)  # which reads all of it
    if noted and count != noted.rows:
        return f"has {count:,} rows, and not {noted.rows:,}"
    outside = connection.execute(f"SELECT count(*) FROM {rows} WHERE NOT ({within(table, file.day)})").fetchall()[0][0]
    return f"has {outside:,} rows of other days" if outside else ""
