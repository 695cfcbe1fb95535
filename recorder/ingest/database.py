"""The DuckDB file: opened briefly, its tables created, its version checked, and its errors translated.

While a process has the file open for writing, no other can open it; so it is closed after each use. What is committed
stays in the WAL beside the file until a checkpoint is worth it: each writes half a megabyte or more. Whoever opens the
file reads its WAL too.
"""

import contextlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.duckdb_errors import storage_error
from pulsoid_rec.recorder.contract.errors import DatabaseBusyError, StorageError
from pulsoid_rec.recorder.contract.forgotten import Forgotten, read_forgotten
from pulsoid_rec.recorder.contract.owned_files import is_shared
from pulsoid_rec.recorder.contract.paths import duckdb_path, require_valid_path
from pulsoid_rec.recorder.contract.table_check import check_tables, prefer_builtin, require_readable
from pulsoid_rec.recorder.contract.tables import BOOKKEEPING, SCHEMA_VERSION, TABLES
from pulsoid_rec.recorder.disk.replace import OWNER_ONLY, open_replacement
from pulsoid_rec.recorder.ingest.archive_identity import note_identity
from pulsoid_rec.recorder.ingest.migration import NAME, SCHEMA, migrate, note_version

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,  # recording should not slow the machine down
    "memory_limit": "512MB",
    "storage_compatibility_version": "v1.5.0",  # so that DuckDB 1.5's tools can open the file
    "autoinstall_known_extensions": False,  # no network access
    "autoload_known_extensions": False,
    "temp_directory": "",  # beyond the limit of memory an ingest is made in pieces, rather than on the disk
}

NO_CHECKPOINT = 2**62
"""No WAL has so many bytes."""

_checked: dict[Path, tuple[int, int, int]] = {}
"""The state of each file when its tables were checked last."""

_forgotten: dict[Path, Forgotten] = {}
"""Whom each file has forgotten, as read with that check: a file is replaced when that changes."""

log = logging.getLogger(__name__)

_engines: list[duckdb.DuckDBPyConnection] = []
"""Idle DuckDB instances without a file: starting one takes ten times as long as opening a file with it."""

_LEAVE_WAL = ("SET wal_autocheckpoint = '1TB'", "PRAGMA disable_checkpoint_on_shutdown")
"""DuckDB would make a checkpoint whenever it closes a file, and hide that it failed."""

NEW_FILE = f", BLOCK_SIZE {64 * 2**10}"
"""A checkpoint of few rows writes two or three blocks: 137 KB with these, 520 KB with DuckDB's own of 256 KiB."""

_SMALL_ROW_GROUPS = ", ROW_GROUP_SIZE 2048"
_short_of_memory: set[Path] = set()
"""Files of which a checkpoint needed too much memory: it writes a table's last group of rows anew, up to 122,880 rows,
which may hold 64 KiB each. From then on groups are small; that takes a quarter more space for readings."""

_ATTEMPTS = 10  # to attach a file that is replaced meanwhile
_DESCRIPTORS = 8  # the file, its WAL, a segment, and some that other threads may open meanwhile


class CheckpointError(StorageError):
    """A checkpoint failed: everything committed is safe in the WAL."""


def wal_path(path: Path) -> Path:
    """Return the file with what is committed to a database since its last checkpoint."""
    return Path(duckdb_path(path) + ".wal")


def is_checkpoint_due(path: Path, wal_bytes: int) -> bool:
    """Return whether a database has a WAL of at least so many bytes."""
    try:
        return wal_path(path).stat().st_size >= wal_bytes
    except FileNotFoundError:
        return False


def forgotten_in(path: Path) -> Forgotten:
    """Return whom a database has forgotten, which is open, or was last."""
    return _forgotten.get(path, Forgotten())


