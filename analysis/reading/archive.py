"""The archive of a recording: its files and the rows that are still in the database read as one table each.

A temporary view takes the place of a table. It has the rows of the database, and those of the days of the last call of
`show`: each read gives the days that it needs, since to open a file takes a tenth of a millisecond, and an archive may
have thousands. What needs all days, such as the numbers of sessions, comes from what is noted in the database.

Why no row is read twice: whoever archives has the database open for writing while it commits that it will write a file,
and again while it notes the file and deletes its rows. Neither can happen while a reader has it open. So of the files
that a reader lists once it has opened the database, those that are noted have left it, and of those that are not noted
yet the rows are still in it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import duckdb
import polars as pl

from pulsoid_rec.analysis.reading.archive_damage import MOVE_OUT, POSSIBLE_FAULTS, raise_for_damage
from pulsoid_rec.analysis.reading.archive_listing import COLUMNS, PUT_BACK, Listed, list_files, require_sound
from pulsoid_rec.analysis.reading.database import database_sql
from pulsoid_rec.analysis.reading.left_out import left_out_sql, note_forgotten
from pulsoid_rec.recorder.contract.archive_check import find_faults
from pulsoid_rec.recorder.contract.archive_files import rows_sql
from pulsoid_rec.recorder.contract.archive_place import ArchiveFolder, ArchivePlace, open_place
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.paths import sql_literal
from pulsoid_rec.recorder.contract.tables import ARCHIVE_NOTES, TABLES, Table

RECORDED = "recorded_"
"""What the names of views begin with that have the rows as recorded, where others have pseudonyms."""


@contextmanager
def attach_archive(
    connection: duckdb.DuckDBPyConnection, place: ArchivePlace, *, is_named: bool, warn: Callable[[str], None]
) -> Iterator[None]:
    """Attach an archive to an open database, until the block ends; its files are listed, and none is opened.

    `warn` is called with what the user should know of the files. Raises `StorageError` if a place that the user named
    (`is_named`) cannot be read, and in the block if a file cannot. A place that is only noted in the database may be
    gone: the first read that needs a file of it fails.
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
    connection.execute(f"CREATE TEMP TABLE archive_files ({COLUMNS})")
    files = list_files(connection, place, is_named=is_named, warn=warn)
    if files:
        with connection.appender("temp.main.archive_files") as appender:
            appender.append_rows(files)
    if is_named or place.is_trusted:
        place.register(connection)
    connection.execute("SET VARIABLE archive = ?", [place.text])
    note_forgotten(connection, warn)
    try:
        yield
    except POSSIBLE_FAULTS as error:
        if is_named or place.is_trusted:
            raise_for_damage(error, place, files)
        raise


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

    These are the days with a part of the range from `since_us` to `until_us`, exclusive (microseconds since 1970), and
    among `days`. With `unnoted` only files are shown that the database has no notes of: those of other recorders.

    Returns whether there is an archive; without one it does nothing. Raises `StorageError` if a file of these days is
    missing or damaged, or is none of the archive's.
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
    listed = connection.execute(f"FROM archive_files WHERE {where} ORDER BY {order}", values).fetchall()
    files = [Listed(*row) for row in listed]
    require_sound(files)
    variables = "SELECT getvariable('archive'), getvariable('view_prefix')"
    [(text, prefix)] = connection.execute(variables).fetchall()
    place = open_place(text)
    if unchecked := [each for each in files if not each.is_checked]:
        _check(connection, place, unchecked)
        connection.execute(f"UPDATE archive_files SET is_checked = true WHERE {where}", values)
    noted, others = (
        [place.duckdb_path(each.file) for each in files if each.is_noted == is_noted] for is_noted in (True, False)
    )
    left_out = left_out_sql(connection, table, others)
    paths = (noted, others, left_out) if left_out else ([*noted, *others],)
    connection.execute(_view(table, *paths, prefix=prefix or ""))
    return True


def _check(connection: duckdb.DuckDBPyConnection, place: ArchivePlace, files: Sequence[Listed]) -> None:
    """Raise `StorageError` if a noted file is not as it was written, or another one is none of the archive's.

    Damage may read as other numbers. SHA-256 takes half a second for 100 million readings; what is on another machine
    would have to be fetched as a whole.
    """
    if isinstance(place, ArchiveFolder):
        for each in files:
            if each.is_noted and place.sha256_of(each.file) != each.sha256:
                fault = f"{place.name_of(each.file)} is damaged: it is not as it was written"
                require_sound([each._replace(fault=fault, remedy=PUT_BACK)])
    others = [place.duckdb_path(each.file) for each in files if not each.is_noted]
    for path, fault in find_faults(connection, others) if others else ():
        raise StorageError(f"{path} {fault}", MOVE_OUT)


def has_files(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """Return whether there is an archive with files of a table."""
    if not has_archive(connection):
        return False
    return bool(connection.execute("FROM archive_files WHERE table_name = ? LIMIT 1", [table.name]).fetchall())


def days_of(buckets: pl.DataFrame) -> pl.Series:
    """Return the days of readings, by the `first_at` and `last_at` of their buckets."""
    return pl.concat([buckets["first_at"].dt.date(), buckets["last_at"].dt.date()]).unique()


def _view(
    table: Table, paths: Sequence[str], others: Sequence[str] = (), left_out: str = "", *, prefix: str = ""
) -> str:
    """Return the statement that makes the view of a table and these files, and others without the rows left out.

    The view's name begins with `prefix`.
    """
    sources = [f"FROM live_{table.name}"]
    for files, where in ((others, f" WHERE NOT coalesce({left_out}, false)"), (paths, "")):
        if files:
            sources.insert(0, rows_sql(table, ", ".join(map(sql_literal, files))) + where)
    return f"CREATE OR REPLACE TEMP VIEW {prefix}{table.name} AS {' UNION ALL '.join(sources)}"
