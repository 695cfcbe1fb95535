"""How a recording of version 1 of the tables reads as one of today's: SQL for migration, ingest and analysis alike."""

from dataclasses import replace

import duckdb

from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.tables import CONNECTION_EVENTS, MARKS, MEMBER_EVENTS, ROOM_EVENTS, Column, Table

CHANGED = (MEMBER_EVENTS, ROOM_EVENTS, CONNECTION_EVENTS)
"""Tables that had other columns; the order of rows and columns is the same."""

ADDED = (MARKS,)
"""Tables that version 1 lacks."""

_CONFIG_BYTES = 2**20
"""Of a config whose name is searched for, which takes a hundred times its size; today's configs are far smaller."""

PART_BYTES = 2**20
"""Of the configs whose names are searched for at once."""

VECTOR_ROWS = 2048
"""Rows that DuckDB works on at once."""

# The text `name` of a config, as `pulsoid.configs` takes it out; a key that is there twice counts the first time.
_NAME = (
    f"CASE WHEN strlen(config) <= {_CONFIG_BYTES} AND json_valid(config) AND json_type(config, '$.name') = 'VARCHAR'"
    f" THEN left(nullif(trim(config ->> '$.name'), ''), {DEFAULT_LIMITS.name_chars}) END"
)
_VALUES = {
    (MEMBER_EVENTS, "name"): _NAME,
    (ROOM_EVENTS, "name"): _NAME,
    (CONNECTION_EVENTS, "changed_at"): '"at"',  # quoted, since DuckDB 2 reserves the word
}


def value_in_version_1(table: Table, column: Column) -> str:
    """Return the SQL of a column's value, from the columns of version 1."""
    return _VALUES.get((table, column.name), f'"{column.name}"')


def table_in_version_1(table: Table) -> Table:
    """Return a table with the columns that it had."""
    had = ((column, value_in_version_1(table, column)) for column in table.columns)
    return replace(table, columns=tuple(replace(c, name=value.strip('"')) for c, value in had if value.startswith('"')))


def select_as_current(table: Table, source: str) -> str:
    """Return the SELECT that gives today's columns of a table of version 1, named `source` in SQL."""
    if table in ADDED:
        nothing = ", ".join(f'NULL::{column.type} AS "{column.name}"' for column in table.columns)
        return f"SELECT {nothing} WHERE false"
    columns = ", ".join(f'{value_in_version_1(table, column)} AS "{column.name}"' for column in table.columns)
    return f"SELECT {columns} FROM {source}"


def parts_of(connection: duckdb.DuckDBPyConnection, table: Table, source: str) -> list[tuple[int, int]]:
    """Return the first and last `rowid` of each part of a table of version 1, named `source` in SQL, in order.

    To take the name out of a config needs a hundred times its size; so the configs of a part have a megabyte or less,
    or are a single one.
    """
    parts = f"SELECT rowid AS id, sum({_size(table)}) OVER (ORDER BY rowid) // {PART_BYTES} AS part FROM {source}"
    return connection.execute(f"SELECT min(id), max(id) FROM ({parts}) GROUP BY part ORDER BY part").fetchall()


def has_large_configs(connection: duckdb.DuckDBPyConnection, table: Table, source: str) -> bool:
    """Return whether a table of version 1 has to be read by `parts_of`, since a vector of it has more than a part."""
    vectors = f"SELECT sum({_size(table)}) AS size FROM {source} GROUP BY rowid // {VECTOR_ROWS}"
    [(largest,)] = connection.execute(f"SELECT max(size) FROM ({vectors})").fetchall()
    return (largest or 0) > PART_BYTES


def _size(table: Table) -> str:
    return "coalesce(strlen(config), 0)" if any(column.name == "config" for column in table.columns) else "0"
