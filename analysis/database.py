"""The DuckDB file, opened read-only for one read: waits until a recorder lets go of it, and says faults in words."""

import contextlib
import random
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from analysis.arrow_stream import ArrowStream
from recorder.errors import StorageError
from recorder.tables import SCHEMA_VERSION, SCHEMA_VERSIONS

PATIENCE_S = 30.0
"""How long to wait for a process that writes; a recorder holds the file for some 20 ms every second or two."""

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "512MB",  # enough for any of our reads, and DuckDB would fill whatever it may
    "autoinstall_known_extensions": False,  # nothing goes to the network unasked
    "autoload_known_extensions": False,
}

_FEW_ROWS = 10_000
_PAUSE_S = (0.01, 0.1)
_LOCKED = re.compile(
    r"could not set lock|conflicting lock|being used by another process|unique file handle", re.IGNORECASE
)
_HOLDER = re.compile(r"held in (.+?) \(PID (\d+)\)", re.IGNORECASE)
_NOT_ALLOWED = re.compile(r"permission denied|access is denied", re.IGNORECASE)
_NO_SPACE = re.compile(r"no space left|not enough space|disk.*full|quota exceeded", re.IGNORECASE)
# What DuckDB raises for a file it cannot make sense of, as against a query that we got wrong.
_FILE_FAULTS = (duckdb.IOException, duckdb.InternalException, duckdb.FatalException, duckdb.SerializationException)


@contextmanager
def open_database(path: Path, patience_s: float = PATIENCE_S) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a recording's file read-only, and close it at the end.

    No recorder can write to the file meanwhile; what it receives waits in its journal.

    Parameters
    ----------
    path
        The database.
    patience_s
        How long to wait, in seconds, while another process writes to it.

    Raises
    ------
    StorageError
        It is not there, not a DuckDB file, not a recording, of a newer version, damaged, or another process still
        holds it after `patience_s`.
    """
    connection = _connect(path, patience_s)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        with contextlib.suppress(duckdb.InvalidInputException):  # Jupyter without ipywidgets: there is none then
            connection.execute("SET enable_progress_bar_print = false")  # it would be in the midst of our output
        _check_version(connection, path)
        yield connection
    except _FILE_FAULTS as error:
        raise _in_words(error, path) from error
    finally:
        connection.close()


def read_frame(connection: duckdb.DuckDBPyConnection, sql: str, values: Sequence[Any] = ()) -> pl.DataFrame:
    """Read what a query gives.

    Parameters
    ----------
    connection
        Open on a recording.
    sql
        The query.
    values
        Its parameters.
    """
    # Not `.pl()`, which goes by way of pyarrow, whose import takes longer than a small report.
    return pl.DataFrame(ArrowStream(connection.sql(sql, params=list(values)).__arrow_c_stream__()))


def write_temporary(connection: duckdb.DuckDBPyConnection, name: str, columns: str, frame: pl.DataFrame) -> None:
    """Make a temporary table of a frame.

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


def _connect(path: Path, patience_s: float) -> duckdb.DuckDBPyConnection:
    if not path.exists():
        raise StorageError(f"There is no {path}", "Record a room first, or name the database with --db.")
    if not path.is_file():
        raise StorageError(f"{path} is not a file", "Name the database itself with --db.")
    give_up_at = time.monotonic() + patience_s
    while True:
        try:
            return duckdb.connect(path, read_only=True, config=CONFIG)
        except duckdb.ConnectionException as error:
            raise StorageError(
                f"{path} is open in this very process, for writing or with other settings", "Close that first."
            ) from error
        except duckdb.Error as error:
            if not _LOCKED.search(str(error)) or time.monotonic() >= give_up_at:
                raise _in_words(error, path) from error
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


def _in_words(error: Exception, path: Path) -> StorageError:
    """Say in words what DuckDB said of the file."""
    text = str(error)
    if _LOCKED.search(text):
        holder = _HOLDER.search(text)
        who = f"{Path(holder[1]).name} (process {holder[2]})" if holder else "another process"
        return StorageError(f"{path} is held open for writing by {who}", "Try again when that has ended.")
    if _NO_SPACE.search(text):
        return StorageError(f"There is no space left on the disk: {text.splitlines()[0]}", "Free some, and try again.")
    if _NOT_ALLOWED.search(text):
        return StorageError(f"{path} may not be read", "Give yourself the right to read it.")
    if "not a valid duckdb" in text.lower():
        return StorageError(f"{path} is not a DuckDB file", "Name another file with --db.")
    return StorageError(
        f"{path} cannot be read: {text.splitlines()[0]}",
        "If it is damaged, copy it away, and read from a backup; pulsoid-rec never changes what is recorded.",
    )
