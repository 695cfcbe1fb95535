"""The files of an archive: the SQL that writes the rows of a table and day, and reads them back."""

from datetime import date, timedelta
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.archive_files import METADATA_PREFIX, VERSION, ArchiveFile, table_of
from pulsoid_rec.recorder.contract.paths import sql_literal
from pulsoid_rec.recorder.contract.tables import Column, Table

PORTION_ROWS = 5_000_000
"""Rows in one file: sorting and writing them takes some 7 s, in which others wait for the database."""

PORTION_BYTES = 64 * 2**20
"""Bytes of long texts in one file: sorting and writing them takes some 400 MB of memory."""

_ROW_GROUP = 122_880
_LONG = {"config", "raw", "reason", "label"}
_SORTED_BY = ("room_id", "profile_id", "occurred_at", "received_at", "changed_at", "marked_at")
_UNITS = {"TIMESTAMPTZ": "; microseconds since 1970 (UTC)"}


def within(table: Table, day: date) -> str:
    """Return the SQL condition for a table's rows of a day (UTC)."""
    from_us, until_us = (day_us(day, days) for days in (0, 1))
    at = table.time_column
    return f"{at} >= make_timestamptz({from_us}) AND {at} < make_timestamptz({until_us})"


def portion(connection: duckdb.DuckDBPyConnection, file: ArchiveFile) -> str:
    """Return the SQL condition for the rows that a file takes: all of its day, or the first if they are too many.

    Rows that are inserted meanwhile come after these.
    """
    table = table_of(file)
    of_day = f"FROM {table.name} WHERE {within(table, file.day)}"
    texts = [f"coalesce(strlen({column.name}), 0)" for column in table.columns if column.name in _LONG]
    if texts:
        sizes = f"SELECT rowid AS row, ({' + '.join(texts)})::UINTEGER AS size {of_day}"
        totals = f"SELECT row, sum(size) OVER (ORDER BY row) - size AS before FROM ({sizes})"
        first_left = f"SELECT min(row) FROM ({totals}) WHERE before >= {PORTION_BYTES}"
    else:
        first_left = f"SELECT min(rowid) FROM (SELECT rowid {of_day} LIMIT 1 OFFSET {PORTION_ROWS})"
    [(left,)] = connection.execute(first_left).fetchall()
    return within(table, file.day) + ("" if left is None else f" AND rowid < {left}")


def days_before(connection: duckdb.DuckDBPyConnection, table: Table, until: date) -> list[date]:
    """List the days before another one of which a table has rows."""
    at = table.time_column
    range_ = f"{at} >= make_timestamptz({day_us(date.min)}) AND {at} < make_timestamptz({day_us(until)})"
    days = f"SELECT DISTINCT make_timestamp(epoch_us({at}))::DATE FROM {table.name} WHERE {range_} ORDER BY ALL"
    return [day for (day,) in connection.execute(days).fetchall()]


def has_rows(connection: duckdb.DuckDBPyConnection, file: ArchiveFile) -> bool:
    """Return whether the database has rows of a file's table and day."""
    table = table_of(file)
    rows = connection.execute(f"SELECT 1 FROM {table.name} WHERE {within(table, file.day)} LIMIT 1").fetchall()
    return bool(rows)


def write_parquet(connection: duckdb.DuckDBPyConnection, file: ArchiveFile, where: str, path: Path) -> None:
    """Write the database's rows that a file takes, by an SQL condition, to a path."""
    table = table_of(file)
    columns = ", ".join(map(_value, table.columns))
    names = {column.name for column in table.columns}
    order = ", ".join([*(name for name in _SORTED_BY if name in names), "rowid"])
    copy_to_parquet(connection, file, f"SELECT {columns} FROM {table.name} WHERE {where} ORDER BY {order}", path)


def copy_to_parquet(connection: duckdb.DuckDBPyConnection, file: ArchiveFile, select: str, path: Path) -> None:
    """Write what a query selects to a path, as a file of the archive."""
    metadata = ", ".join(f"{sql_literal(key)}: {sql_literal(value)}" for key, value in describe(file).items())
    connection.execute(
        f"COPY ({select})"
        f" TO {sql_literal(str(path))} (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, USE_TMP_FILE false,"
        f" ROW_GROUP_SIZE {_ROW_GROUP}, KV_METADATA {{{metadata}}})"
    )


def describe(file: ArchiveFile) -> dict[str, str]:
    """Return the metadata of a file."""
    about = {
        "table": file.table,
        "day": file.day.isoformat(),
        "recorder": file.recorder,
        "batch": file.batch,
        "version": str(VERSION),
    }
    meanings = {f"meaning.{c.name}": f"{c.meaning}{_UNITS.get(c.type, '')}" for c in table_of(file).columns}
    return {METADATA_PREFIX + key: value for key, value in (about | meanings).items()}


def parquet_sql(pattern: str) -> str:
    """Return the SQL for the rows of a file, given as DuckDB takes it."""
    # No hive partitioning: it would add a column with the day of the folder's name.
    return f"read_parquet({sql_literal(pattern)}, hive_partitioning = false)"


def live_sql(table: Table, where: str) -> str:
    """Return the SQL for the rows of a table in the database, with the types that they have in a file."""
    return f"(SELECT {', '.join(map(_value, table.columns))} FROM {table.name} WHERE {where})"


def fingerprint(connection: duckdb.DuckDBPyConnection, source: str) -> tuple[int, int | None]:
    """Return the number of rows, and a sum of their hashes: the same for the same rows in any order."""
    found = connection.execute(f"SELECT count(*), sum(hash(t)) FROM {source} AS t").fetchall()
    rows, hashes = found[0]
    return rows, hashes


def _value(column: Column) -> str:
    return f"{column.name}::VARCHAR AS {column.name}" if column.type == "JSON" else column.name


def day_us(day: date, days: int = 0) -> int:
    """Return when a day begins, or one so many days later, in microseconds since 1970."""
    since = day - date(1970, 1, 1) + timedelta(days=days)
    return since // timedelta(microseconds=1)
