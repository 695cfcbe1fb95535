"""The archive of a recording: its files and the rows that are still in the database read as one table each.

A temporary view takes the place of a table. It has the rows of the database, and those of the days that `show` was
asked for last: each read says what it needs, since to open a file takes a tenth of a millisecond, and an archive may
have thousands. What all days are needed for, such as the numbers of sessions, comes from what the database has noted.

Why no row is read twice: whoever archives has the database open for writing while it commits that it will write a file,
and again while it notes the file and deletes its rows. Neither can happen while a reader has it open. So of the files
that a reader lists once it has opened the database, those that are noted have left it, and of those that are not noted
yet the rows are still in it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import duckdb
import polars as pl

from pulsoid_rec.analysis.reading.archive_check import check_files
from pulsoid_rec.analysis.reading.database import NEWEST_IDENTITY, database_sql
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile
from pulsoid_rec.recorder.contract.archive_place import ArchivePlace, open_place
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.tables import (
    ARCHIVE_BATCHES,
    ARCHIVE_NOTES,
    TABLES,
    Table,
)
from pulsoid_rec.recorder.contract.wording import format_count

_PUT_BACK = "Put it back from a backup; `archive --check` finds all that differ."
_MARGIN = timedelta(hours=1)  # what is just beside a range of time is read, too


class _Listed(NamedTuple):
    """A file as `archive_files` has it, a temporary table. A `fault` is what is wrong with it, as an error says it."""

    table_name: str
    day: date
    recorder: str
    batch: str
    is_noted: bool
    is_checked: bool
    fault: str | None = None
    remedy: str | None = None

    @property
    def file(self) -> ArchiveFile:
        """Which one it is."""
        return ArchiveFile(*self[:4])


_COLUMNS = (
    "table_name VARCHAR, day DATE, recorder VARCHAR, batch VARCHAR, is_noted BOOLEAN, is_checked BOOLEAN,"
    " fault VARCHAR, remedy VARCHAR"
)


@contextmanager
def attach_archive(
    connection: duckdb.DuckDBPyConnection, place: ArchivePlace, *, is_named: bool, say: Callable[[str], None]
) -> Iterator[None]:
    """Attach an archive to an open database, until the block ends; its files are listed, and none is opened.

    Parameters
    ----------
    connection
        Open on a recording, as by `database.open_database`.
    place
        The archive.
    is_named
        Whether the user named the place. Else it may be gone: that is an error of the first read that needs a file.
    say
        Called with what the user should know of the files.

    Raises
    ------
    StorageError
        The place that the user named cannot be read; or a file cannot, in the block.
    """
    database = database_sql(connection)
    for table in TABLES:
        # Of a database of version 1, a view is in the table's place already.
        connection.execute(f"ALTER VIEW IF EXISTS temp.main.{table.name} RENAME TO live_{table.name}")
        connection.execute(f"CREATE TEMP VIEW IF NOT EXISTS live_{table.name} AS FROM {database}.main.{table.name}")
        connection.execute(_view(table, ()))
    for note in ARCHIVE_NOTES:
        try:
            connection.execute(f"FROM {note.name} LIMIT 0")
        except duckdb.CatalogException:  # nothing of this database was archived
            connection.execute(note.ddl.replace("CREATE TABLE", "CREATE TEMP TABLE", 1))
    connection.execute(f"CREATE TEMP TABLE archive_files ({_COLUMNS})")
    files = _list_files(connection, place, is_named, say)
    if files:
        with connection.appender("temp.main.archive_files") as appender:
            appender.append_rows(files)
    if is_named or not place.is_remote:
        place.register(connection)
    connection.execute("SET VARIABLE archive = ?", [place.text])
    try:
        yield
    except (duckdb.Error, pl.exceptions.ComputeError) as error:  # the second where polars reads what DuckDB streams
        # Of a damaged page, DuckDB may name no file.
        if place.text not in str(error) and "TProtocolException" not in str(error):
            raise
        reason = str(error).splitlines()[0]
        raise StorageError(f"Cannot read the archive {place.text}: {reason}", _PUT_BACK) from error


def has_archive(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether an archive is attached."""
    return connection.execute("SELECT getvariable('archive')").fetchall() != [(None,)]


def show(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    since_us: int | None = None,
    until_us: int | None = None,
    *,
    days: pl.Series | None = None,
    unnoted: bool = False,
) -> bool:
    """Show the rows of a table that are still in the database, and the archived ones of some days.

    Without an archive it does nothing.

    Parameters
    ----------
    connection
        Open on a recording.
    table
        Which one.
    since_us, until_us
        In microseconds since 1970, the second exclusive: only days with a part of this range; None is no bound.
    days
        Only these.
    unnoted
        Only what the database has no notes of: the files of other recorders.

    Returns
    -------
    Whether there is an archive.

    Raises
    ------
    StorageError
        A file of these days is missing or damaged, or is none of the archive's.
    """
    if not has_archive(connection):
        return False
    conditions, values = ["table_name = $1"], list[object]([table.name])
    for value, condition in (
        (since_us, "day >= make_timestamp({})::DATE"),
        (None if until_us is None else until_us - 1, "day <= make_timestamp({})::DATE"),
        (None if days is None else days.unique().to_list(), "list_contains({}::DATE[], day)"),
        (True if unnoted else None, "{} != is_noted"),
    ):
        if value is not None:
            values.append(value)
            conditions.append(condition.format(f"${len(values)}"))
    where = " AND ".join(conditions)
    order = "day, recorder, batch"
    found = connection.execute(f"FROM archive_files WHERE {where} ORDER BY {order}", values).fetchall()
    files = [_Listed(*row) for row in found]
    _require_sound(files)
    [(text,)] = connection.execute("SELECT getvariable('archive')").fetchall()
    place = open_place(text)
    if unchecked := [place.duckdb_path(each.file) for each in files if not each.is_checked]:
        check_files(connection, unchecked)
        connection.execute(f"UPDATE archive_files SET is_checked = true WHERE {where}", values)
    connection.execute(_view(table, [place.duckdb_path(each.file) for each in files]))
    return True


