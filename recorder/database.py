"""The DuckDB file: opened for a moment, with its tables at today's version, and every fault in words.

While a process has the file open for writing, no other can open it; so nobody here keeps it open.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import duckdb

from recorder.errors import StorageError
from recorder.tables import BOOKKEEPING, SCHEMA_VERSION, SCHEMA_VERSIONS, TABLES

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,  # the recorder is a guest on the machine
    "memory_limit": "512MB",
    "storage_compatibility_version": "v1.5.0",  # so that DuckDB 1.5's tools can open the file
    "autoinstall_known_extensions": False,  # nothing goes to the network unasked
    "autoload_known_extensions": False,
}


class DatabaseBusyError(StorageError):
    """Another process has the file open; it will let go of it."""


@contextmanager
def open_database(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file for writing, made with its tables where there is none, and close it at the end.

    Raises
    ------
    DatabaseBusyError
        Another process has it open: try again.
    StorageError
        It is not a DuckDB file, not a recording, of a newer version, damaged, or cannot be written.
    """
    with faults_in_words(path):
        is_new = not path.exists()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = duckdb.connect(path, config=CONFIG)
    try:
        with faults_in_words(path):
            if is_new:
                path.chmod(0o600)  # heart rates are health data
            connection.execute("SET TimeZone = 'UTC'")
            _bring_up_to_date(connection, path)
            yield connection
    finally:
        with faults_in_words(path):
            connection.close()


def _bring_up_to_date(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if SCHEMA_VERSIONS.name in tables:
        found = connection.execute(f"SELECT max(version) FROM {SCHEMA_VERSIONS.name}").fetchall()[0][0]
        if found == SCHEMA_VERSION:
            return
        raise StorageError(
            f"{path} was written by a newer pulsoid-rec (its tables have version {found}, this program knows "
            f"{SCHEMA_VERSION})",
            "Install that newer pulsoid-rec, or record into another file with --db.",
        )
    if tables:
        raise StorageError(
            f"{path} is a DuckDB file, but not a recording of pulsoid-rec",
            "Record into another file with --db.",
        )
    connection.execute("BEGIN")
    for table in (*TABLES, *BOOKKEEPING):
        connection.execute(table.ddl)
    connection.execute(
        f"INSERT INTO {SCHEMA_VERSIONS.name} VALUES (?, now(), ?)", [SCHEMA_VERSION, version("pulsoid-rec")]
    )
    connection.execute("COMMIT")


@contextmanager
def faults_in_words(path: Path) -> Iterator[None]:
    """Turn what DuckDB and the system say of a database file into a `StorageError`."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise storage_error(error, path) from error


_NO_SPACE = re.compile(
    r"no space left|not enough space|disk.*full|quota exceeded|could not write all|file too large", re.I
)
_LOCKED = re.compile(r"could not set lock|conflicting lock|being used by another process", re.IGNORECASE)
_HOLDER = re.compile(r"held in (.+?) \(PID (\d+)\)", re.IGNORECASE)
_NOT_ALLOWED = re.compile(r"permission denied|read-only file system|access is denied", re.IGNORECASE)


def storage_error(error: Exception, path: Path) -> StorageError:
    """Say in words what DuckDB or the system said of a database file."""
    text = str(error)
    if _LOCKED.search(text):
        holder = _HOLDER.search(text)
        who = f"{Path(holder[1]).name} (process {holder[2]})" if holder else "another process"
        return DatabaseBusyError(f"{path} is held by {who}", "It is tried again until that lets go of it.")
    if _NO_SPACE.search(text):
        return StorageError(f"There is no space left on the disk for {path}", "Free some; nothing recorded is lost.")
    if _NOT_ALLOWED.search(text) or isinstance(error, PermissionError):
        return StorageError(f"{path} cannot be written", "Give yourself the right to, or name another file with --db.")
    if isinstance(error, OSError):
        return StorageError(f"{path}: {error.strerror or error}", "Mend that, or name another file with --db.")
    if "not a valid duckdb" in text.lower():
        return StorageError(f"{path} is not a DuckDB file", "It was left as it is; name another file with --db.")
    return StorageError(
        f"{path} cannot be used: {text.splitlines()[0]}",
        "If it is damaged, move it away and keep it; the journal beside it is intact.",
    )