@contextmanager
def open_database(path: Path, wal_bytes: int = 0) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file for writing, made with its tables if it does not exist, and close it at the end.

    What was committed is on the disk, in the WAL; if that has `wal_bytes` by then, a checkpoint moves it into the file.

    Raises
    ------
    DatabaseBusyError
        Another process has it open: try again.
    CheckpointError
        The checkpoint failed: what was committed stays in the WAL.
    StorageError
        It is not a DuckDB file, not a recording, of a newer version, damaged, or cannot be written.
    """
    require_valid_path(path)
    with translate_errors(path):
        _require_descriptors()
        if not path.exists():
            _make(path)
        with _attached(path, wal_bytes) as connection:
            _check_schema(connection, path)
            yield connection


@contextmanager
def _attached(path: Path, wal_bytes: int, options: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
    """Attach a file, made if it does not exist, and detach it at the end."""
    if path in _short_of_memory:
        options += _SMALL_ROW_GROUPS
    connection = _engines.pop() if _engines else _start_engine()
    try:
        _attach(connection, path, options)
        prefer_builtin(connection, NAME)
        yield connection
        if is_checkpoint_due(path, wal_bytes):
            _checkpoint(connection, path)
        else:
            with contextlib.suppress(FileNotFoundError):
                wal_path(path).chmod(OWNER_ONLY)
        connection.execute("USE memory")
        connection.execute(f"DETACH {NAME}")
    except BaseException:
        connection.close()  # after some errors DuckDB refuses all further work
        raise
    _engines.append(connection)


def _attach(connection: duckdb.DuckDBPyConnection, path: Path, options: str) -> None:
    """Attach a file, and see that it still is the one of that name.

    DuckDB opens it first and locks it then. If another process put a smaller copy in its place in between, what is
    written to the one that was opened would be gone with it.
    """
    attach = f"ATTACH {quoted(path)} AS {NAME} (TYPE duckdb{options})"
    for _ in range(_ATTEMPTS):
        before = _identity_of(path)
        try:
            connection.execute(attach)
        except duckdb.Error:
            if before in {None, _identity_of(path)}:
                raise
            continue
        if before in {None, _identity_of(path)}:
            return
        connection.execute(f"DETACH {NAME}")
    raise DatabaseBusyError(f"{path} is being replaced again and again", "Retrying until that ends.")


def _identity_of(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another of the same name; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def quoted(path: Path) -> str:
    """Return a database's path as SQL's ATTACH takes it."""
    literal = duckdb_path(path).replace("'", "''")
    return f"'{literal}'"


def _checkpoint(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    try:
        connection.execute(f"CHECKPOINT {NAME}")
    except duckdb.Error as error:
        if "could not allocate" in str(error) or isinstance(error, duckdb.OutOfMemoryException):
            _short_of_memory.add(path)
        fault = storage_error(error, path, writing=True)
        raise CheckpointError(fault.message, fault.hint) from error


def stop_engines() -> None:
    """Stop idle DuckDB instances, so that the memory they keep is freed."""
    while _engines:
        _engines.pop().close()


def _start_engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config=CONFIG)
    for statement in ("SET TimeZone = 'UTC'", *_LEAVE_WAL):
        connection.execute(statement)
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
    if wal_path(path).exists() and not path.exists():
        raise StorageError(
            f"{path} is gone, but not {wal_path(path).name}, which holds its newest rows",
            "Put the database back, or move that file away.",
        )
    with (
        contextlib.suppress(FileExistsError),  # another recorder was faster
        open_replacement(path, sync=True, overwrite=False) as new,
    ):
        new.unlink()  # DuckDB opens no empty file
        with _attached(new, wal_bytes=0, options=NEW_FILE) as connection:
            new.chmod(OWNER_ONLY)
            _make_tables(connection)


def _check_schema(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Make the tables in a file without any, migrate older ones, and raise `StorageError` for newer or other ones."""
    status = path.stat()
    state = (status.st_dev, status.st_ino, status.st_mtime_ns)
    if _checked.get(path) == state:
        return
    found = check_tables(connection, NAME, path)
    tables = f"SELECT 1 FROM duckdb_tables() WHERE database_name = '{NAME}'"
    if found is None and not connection.execute(tables).fetchall():
        _make_tables(connection)
        _forgotten.pop(path, None)
        return
    hint = "Install that newer pulsoid-rec, or choose another file with --db."
    if require_readable(found, path, hint=hint) < SCHEMA_VERSION:
        migrate(connection, path)
    if path not in _checked and is_shared(path):
        log.warning("Others can read %s. Protect it with: chmod 600 '%s'", path, path)
    _forgotten[path] = read_forgotten(connection, path)
    _checked[path] = state


def _make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("BEGIN")
    for table in (*TABLES, *BOOKKEEPING):
        connection.execute(table.ddl_in(SCHEMA))
    note_version(connection)
    note_identity(connection)
    connection.execute("COMMIT")


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise DuckDB's and the system's errors about a file as a `StorageError`."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise storage_error(error, path, writing=True) from error