def show_all(connection: duckdb.DuckDBPyConnection) -> None:
    """Show all rows of all tables."""
    for table in TABLES:
        show(connection, table)


def has_files(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """Return whether there is an archive with files of a table."""
    if not has_archive(connection):
        return False
    return bool(connection.execute("FROM archive_files WHERE table_name = ? LIMIT 1", [table.name]).fetchall())


def days_of(buckets: pl.DataFrame) -> pl.Series:
    """Return the days of readings, by the `first_at` and `last_at` of their buckets."""
    return pl.concat([buckets["first_at"].dt.date(), buckets["last_at"].dt.date()]).unique()


def _list_files(
    connection: duckdb.DuckDBPyConnection, place: ArchivePlace, is_named: bool, say: Callable[[str], None]
) -> list[_Listed]:
    names = connection.execute(NEWEST_IDENTITY.format("recorder")).fetchall()
    noted = {
        ArchiveFile(table, day, recorder, batch): size
        for table, day, recorder, batch, size in connection.execute(
            'SELECT table_name, "day", recorder, batch, CASE WHEN noted_at IS NOT NULL THEN "bytes" END'
            f" FROM {ARCHIVE_BATCHES.name}"
        ).fetchall()
    }
    gone: StorageError | None = None
    there: dict[ArchiveFile, int] = {}
    try:
        there = _list_trusted(place, {name for (name,) in names} | {file.recorder for file in noted}, is_named=is_named)
    except StorageError as error:
        if is_named:
            raise
        gone = error
    unknown = [file for file in there if file not in noted and (file.recorder,) in names]
    if unknown:
        say(
            f"{format_count(len(unknown), 'file')} of the archive {place.text} {'is' if len(unknown) == 1 else 'are'}"
            " under this database's name, but not noted in it: it is a copy, or an older state. Their rows are included"
        )

    files = [
        _Listed(file.table, file.day, file.recorder, file.batch, is_noted=False, is_checked=False)
        for file in there
        if file not in noted
    ]
    for file, size in noted.items():
        if size is None:
            continue  # only an intent: its rows are still in the database
        fault, remedy = None, _PUT_BACK
        if gone is not None:
            fault, remedy = gone.message, gone.hint
        elif file not in there:
            fault = f"{file.path} is missing in the archive {place.text}"
        elif there[file] != size:
            fault = f"{file.path} in the archive {place.text} has {there[file]:,} bytes, and had {size:,}"
        files.append(
            _Listed(
                file.table,
                file.day,
                file.recorder,
                file.batch,
                is_noted=True,
                is_checked=True,
                fault=fault,
                remedy=remedy,
            )
        )
    return files


def _list_trusted(place: ArchivePlace, recorders: set[str], *, is_named: bool) -> dict[ArchiveFile, int]:
    """List the files of an archive, unless a recording from somebody else may have noted it to get at what is there.

    A bucket would see requests that are signed with the user's keys. A folder may be the archive of the user's own
    recordings; that it is this recording's shows in the names of its files, which nobody can guess.
    """
    remedy = f"If it is this recording's, name it: --archive {place.text}"
    if place.is_remote and not is_named:
        raise StorageError(f"The archive {place.text} is on another machine, and only the file names it", f"{remedy}.")
    there = place.list_files()
    if not is_named and there and not any(file.recorder in recorders for file in there):
        raise StorageError(f"The archive {place.text} has nothing of this recording", f"{remedy}.")
    return there


def _require_sound(files: Sequence[_Listed]) -> None:
    """Raise `StorageError` for the first of these files that has a fault, with what can be read without it."""
    faulty = [file for file in files if file.fault]
    if not faulty:
        return
    first, last = faulty[0], faulty[-1]
    options = ["--session"]
    with suppress(OverflowError):
        options.append(f"--since {(_midnight(last.day) + timedelta(days=1) + _MARGIN).isoformat()[:16]}Z")
    with suppress(OverflowError):
        options.append(f"--until {(_midnight(first.day) - _MARGIN).isoformat()[:16]}Z")
    days = str(first.day) if first.day == last.day else f"{first.day} to {last.day}"
    raise StorageError(
        str(first.fault),
        f"{first.remedy} What does not touch {days} can be read without: choose with {' or '.join(options)}.",
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _view(table: Table, paths: Iterable[str]) -> str:
    """Return the statement that makes the view of a table and these files."""
    live = f"FROM live_{table.name}"
    literals = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    columns = ", ".join(
        f'"{column.name}"::JSON AS "{column.name}"' if column.type == "JSON" else f'"{column.name}"'
        for column in table.columns
    )
    archived = (
        f"SELECT {columns} FROM read_parquet([{literals}], hive_partitioning = false, union_by_name = false) UNION ALL "
    )
    return f"CREATE OR REPLACE TEMP VIEW {table.name} AS {archived if literals else ''}{live}"
