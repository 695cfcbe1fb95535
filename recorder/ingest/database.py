"""The DuckDB file: opened briefly, its tables created, its version checked, and its errors translated.

While a process has the file open for writing, no other can open it; so it is closed after each use.
"""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.duckdb_errors import storage_error
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.paths import duckdb_path, require_valid_path
from pulsoid_rec.recorder.contract.tables import BOOKKEEPING, SCHEMA_VERSION, SCHEMA_VERSIONS, TABLES
from pulsoid_rec.recorder.disk.replace import OWNER_ONLY, open_replacement
from pulsoid_rec.recorder.ingest.migration import migrate, note_version

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,  # recording should not slow the machine down
    "memory_limit": "512MB",
    "storage_compatibility_version": "v1.5.0",  # so that DuckDB 1.5's tools can open the file
    "autoinstall_known_extensions": False,  # no network access
    "autoload_known_extensions": False,
}

_NAME = "recording"
_engines: list[duckdb.DuckDBPyConnection] = []
"""Idle DuckDB instances without a file: starting one takes ten times as long as opening a file with it."""

_DESCRIPTORS = 8  # the file, its WAL, a segment, and some that other threads may open meanwhile


@contextmanager
def open_database(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file for writing, made with its tables if it does not exist, and close it at the end.

    Raises
    ------
    DatabaseBusyError
        Another process has it open: try again.
    StorageError
        It is not a DuckDB file, not a recording, of a newer version, damaged, or cannot be written.
    """
    require_valid_path(path)
    with translate_errors(path):
        _require_descriptors()
        if not path.exists():
            _make(path)
        with _attached(path) as connection:
            _check_schema(connection, path)
            yield connection


@contextmanager
def _attached(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Attach a file, made if it does not exist, and detach it at the end."""
    literal = duckdb_path(path).replace("'", "''")
    connection = _engines.pop() if _engines else _start_engine()
    try:
        connection.execute(f"ATTACH '{literal}' AS {_NAME} (TYPE duckdb)")
        connection.execute(f"USE {_NAME}")
        yield connection
        # DETACH makes a checkpoint too, but hides its failure; then the WAL would grow without limit.
        connection.execute("CHECKPOINT")
        connection.execute("USE memory")
        connection.execute(f"DETACH {_NAME}")
    except BaseException:
        connection.close()  # after some errors DuckDB refuses all further work
        raise
    _engines.append(connection)


def stop_engines() -> None:
    """Stop idle DuckDB instances, so that the memory they keep is freed."""
    while _engines:
        _engines.pop().close()


def _start_engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config=CONFIG)
    connection.execute("SET TimeZone = 'UTC'")
    with contextlib.suppress(duckdb.InvalidInputException):  # there is no bar in Jupyter without ipywidgets
        connection.execute("SET enable_progress_bar_print = false")  # it would mix with our output
    return connection


def _require_descriptors() -> None:
    """Raise `OSError` unless some files can be opened: otherwise DuckDB 2.0 aborts the process."""
    opened = []
    try:
        for _ in range(_DESCRIPTORS):
            opened.append(os.open(os.devnull, os.O_RDONLY))  # noqa: PERF401 - those opened are to be closed again
    finally:
        for file in opened:
            os.close(file)


def _make(path: Path) -> None:
    """Make the file with its tables as a whole: DuckDB cannot open one that a crash left incomplete."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (
        contextlib.suppress(FileExistsError),  # another recorder was faster
        open_replacement(path, sync=True, overwrite=False) as new,
    ):
        new.unlink()  # DuckDB opens no empty file
        with _attached(new) as connection:
            new.chmod(OWNER_ONLY)
            _make_tables(connection)


def _check_schema(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Make the tables in a file without any, migrate older ones, and raise `StorageError` for newer ones."""
    query = "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
    tables = {name for (name,) in connection.execute(query).fetchall()}
    if not tables:
        _make_tables(connection)
        return
    found = None
    if SCHEMA_VERSIONS.name in tables:
        found = connection.execute(f"SELECT max(version) FROM {SCHEMA_VERSIONS.name}").fetchall()[0][0]
    if found is None:
        raise StorageError(
            f"{path} is a DuckDB file, but not a recording of pulsoid-rec", "Choose another file with --db."
        )
    if found < SCHEMA_VERSION:
        migrate(connection, path)
    if found > SCHEMA_VERSION:
        raise StorageError(
            f"{path} was written by a newer pulsoid-rec (its tables have version {found}, this program knows "
            f"{SCHEMA_VERSION})",
            "Install that newer pulsoid-rec, or choose another file with --db.",
        )


def _make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("BEGIN")
    for table in (*TABLES, *BOOKKEEPING):
        connection.execute(table.ddl)
    note_version(connection)
    connection.execute("COMMIT")


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise DuckDB's and the system's errors about a file as a `StorageError`."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise storage_error(error, path, writing=True) from error
