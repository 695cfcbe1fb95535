"""Opens the DuckDB file read-only for one read; waits while a recorder writes to it.

The file may have come from somebody else, so that SQL gets at nothing but the file itself, its archive, and the file
that an export writes; and its tables are checked before any is read.
"""

import contextlib
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from pulsoid_rec.analysis.reading.arrow_stream import ArrowStream
from pulsoid_rec.recorder.contract.archive_place import ArchivePlace, open_place
from pulsoid_rec.recorder.contract.duckdb_errors import is_lock_error, storage_error
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.contract.owned_files import require_own_folder
from pulsoid_rec.recorder.contract.paths import duckdb_path
from pulsoid_rec.recorder.contract.table_check import (
    check_tables,
    prefer_builtin,
    quote_name,
    require_instants,
    require_readable,
)
from pulsoid_rec.recorder.contract.tables import ARCHIVE_IDENTITY, ARCHIVE_NOTES, SCHEMA_VERSION, TABLES
from pulsoid_rec.recorder.contract.version_1 import ADDED, CHANGED, has_large_configs, parts_of, select_as_current

LOCK_TIMEOUT_S = 30.0
"""How long to wait for a process that writes; a recorder holds the file for some 20 ms every second or two."""

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "512MB",  # enough for each of our reads; DuckDB would use all that it may
    "autoinstall_known_extensions": False,  # they would be downloaded
    "autoload_known_extensions": False,
}

_CHANGEABLE = [
    "TimeZone",
    "threads",
    "memory_limit",
    "enable_progress_bar",
    "enable_progress_bar_print",
    "progress_bar_time",
]
NEWEST_IDENTITY = f"SELECT {{}} FROM {ARCHIVE_IDENTITY.name} ORDER BY noted_at DESC, rowid DESC LIMIT 1"

_confining = threading.Lock()  # as threads that read one file share its settings

_FEW_ROWS = 10_000
_FEW_THREADS = 2  # each takes the names out of a part of large configs of version 1 at a time
_RETRY_DELAY_S = (0.01, 0.1)
# What DuckDB raises for a damaged file, not for a wrong query.
_FILE_FAULTS = (duckdb.IOException, duckdb.InternalException, duckdb.FatalException, duckdb.SerializationException)
_FAULTS = (*_FILE_FAULTS, duckdb.OutOfMemoryException)


@contextmanager
def open_database(
    path: Path | None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    *,
    archive: ArchivePlace | None = None,
    written: Path | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a recording's file read-only, and close it at the end; without a path, one without rows, in memory.

    Meanwhile recorders cannot write to the file, and keep what they receive in their journals. SQL may read `archive`
    besides, by default the place that is noted in the database, if one is; and write the file `written`.

    Raises `StorageError` if it does not exist, is not a DuckDB file, not a recording, of a newer version, damaged or
    not as pulsoid-rec makes it, is still locked after `lock_timeout_s`, or DuckDB has not enough memory.
    """
    connection = duckdb.connect(config=CONFIG) if path is None else _connect(path, lock_timeout_s)
    spill: Path | None = None
    try:
        connection.execute("SET TimeZone = 'UTC'")
        with contextlib.suppress(duckdb.InvalidInputException):  # Jupyter without ipywidgets has no bar
            connection.execute("SET enable_progress_bar_print = false")  # it would mix with our output
        if path is None:
            for table in (*TABLES, *ARCHIVE_NOTES):
                connection.execute(table.ddl)
        else:
            found = check_tables(connection, database_name(connection), path)
            version = require_readable(found, path, hint="Install the newer pulsoid-rec.")
            prefer_builtin(connection, database_name(connection))
            require_instants(connection, database_name(connection), path)
            if version < SCHEMA_VERSION:
                _hide_version_1(connection)
        spill = _make_spill_folder(path)
        with _confining:
            _confine(connection, archive or find_place(connection), written, spill)
        yield connection
    except _FAULTS as error:
        raise storage_error(error, path or Path("the archive"), writing=False) from error
    finally:
        connection.close()
        with contextlib.suppress(OSError):  # another reader uses it
            if spill is not None:
                spill.rmdir()


def read_frame(connection: duckdb.DuckDBPyConnection, sql: str, values: Sequence[Any] = ()) -> pl.DataFrame:
    """Run a query, with `values` as its parameters, and return its rows."""
    # Not by `.pl()`, which needs pyarrow: importing that takes longer than a small report.
    return pl.DataFrame(ArrowStream(connection.sql(sql, params=list(values)).__arrow_c_stream__()))


def database_name(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the name of the open database."""
    [(name,)] = connection.execute(
        "SELECT database_name FROM system.main.duckdb_databases() WHERE NOT internal"
    ).fetchall()
    return str(name)


def database_sql(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the name of the open database, as SQL."""
    return quote_name(database_name(connection))


def find_place(connection: duckdb.DuckDBPyConnection) -> ArchivePlace | None:
    """Return the place that a database has noted; None if nothing of it was archived."""
    try:
        places = connection.execute(NEWEST_IDENTITY.format("place")).fetchall()
    except duckdb.CatalogException:  # of an older version, and never archived
        return None
    return open_place(places[0][0]) if places and places[0][0] else None


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


def _make_spill_folder(path: Path | None) -> Path:
    """Make the folder for what does not fit into memory, the owner's alone: DuckDB would let others read it."""
    folder = Path(".tmp" if path is None else f"{duckdb_path(path)}.tmp").absolute()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        require_own_folder(folder)
        folder.chmod(0o700)
    except OSError:  # it is another user's, or the database is where nothing can be written
        return Path(tempfile.mkdtemp(prefix="pulsoid-rec-"))
    return folder


def _confine(
    connection: duckdb.DuckDBPyConnection, archive: ArchivePlace | None, written: Path | None, spill: Path
) -> None:
    """Let SQL get at no other files than these, for good."""
    if connection.execute("SELECT current_setting('lock_configuration')").fetchall() == [(True,)]:
        return  # as DuckDB shares what is open in one process
    connection.execute("SET allowed_directories = ?", [archive.duckdb_folders() if archive else []])
    connection.execute("SET allowed_paths = ?", [[str(written.absolute())] if written else []])
    connection.execute("SET temp_directory = ?", [str(spill)])
    connection.execute("SET allowed_configs = ?", [_CHANGEABLE])
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")


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
