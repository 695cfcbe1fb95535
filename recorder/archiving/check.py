"""Compare an archive with what is noted of it, and see that what others archived there is whole."""

from collections.abc import Iterator

import duckdb

from pulsoid_rec.recorder.archiving.notes import Noted, Notes
from pulsoid_rec.recorder.archiving.parquet import fingerprint
from pulsoid_rec.recorder.archiving.store import ArchiveStore
from pulsoid_rec.recorder.contract.archive_check import find_faults
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile, rows_sql, table_of
from pulsoid_rec.recorder.contract.paths import sql_literal
from pulsoid_rec.recorder.ingest.database import CONFIG


def check_archive(notes: Notes, store: ArchiveStore) -> Iterator[tuple[ArchiveFile, str]]:
    """Look at each file of an archive, and yield it with what is wrong with it; with an empty text if all is well.

    Of the files that a database has noted, sizes, rows and checksums are compared; those of others are read, and
    compared with what their names say. Raises `StorageError` if the archive is not there, or cannot be read.
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
    connection: duckdb.DuckDBPyConnection, store: ArchiveStore, file: ArchiveFile, size: int, noted: Noted | None
) -> str:
    """Return what is wrong with a file; an empty text if nothing is."""
    if noted and noted.bytes != size:
        return f"has {size:,} bytes, and not {noted.bytes:,}"
    try:
        if noted and store.sha256_of(file) != noted.sha256:
            return "has other content than when it was written: its checksum differs"
        path = store.place.duckdb_path(file)
        for _, fault in find_faults(connection, [path]):
            return fault
        count, _ = fingerprint(connection, f"({rows_sql(table_of(file), sql_literal(path))})")  # which reads all of it
    except (duckdb.Error, OSError) as error:
        return f"cannot be read: {str(error).splitlines()[0]}"
    return f"has {count:,} rows, and not {noted.rows:,}" if noted and count != noted.rows else ""
