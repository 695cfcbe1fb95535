"""The DuckDB file: opened for a moment, with its tables at today's version, and every fault in words.

While a process has the file open for writing, no other can open it; so nobody here keeps it open.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.duckdb_errors import storage_error
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.tables import BOOKKEEPING, SCHEMA_VERSION, SCHEMA_VERSIONS, TABLES
from pulsoid_rec.recorder.disk.sync import sync_folder

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,  # the recorder is a guest on the machine
    "memory_limit": "512MB",
    "storage_compatibility_version": "v1.5.0",  # so that DuckDB 1.5's tools can open the file
    "autoinstall_known_extensions": False,  # nothing goes to the network unasked
    "autoload_known_extensions": False,
}


_NAME = "recording"
_engines: list[duckdb.DuckDBPyConnection] = []
"""DuckDB without a file, at rest. To start it takes ten times as long as to open a file with it."""

_DESCRIPTORS = 8  # the file, its WAL, a segment, and some that others may take meanwhile


def require_possible(path: Path) -> None:
    """Refuse a path that DuckDB cannot use.

    Raises
    ------
    StorageError
        It has a question mark in it, which DuckDB takes for the end of a URL.
    """
    if "?" in str(path.absolute()):
        raise StorageError(
            f"{path.absolute()} has a question mark in it, which DuckDB does not take in a file's path",
            "Name another file with --db.",
        )


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
    require_possible(path)
    with translate_errors(path):
        _require_descriptors()
        if not path.exists():
            _make(path)
        with _attached(path) as connection:
            _bring_up_to_date(connection, path)
            yield connection


@contextmanager
def _attached(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a file, made where there is none, and let go of it at the end."""
    connection = _engines.pop() if _engines else _start_engine()
    literal = str(path).replace("'", "''")
    try:
        # Its type is said, or else a name like `sqlite:x` would ask for another.
        connection.execute(f"ATTACH '{literal}' AS {_NAME} (TYPE duckdb)")
        connection.execute(f"USE {_NAME}")
        yield connection
        # To detach does so too, but keeps to itself that it failed: what is committed stays in the WAL then, which
        # grows and grows.
        connection.execute("CHECKPOINT")
        connection.execute("USE memory")
        connection.execute(f"DETACH {_NAME}")
    except BaseException:
        connection.close()  # after some faults DuckDB refuses all further work
        raise
    _engines.append(connection)


def stop_engines() -> None:
    """Have DuckDB give back the memory that it keeps of what it did last."""
    while _engines:
        _engines.pop().close()


def _start_engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config=CONFIG)
    connection.execute("SET TimeZone = 'UTC'")
    with contextlib.suppress(duckdb.InvalidInputException):  # Jupyter without ipywidgets: there is none then
        connection.execute("SET enable_progress_bar_print = false")  # it would be in the midst of our output
    return connection


def _require_descriptors() -> None:
    """See that files can be opened: when not one can, DuckDB 2.0 ends the process."""
    opened = []
    try:
        for _ in range(_DESCRIPTORS):
            opened.append(os.open(os.devnull, os.O_RDONLY))  # noqa: PERF401 - those opened are to be closed again
    finally:
        for file in opened:
            os.close(file)


def _make(path: Path) -> None:
    """Make the file with its tables, all at once: DuckDB refuses one that a crash left half made."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        with _attached(new) as connection:
            new.chmod(0o600)  # heart rates are health data
            _make_tables(connection)
        with contextlib.suppress(FileExistsError):  # another recorder was faster
            _give_name(new, path)
        sync_folder(path.parent)
    finally:
        new.unlink(missing_ok=True)


def _give_name(new: Path, path: Path) -> None:
    """Rename a file, but never over another; `FileExistsError` says that there is one."""
    try:
        os.link(new, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
        new.rename(path)


def _bring_up_to_date(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    tables = {
        name
        for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
        ).fetchall()
    }
    if not tables:
        _make_tables(connection)  # an empty DuckDB file is as good as none
        return
    if SCHEMA_VERSIONS.name not in tables:
        raise StorageError(
            f"{path} is a DuckDB file, but not a recording of pulsoid-rec",
            "Record into another file with --db.",
        )
    found = connection.execute(f"SELECT max(version) FROM {SCHEMA_VERSIONS.name}").fetchall()[0][0]
    if found != SCHEMA_VERSION:
        raise StorageError(
            f"{path} was written by a newer pulsoid-rec (its tables have version {found}, this program knows "
            f"{SCHEMA_VERSION})",
            "Install that newer pulsoid-rec, or record into another file with --db.",
        )


def _make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("BEGIN")
    for table in (*TABLES, *BOOKKEEPING):
        connection.execute(table.ddl)
    connection.execute(
        f"INSERT INTO {SCHEMA_VERSIONS.name} VALUES (?, now(), ?)", [SCHEMA_VERSION, version("pulsoid-rec")]
    )
    connection.execute("COMMIT")


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise DuckDB's and the system's errors about a file as a `StorageError`."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise storage_error(error, path, writing=True) from error
