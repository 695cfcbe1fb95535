"""Insert a segment's file into the tables, in one transaction together with a note of it.

Lines were parsed when they were received, so this is one pass of DuckDB's JSON reader for each table, outside Python.
"""

import contextlib
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.paths import duckdb_pattern
from pulsoid_rec.recorder.contract.tables import INGESTED_SEGMENTS, REJECTED_MESSAGES, TABLES, Column, Table
from pulsoid_rec.recorder.contract.version_1 import value_in_version_1
from pulsoid_rec.recorder.journal.segment import FORMAT_VERSION, Scan

_JSON_TYPES = {"TIMESTAMPTZ": "BIGINT", "JSON": "VARCHAR"}


def insert_file(connection: duckdb.DuckDBPyConnection, note: str, path: Path, found: Scan) -> dict[str, int]:
    """Insert a file's rows and a note in `ingested_segments` in one transaction: all of its lines, or none.

    Returns the number of rows by table.
    """
    source = [duckdb_pattern(path), max(2**20, found.longest_bytes + 1)]
    connection.execute("BEGIN")
    try:
        # Most segments hold only readings, and each statement costs a millisecond even without a row.
        rows = {
            name: _count(connection.execute(insert, source))
            for name, insert in _INSERTS[found.version].items()
            if name in found.tables
        }
        if sum(rows.values()) < found.rows:
            rejected = _count(connection.execute(_INSERT_INVALID, source))
            rows[REJECTED_MESSAGES.name] = rows.get(REJECTED_MESSAGES.name, 0) + rejected
        inserted = sum(rows.values())
        if inserted != found.rows:
            message = f"{found.rows} rows, of which {inserted} can be inserted"
            raise duckdb.InvalidInputException(message)  # noqa: TRY301 - to be rolled back below
        connection.execute(f"INSERT INTO {INGESTED_SEGMENTS.name} VALUES (?, ?, now())", [note, found.rows])
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(duckdb.Error):  # the error may have ended the transaction already
            connection.execute("ROLLBACK")
        raise
    return rows


def _count(changed: duckdb.DuckDBPyConnection) -> int:
    return int(changed.fetchall()[0][0])


def _lines_of(*tables: Table) -> str:
    """Return the SQL for a file's lines as a table, with the columns of some tables."""
    types = {column.name: _JSON_TYPES.get(column.type, column.type) for table in tables for column in table.columns}
    types |= {"table": "VARCHAR", "at": "BIGINT"}  # `at`: of version 1
    columns = ", ".join(f"'{name}': '{type_}'" for name, type_ in types.items())
    # No hive partitioning: in a folder called `room_id=7` every row would get that for its room.
    options = "format = 'newline_delimited', hive_partitioning = false, maximum_object_size = ?"
    return f"read_json(?, {options}, columns = {{{columns}}})"


def _insert_statement(table: Table, version: int) -> str:
    columns = ", ".join(_value(table, column, version) for column in table.columns)
    valid = f" AND {_VALID}" if table in _WITH_CONFIG else ""
    return f"INSERT INTO {table.name} SELECT {columns} FROM {_lines_of(table)} WHERE \"table\" = '{table.name}'{valid}"


def _value(table: Table, column: Column, version: int) -> str:
    """Return the SQL of a column's value, also of lines of version 1, which lack some."""
    value, older = f'"{column.name}"', value_in_version_1(table, column)
    # A name is searched for in a config only where it may be: that takes a hundred times the config's memory.
    if older != value and (version == 1 or not column.null):
        value = f"coalesce({value}, {older})"
    return f"make_timestamptz({value})" if column.type == "TIMESTAMPTZ" else value


# JSON that msgspec accepts and DuckDB does not (a number that is too large) is kept as a rejected message.
_VALID = "(config IS NULL OR json_valid(config))"
_WITH_CONFIG = tuple(table for table in TABLES if any(column.name == "config" for column in table.columns))
_IS_LONG = f"strlen(raw) > {DEFAULT_LIMITS.raw_bytes}"
_START = f"left(raw, {DEFAULT_LIMITS.raw_bytes // 4})"  # a character has at most 4 bytes
_INSERT_INVALID = (
    f"INSERT INTO {REJECTED_MESSAGES.name} SELECT room_id, connection_id, make_timestamptz(received_at), "
    f"'DuckDB cannot parse `config` as JSON' || CASE WHEN {_IS_LONG} THEN "
    f"format('; of {{:,}} bytes the first {{:,}} are kept', strlen(raw), strlen({_START})) ELSE '' END, "
    f"CASE WHEN {_IS_LONG} THEN {_START} ELSE raw END "
    f"FROM {_lines_of(*_WITH_CONFIG, REJECTED_MESSAGES)} WHERE NOT {_VALID}"
)
_INSERTS = {
    version: {table.name: _insert_statement(table, version) for table in TABLES}
    for version in range(1, FORMAT_VERSION + 1)
}
