"""Pseudonyms in place of ids, in every query: temporary views take the place of the tables.

What follows, from sessions to charts, never sees an id, nor a name. A row costs a look into a list, by the place of its
id in an ENUM: a join of ten million rows would take as long, and lose their order.
"""

from contextlib import suppress

import duckdb
import polars as pl

from pulsoid_rec.analysis.reading.archive import RECORDED, has_archive, show
from pulsoid_rec.analysis.reading.database import database_sql, read_frame, write_temporary
from pulsoid_rec.analysis.reading.pseudonyms import Kind, Pseudonyms
from pulsoid_rec.recorder.contract.ids import IMPORT_PREFIX, IS_IMPORTED
from pulsoid_rec.recorder.contract.paths import sql_literal
from pulsoid_rec.recorder.contract.tables import BATCH_NOTES, MARKS, TABLES, Column, Table
from pulsoid_rec.recorder.contract.withheld import PATTERN

_KINDS: dict[str, Kind] = {
    "room_id": "room",
    "profile_id": "profile",
    "connection_id": "connection",
    "label": "label",
    "mark_id": "mark",
}
_REASON = f"if(regexp_matches(reason, {sql_literal(PATTERN)}), reason, 'reason left out')"
_LEFT_OUT = {"name": "NULL", "config": "NULL", "reason": _REASON, "raw": "''"}
"""SQL in place of texts in which an id or a name may be."""


def hide_ids(connection: duckdb.DuckDBPyConnection, pseudonyms: Pseudonyms) -> None:
    """Let all queries on an open recording, with its archive if there is one, find pseudonyms in place of ids.

    Raises `UsageError` if two ids have the same pseudonym, `StorageError` if a file of the archive is damaged.
    """
    is_archived = has_archive(connection)
    if is_archived:
        for table in TABLES:
            show(connection, table, unnoted=table is not MARKS)  # of which there are no notes
    for column, kind in _KINDS.items():
        sources = [each for each in (*TABLES, *(BATCH_NOTES if is_archived else ())) if _has(each, column)]
        rows = " UNION ALL ".join(f"SELECT DISTINCT {column} AS id FROM {each.name}" for each in sources)
        ids = read_frame(connection, f"SELECT DISTINCT id FROM ({rows}) WHERE id IS NOT NULL ORDER BY id")["id"]
        _set_list(connection, kind, ids, pl.Series(pseudonyms.make(kind, ids), dtype=pl.String), "VARCHAR")
        if kind == "room":
            rooms = pl.Series(pseudonyms.make(kind, ids), dtype=pl.String)
            moves = pl.Series([pseudonyms.shift(room) for room in rooms], dtype=pl.Duration("us"))
            _set_list(connection, "move", rooms, moves.dt.total_microseconds(), "BIGINT")
            connection.execute("SET VARIABLE move = ?", [round(pseudonyms.shift(None).total_seconds() * 1e6)])
    database = database_sql(connection)
    for table in TABLES:
        connection.execute(f"ALTER VIEW IF EXISTS temp.main.{table.name} RENAME TO {RECORDED}{table.name}")
        source = f"{database}.main.{table.name}"
        connection.execute(f"CREATE TEMP VIEW IF NOT EXISTS {RECORDED}{table.name} AS FROM {source}")
        connection.execute(f"CREATE TEMP VIEW {table.name} AS SELECT {_columns(table)} FROM {RECORDED}{table.name}")
    if is_archived:
        connection.execute("SET VARIABLE view_prefix = ?", [RECORDED])
        for note in BATCH_NOTES:
            with suppress(duckdb.CatalogException):  # nothing was archived: a temporary table without rows
                source = f"{database}.main.{note.name}"
                connection.execute(f"CREATE TEMP VIEW {note.name} AS SELECT {_columns(note)} FROM {source}")


def moved_sql(column: str) -> str:
    """Return the SQL of an instant of a table, moved as `Pseudonyms.move` does."""
    by_us = "CASE WHEN room_id IS NULL THEN getvariable('move') ELSE " + _look_up("room_id", "move") + " END"
    return f"greatest({column} - to_microseconds({by_us}), '0001-01-01'::TIMESTAMPTZ)"


def _has(table: Table, name: str) -> bool:
    return any(column.name == name for column in table.columns)


def _set_list(connection: duckdb.DuckDBPyConnection, kind: str, ids: pl.Series, values: pl.Series, type_: str) -> None:
    """Keep what belongs to each id: its place in the type `KIND_ids` is that of its value in the variable `KINDs`."""
    write_temporary(connection, "listed", f"id VARCHAR, value {type_}", pl.DataFrame({"id": ids, "value": values}))
    connection.execute(f"CREATE TEMP TYPE {kind}_ids AS ENUM (SELECT id FROM listed ORDER BY id)")
    connection.execute(f"SET VARIABLE {kind}s = (SELECT list(value ORDER BY id) FROM listed)")
    connection.execute("DROP TABLE listed")


def _look_up(column: str, kind: str) -> str:
    return f"getvariable('{kind}s')[1 + enum_code(TRY_CAST({column} AS {kind}_ids))]"


def _columns(table: Table) -> str:
    return ", ".join(f'{_value(column)} AS "{column.name}"' for column in table.columns)


def _value(column: Column) -> str:
    if column.name in _LEFT_OUT:
        return (
            "NULL::VARCHAR" if column.null and column.name == "reason" else f"{_LEFT_OUT[column.name]}::{column.type}"
        )
    kind = _KINDS.get(column.name)
    if kind is None:
        return f'"{column.name}"'
    # Of an id that is not listed the row must not be lost, nor the id be in the error that a cast would raise.
    value = f"coalesce({_look_up(column.name, kind)}, error('an id is not listed'))"
    if kind == "connection":
        value = f"if({IS_IMPORTED}, '{IMPORT_PREFIX}', '') || {value}"
    return f"CASE WHEN {column.name} IS NOT NULL THEN {value} END" if column.null else value
