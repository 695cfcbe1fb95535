"""The SQL of an export: a table's rows of some rooms, sessions and time, with names beside ids."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import polars as pl

from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.session_events import session_bounds
from pulsoid_rec.analysis.reading.hidden_ids import moved_sql
from pulsoid_rec.recorder.contract.display import CONTROLS
from pulsoid_rec.recorder.contract.paths import sql_literal
from pulsoid_rec.recorder.contract.tables import HEART_RATE, Column, Table

NAME = Column(
    "name", "VARCHAR", "the member's name: of members.toml, else of the latest config, else the id's first 8 characters"
)

MEMBER_KEY = "room_id || chr(10) || profile_id"  # SQL of both ids of a member, joined by a character that no id has
_INSTANT = "TIMESTAMP WITH TIME ZONE"  # DuckDB's name of `TIMESTAMPTZ` in what DESCRIBE returns
_CONTROLS = CONTROLS.pattern.replace("\x01-\x1f", "\x01-\x08\x0b\x0c\x0e-\x1f")
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
_BEGINS_FORMULA = r"=+\-@\t\r\n"  # within a character class


class Range(NamedTuple):
    """A range of time of a room, in microseconds since 1970, the end exclusive; None for every room, or no bound."""

    room_id: str | None
    from_us: int | None
    until_us: int | None


def exported_columns(table: Table) -> list[Column]:
    """Return a table's columns as they are exported: with a member's name after the id, not that of each config."""
    names = [column.name for column in table.columns]
    if "profile_id" not in names:
        return list(table.columns)
    columns = [column for column in table.columns if column.name != NAME.name]
    columns.insert(names.index("profile_id") + 1, NAME)
    return columns


def table_query(table: Table, wanted: Filter, ranges: Sequence[Range] | None, *, move: bool = False) -> str:
    """Return the SQL of a table's export, which streams its rows and keeps their order.

    With `move`, times are moved, and rows are ordered by room: their order would give away when which room sent what.

    It looks up names by a type `member`, the ENUM of all `MEMBER_KEY`, and a variable `names`, the list of names in its
    order: a join keeps no order, and a MAP is searched from the beginning for each row. Of `wanted` it heeds rooms and
    range of time; `ranges` is the time of the sessions to export, None for all rows.
    """
    selected = [Range(room, wanted.since_us, wanted.until_us) for room in wanted.rooms or (None,)]
    condition = _within_any(table, selected)
    if ranges is not None:
        condition += f" AND {_within_any(table, ranges)}"
    columns = ", ".join(_value(column, move=move) for column in exported_columns(table))
    order = f' ORDER BY {table.name}.room_id, {table.name}."{table.time_column}"' if move else ""
    return f"SELECT {columns} FROM {table.name} WHERE {condition}{order}"


def session_ranges(selected: pl.DataFrame, sessions: pl.DataFrame, table: Table) -> list[Range]:
    """Return the time of the `selected` of `sessions`: for readings their own, for events that of `session_bounds`."""
    if table is HEART_RATE:
        bounds = sessions.with_columns(from_at="started_at", until_at=pl.col("ended_at") + pl.duration(microseconds=1))
    else:
        bounds = session_bounds(sessions)
    ranges = bounds.sort("room_id", "session").join(
        selected, on=["room_id", "session"], how="semi", maintain_order="left"
    )
    return [Range(*row) for row in ranges.select("room_id", pl.col("from_at", "until_at").dt.epoch("us")).iter_rows()]


def csv_query(query: str, columns: Iterable[tuple[str, str]]) -> str:
    """Return the SQL of a query for CSV, with instants as ISO 8601 with `Z`; `columns` are its names and SQL types."""
    values = [
        f"""strftime("{name}", '%Y-%m-%dT%H:%M:%S.%fZ') AS "{name}\"""" if kind == _INSTANT else f'"{name}"'
        for name, kind in columns
    ]
    return f"SELECT {', '.join(values)} FROM ({query})"


def excel_query(query: str, columns: Iterable[tuple[str, str]]) -> str:
    """Return the SQL of a query for a CSV file that Excel opens; parameters as of `csv_query`.

    The first heading begins with a byte order mark, without which Excel takes UTF-8 for an 8-bit code. Instants are UTC
    to the millisecond, in the form that it takes for a time. A text that it would take for a formula, by its first
    character (OWASP, CSV injection), begins with an apostrophe. Controls are replaced, as on a terminal,
    but for those that a cell may have: tabs and ends of lines.
    """
    values = list[str]()
    for name, kind in columns:
        value = f'"{name}"'
        if kind == _INSTANT:
            value = f"strftime({value}, '%Y-%m-%d %H:%M:%S.%g')"
        elif kind == "VARCHAR":
            value = f"regexp_replace({value}, {sql_literal(_CONTROLS)}, '\ufffd', 'g')"
            value = f"if(regexp_matches({value}, '^[{_BEGINS_FORMULA}]'), chr(39) || {value}, {value})"
        values.append(f'{value} AS "{"" if values else _BYTE_ORDER_MARK}{name}"')
    return f"SELECT {', '.join(values)} FROM ({query})"


def _value(column: Column, *, move: bool) -> str:
    if move and column.type == "TIMESTAMPTZ":
        return f'{moved_sql(column.name)} AS "{column.name}"'
    if column is NAME:
        return f"getvariable('names')[1 + enum_code(({MEMBER_KEY})::member)] AS name"
    # JSON is exported as text: other programs read Parquet's JSON as bytes.
    return f'"{column.name}"::VARCHAR AS "{column.name}"' if column.type == "JSON" else f'"{column.name}"'


def _within_any(table: Table, ranges: Iterable[Range]) -> str:
    at = f'"{table.time_column}"'
    conditions = ["false"]
    for room_id, from_us, until_us in ranges:
        within = [
            *([f"room_id = {sql_literal(room_id)}"] if room_id is not None else []),
            *([f"{at} >= make_timestamptz({from_us})"] if from_us is not None else []),
            *([f"{at} < make_timestamptz({until_us})"] if until_us is not None else []),
        ]
        conditions.append(" AND ".join(within) or "true")
    return f"({' OR '.join(conditions)})"
