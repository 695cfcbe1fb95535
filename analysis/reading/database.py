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
from pulsoid_rec.recorder.contract.tables import SCHEMA_VERSION, SCHEMA_VERSIONS

LOCK_TIMEOUT_S = 30.0
"""How long to wait for a process that writes; a recorder holds the file for some 20 ms every second or two."""

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "512MB",  # enough for any of our reads, and DuckDB would fill whatever it may
    "autoinstall_known_extensions": False,  # nothing goes to the network unasked
    "autoload_known_extensions": False,
}

_FEW_ROWS = 10_000
_PAUSE_S = (0.01, 0.1)
# What DuckDB raises for a damaged file, not for a wrong query.
_FILE_FAULTS = (duckdb.IOException, duckdb.InternalException, duckdb.FatalException, duckdb.SerializationException)


@contextmanager
def open_database(path: Path, lock_timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a recording's file read-only, and close it at the end.

    No recorder can write to the file meanwhile; what it receives waits in its journal.

    Parameters
    ----------
    path
        The database.
    lock_timeout_s
        How long to wait, in seconds, while another process writes to it.

    Raises
    ------
    StorageError
        It is not there, not a DuckDB file, not a recording, of a newer version, damaged, or another process still
        holds it after `lock_timeout_s`.
    """
    connection = _connect(path, lock_timeout_s)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        with contextlib.suppress(duckdb.InvalidInputException):  # Jupyter without ipywidgets: there is none then
            connection.execute("SET enable_progress_bar_print = false")  # it would be in the midst of our output
        _check_version(connection, path)
        yield connection
    except _FILE_FAULTS as error:
        raise storage_error(error, path, writing=False) from error
    finally:
        connection.close()


def read_frame(connection: duckdb.DuckDBPyConnection, sql: str, values: Sequence[Any] = ()) -> pl.DataFrame:
    """Run a query and return its rows as a frame.

    Parameters
    ----------
    connection
        Open on a recording.
    sql
        The query.
    values
        Its parameters.
    """
    # Not `.pl()`, which needs pyarrow: importing that takes longer than a small report.
    return pl.DataFrame(ArrowStream(connection.sql(sql, params=list(values)).__arrow_c_stream__()))


def write_temporary(connection: duckdb.DuckDBPyConnection, name: str, columns: str, frame: pl.DataFrame) -> None:
    """Create a temporary table from a frame.

    Parameters
    ----------
    connection
        Open on a recording.
    name
        Of the table; one of that name is replaced.
    columns
        Its columns with their SQL types, in the order of the frame's.
    frame
        Its rows.
    """
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
        raise StorageError(f"There is no {path}", "Record a room first, or name the database with --db.")
    if not path.is_file():
        raise StorageError(f"{path} is not a file", "Name the database itself with --db.")
    give_up_at = time.monotonic() + lock_timeout_s
    while True:
        try:
            return duckdb.connect(path, read_only=True, config=CONFIG)
        except duckdb.ConnectionException as error:
            raise StorageError(
                f"{path} is open in this very process, for writing or with other settings", "Close that first."
            ) from error
        except duckdb.Error as error:
            if not is_lock_error(error) or time.monotonic() >= give_up_at:
                raise storage_error(error, path, writing=False) from error
        time.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - only keeps two readers from trying in step


def _check_version(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    try:
        found = connection.execute(f"SELECT max(version) FROM {SCHEMA_VERSIONS.name}").fetchall()[0][0]
    except (duckdb.CatalogException, duckdb.BinderException):
        found = None
    if found is None:
        raise StorageError(
            f"{path} is a DuckDB file, but not a recording of pulsoid-rec", "Name another file with --db."
        )
    if found > SCHEMA_VERSION:
        raise StorageError(
            f"{path} was written by a newer pulsoid-rec (its tables have version {found}, this program knows "
            f"{SCHEMA_VERSION})",
            "Install that newer pulsoid-rec.",
        )
