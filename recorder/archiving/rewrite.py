"""Copy a database into a new file that takes its place: the old one keeps the space and bytes of deleted rows."""

import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import duckdb

from pulsoid_rec.recorder.archiving.access import open_when_free
from pulsoid_rec.recorder.archiving.parquet import fingerprint
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.journal_files import LOCK_SUFFIX, journal_folder
from pulsoid_rec.recorder.contract.paths import follow_link
from pulsoid_rec.recorder.contract.table_check import quote_name
from pulsoid_rec.recorder.disk.lock_file import is_locked
from pulsoid_rec.recorder.disk.replace import OWNER_ONLY, open_replacement, remove_leftovers
from pulsoid_rec.recorder.ingest.database import NEW_FILE, NO_CHECKPOINT, quoted, translate_errors, wal_path
from pulsoid_rec.recorder.ingest.migration import NAME

_NEW = "rewritten"
_NONE: Mapping[str, str] = MappingProxyType({})
_REPLACES_OPEN_FILES = sys.platform != "win32"
_TABLES = (
    "SELECT schema_name, table_name FROM duckdb_tables()"
    f" WHERE database_name = '{NAME}' AND NOT internal AND NOT temporary ORDER BY ALL"
)
_USED_BYTES = f"SELECT used_blocks * block_size FROM pragma_database_size() WHERE database_name = '{NAME}'"


def rewrite(
    database: Path,
    kept: Mapping[str, str] = _NONE,
    *,
    changed: Mapping[str, str] = _NONE,
    add: Callable[[duckdb.DuckDBPyConnection, str], object] = lambda *_: None,
    inspect: Callable[[Path], object] = lambda _: None,
) -> tuple[int, int]:
    """Copy a database into a new file, compare both, and put that in its place; return its bytes before and after.

    Recorders wait meanwhile; `only_run` keeps others from rewriting it. Killed at any instant, the one or the other is
    there as a whole.

    Parameters
    ----------
    database
        The file, or a link to it.
    kept
        By table, an SQL condition for the rows that are kept; of the other tables, and of the user's own, all are.
    changed
        By table, what SQL selects of these rows instead of `*`.
    add
        Called with the connection and the new file's schema, as `new.main.`, once all rows are copied and compared.
    inspect
        Called with the path of the new file when it is complete, before it takes the old one's place.

    Raises
    ------
    DatabaseBusyError
        Another process keeps the database open. It is unchanged.
    StorageError
        There is not enough space, or the copy differs. The database is unchanged.
    """
    database = follow_link(database)

    def select(schema: str, name: str, place: str) -> str:
        if schema != "main":
            return place
        return f"(SELECT {changed.get(name, '*')} FROM {place} WHERE {kept.get(name, 'true')})"

    with translate_errors(database):
        remove_leftovers(database)
    if _REPLACES_OPEN_FILES:
        # It is replaced before it is closed: no recorder can write to the old one in between.
        with (
            open_when_free(database, NO_CHECKPOINT) as connection,
            open_replacement(database, sync=True) as new,
        ):
            before = _copy(connection, database, new, select, add)
            inspect(new)
    else:
        _require_no_recorder(database)
        with translate_errors(database), open_replacement(database, sync=True) as new:
            with open_when_free(database, NO_CHECKPOINT) as connection:
                before = _copy(connection, database, new, select, add)
                inspect(new)
                written_at = database.stat().st_mtime_ns
            if wal_path(database).exists() or database.stat().st_mtime_ns != written_at:
                raise StorageError(f"A recorder wrote to {database} meanwhile", "Run this again when it has ended.")
    return before, database.stat().st_size


def _copy(
    connection: duckdb.DuckDBPyConnection,
    database: Path,
    new: Path,
    select: Callable[[str, str, str], str],
    add: Callable[[duckdb.DuckDBPyConnection, str], object],
) -> int:
    """Copy the database that is in use, without a WAL afterwards, to a new file; return its bytes."""
    connection.execute(f"CHECKPOINT {NAME}")
    if wal_path(database).exists():
        raise StorageError(f"The newest rows of {database} stay in its WAL", "Run this again; nothing was changed.")
    _require_space(connection, database)
    new.unlink()  # DuckDB opens no empty file
    connection.execute(f"ATTACH {quoted(new)} AS {_NEW} (TYPE duckdb{NEW_FILE})")
    new.chmod(OWNER_ONLY)
    connection.execute(f"COPY FROM DATABASE {NAME} TO {_NEW} (SCHEMA)")
    for table in connection.execute(_TABLES).fetchall():
        place = ".".join(map(quote_name, table))
        source = select(table[0], table[1], f"{NAME}.{place}")
        try:
            connection.execute(f"INSERT INTO {_NEW}.{place} FROM {source}")
        except (duckdb.BinderException, duckdb.ConstraintException) as error:  # its columns are computed, for one
            raise StorageError(
                f"{'.'.join(table)} of {database}, a table of your own, cannot be copied: {str(error).splitlines()[0]}",
                "Move it to a file of its own, and run this again; nothing was changed.",
            ) from error
        if fingerprint(connection, source) != fingerprint(connection, f"{_NEW}.{place}"):
            raise StorageError(f"The copy of {database} differs from it", "Check the disk. The database is unchanged.")
    add(connection, f"{_NEW}.main.")
    connection.execute(f"CHECKPOINT {_NEW}")
    connection.execute(f"DETACH {_NEW}")
    return database.stat().st_size


def _require_space(connection: duckdb.DuckDBPyConnection, database: Path) -> None:
    [(used_bytes,)] = connection.execute(_USED_BYTES).fetchall()
    free_bytes = shutil.disk_usage(database.absolute().parent).free
    if free_bytes < used_bytes:
        raise StorageError(
            f"The copy of {database} needs up to {used_bytes / 1e6:,.1f} MB, and {free_bytes / 1e6:,.1f} MB are free",
            "Free some space, and run this again; the database is unchanged.",
        )


def _require_no_recorder(database: Path) -> None:
    if any(map(is_locked, journal_folder(database).glob(f"*{LOCK_SUFFIX}"))):
        raise StorageError(
            f"{database} cannot be replaced on Windows while a recorder runs", "Run this again when it has ended."
        )
