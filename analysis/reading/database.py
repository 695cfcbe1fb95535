"""Opens the DuckDB file read-only for one read; waits while a recorder writes to it."""

import contextlib
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from pulsoid_rec.analysis.reading.arrow_stream import ArrowStream
from pulsoid_rec.recorder.contract.duckdb_errors import is_lock_error, storage_error
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.contract.paths import duckdb_path
from pulsoid_rec.recorder.contract.tables import ARCHIVE_NOTES, SCHEMA_VERSION, SCHEMA_VERSIONS, TABLES
from pulsoid_rec.recorder.contract.version_1 import ADDED, CHANGED, has_large_configs, parts_of, select_as_current

LOCK_TIMEOUT_S = 30.0
"""How long to wait for a process that writes; a recorder holds the file for some 20 ms every second or two."""

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "512MB",  # enough for each of our reads; DuckDB would use all that it may
    "autoinstall_known_extensions": False,  # they would be downloaded
    "autoload_known_extensions": False,
}

_FEW_ROWS = 10_000
_FEW_THREADS = 2  # each takes the names out of a part of large configs of version 1 at a time
_RETRY_DELAY_S = (0.01, 0.1)
# What DuckDB raises for a damaged file, not for a wrong query.
_FILE_FAULTS = (duckdb.IOException, duckdb.InternalException, duckdb.FatalException, duckdb.SerializationException)
_FAULTS = (*_FILE_FAULTS, duckdb.OutOfMemoryException)


@contextmanager
def open_database(path: Path | None, lock_timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a recording's file read-only, and close it at the end.

    Meanwhile recorders cannot write to the file, and keep what they receive in their journals.

    Parameters
    ----------
    path
        The database; None for one without rows, in memory.
    lock_timeout_s
        How long to wait, in seconds, while another process writes to it.

    Raises
    ------
    StorageError
        It does not exist, is not a DuckDB file, not a recording, of a newer version or damaged, is still locked after
        `lock_timeout_s`, or DuckDB has not enough memory.
    """
    connection = duckdb.connect(config=CONFIG) if path is None else _connect(path, lock_timeout_s)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        with contextlib.suppress(duckdb.InvalidInputException):  # Jupyter without ipywidgets has no bar
            connection.execute("SET enable_progress_bar_print = false")  # it would mix with our output
        if path is None:
            for table in (*TABLES, *ARCHIVE_NOTES):
                connection.execute(table.ddl)
        elif _read_version(connection, path) < SCHEMA_VERSION:
            _hide_version_1(connection)
        yield connection
    except _FAULTS as error:
        raise storage_error(error, path or Path("the archive"), writing=False) from error
    finally:
        connection.close()


def read_frame(connection: duckdb.DuckDBPyConnection, sql: str, values: Sequence[Any] = ()) -> pl.DataFrame:
    """Run a query, with `values` as its parameters, and return its rows."""
    # Not by `.pl()`, which needs pyarrow: importing that takes longer than a small report.
    return pl.DataFrame(ArrowStream(connection.sql(sql, params=list(values)).__arrow_c_stream__()))


def database_sql(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the name of the open database, as SQL."""
    [(name,)] = connection.execute("SELECT current_database()").fetchall()
    quoted = name.replace('"', '""')
    return f'"{quoted}"'


def write_temporary(connection: duckdb.DuckDBPyConnection, name: str, columns: str, frame: pl.DataFrame) -> None:
    """Create or replace a temporary table; `columns` are its names and SQL types, in the order of the frame's."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({columns})")
    if frame.height <= _FEW_ROWS:
        with connection.appender(f"temp.main.{name}") as appender:
            appender.append_rows(frame.rows())
        return
    connection.register("frame", frame.to_arrow())  # many times faster, but it imports pyarrow
    connection.execute(f"INSERT INTO {name} FROM frame")
    connection.unregister("frame")


def _connect(path: Path, lock_timeout_s: float) -> duckdb.DuckDBPyConnection:
    if not path.exists():
        if journal_folder(path).is_dir():
            raise StorageError(
                f"There is no {path} yet, only its journal",
                "A running recorder makes it with the first rows; after a crash `pulsoid-rec recover` does.",
            )
        raise StorageError(f"There is no {path}", "Record a room first, or choose another file with --db.")
    if not path.is_file():
        raise StorageError(f"{path} is not a file", "Choose a file with --db.")
    literal = duckdb_path(path)
    give_up_at = time.monotonic() + lock_timeout_s
    while True:
        opened = _file_id(path)
        try:
            connection = duckdb.connect(literal, read_only=True, config=CONFIG)
            if opened == _file_id(path):
                return connection
            connection.close()  # `archive --compact` put another in its place meanwhile
        except duckdb.ConnectionException as error:
            raise StorageError(
                f"{path} is already open in this process, for writing or with other settings", "Close it first."
            ) from error
        except duckdb.Error as error:
            is_passing = is_lock_error(error) or opened != _file_id(path)  # the WAL is of the file that replaced it
            if not is_passing or time.monotonic() >= give_up_at:
                raise storage_error(error, path, writing=False) from error
        time.sleep(random.uniform(*_RETRY_DELAY_S))  # noqa: S311 - so that two readers do not retry in step


def _file_id(path: Path) -> tuple[int, int]:
    """Return what tells a file from another of its name."""
    found = path.stat()
    return found.st_dev, found.st_ino


def _read_version(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Return the version of the tables; raise `StorageError` if there is none, or a newer one."""
    try:
        found: int | None = connection.execute(f"SELECT max(version) FROM {SCHEMA_VERSIONS.name}").fetchall()[0][0]
    except (duckdb.CatalogException, duckdb.BinderException):
        found = None
    if found is None:
        raise StorageError(
            f"{path} is a DuckDB file, but not a recording of pulsoid-rec", "Choose another file with --db."
        )
    if found > SCHEMA_VERSION:
        raise StorageError(
            f"{path} was written by a newer pulsoid-rec (its tables have version {found}, this program reads up to "
            f"{SCHEMA_VERSION})",
            "Install the newer pulsoid-rec.",
        )
    return found


def _hide_version_1(connection: duckdb.DuckDBPyConnection) -> None:
    """Put temporary views before the tables of version 1, so that every query finds those of today."""
    database = database_sql(connection)
    for table in (*CHANGED, *ADDED):
        source = f"{database}.main.{table.name}"
        select = select_as_current(table, source)
        if table in CHANGED and has_large_configs(connection, table, source):
            connection.execute(f"SET threads = {_FEW_THREADS}")
            parts = parts_of(connection, table, source)
            select = " UNION ALL ".join(f"{select} WHERE rowid BETWEEN {first} AND {last}" for first, last in parts)
        connection.execute(f"CREATE TEMP VIEW {table.name} AS {select}")
