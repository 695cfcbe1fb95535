"""What an export holds, as SQL: a table's rows of some rooms, sessions and time, with names beside ids."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import polars as pl

from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.recorder.contract.tables import HEART_RATE, Column, Table

NAME = Column(
    "name", "VARCHAR", "the member's name: of members.toml, else of the latest config, else the id's beginning"
)


INSTANT = "TIMESTAMP WITH TIME ZONE"
"""What DuckDB calls `TIMESTAMPTZ`."""


class Range(NamedTuple):
    """A stretch of a room's time, in microseconds since 1970, the end exclusive; None for every room, or no bound."""

    room_id: str | None
    from_us: int | None
    until_us: int | None


def exported_columns(table: Table) -> list[Column]:
    """List a table's columns as they are exported: `name` comes after `profile_id`."""
    columns = []
    for column in table.columns:
        columns += [column, NAME] if column.name == "profile_id" else [column]
    return columns


def table_query(table: Table, wanted: Filter, ranges: Sequence[Range] | None, names: pl.DataFrame) -> str:
    """Say in SQL what an export of a table holds.

    Parameters
    ----------
    table
        The table.
    wanted
        Rooms and range of time.
    ranges
        Where the sessions to export lie; None for all rows, whatever their session.
    names
        `room_id`, `profile_id`, `name`, of all members in the table.

    Returns
    -------
    A query that keeps the order of the rows, and reads them as a stream.
    """
    at = f'"{instant_column(table)}"'
    whole = [Range(room, wanted.since_us, wanted.until_us) for room in wanted.rooms or (None,)]
    conditions = [" OR ".join(["false", *(_within(at, each) for each in either)]) for either in (whole, ranges or [])]
    if ranges is None:
        conditions.pop()
    columns = ", ".join(_value(column, names) for column in exported_columns(table))
    return f"SELECT {columns} FROM {table.name} WHERE {' AND '.join(f'({condition})' for condition in conditions)}"


def session_ranges(chosen: pl.DataFrame, sessions: pl.DataFrame, table: Table) -> list[Range]:
    """Say where sessions lie in time: their readings, and the events that belong to them.

    Parameters
    ----------
    chosen
        The sessions wanted.
    sessions
        All sessions of their rooms.
    table
        The table. Readings are from a session's start to its end. Of events between two sessions the nearer one takes
        its share, as a room tells of its members shortly before they send, and of who left after.
    """
    if table is HEART_RATE:
        ends = (pl.col("started_at"), pl.col("ended_at") + pl.duration(microseconds=1))
    else:
        half = (pl.col("started_at") - pl.col("ended_at").shift(1).over("room_id")) / 2
        begins = pl.col("started_at") - half
        ends = (begins, begins.shift(-1).over("room_id"))
    bounds = sessions.sort("room_id", "session").select(
        "room_id",
        "session",
        *(end.dt.epoch("us").alias(name) for end, name in zip(ends, ("from", "until"), strict=True)),
    )
    mine = bounds.join(chosen, on=["room_id", "session"], how="semi", maintain_order="left")
    return [Range(*row) for row in mine.select("room_id", "from", "until").iter_rows()]


def instant_column(table: Table) -> str:
    """Name the column that tells when a row's event happened."""
    return "occurred_at" if any(column.name == "occurred_at" for column in table.columns) else "at"


def as_csv(query: str, columns: Iterable[tuple[str, str]]) -> str:
    """Say in SQL how a query's rows are written to CSV: instants as ISO 8601 with `Z`, all the rest as it is.

    Parameters
    ----------
    query
        The rows.
    columns
        Names and SQL types.
    """
    values = [
        f"""strftime("{name}", '%Y-%m-%dT%H:%M:%S.%fZ') AS "{name}\"""" if kind == INSTANT else f'"{name}"'
        for name, kind in columns
    ]
    return f"SELECT {', '.join(values)} FROM ({query})"


def quoted(text: str) -> str:
    """Write a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _value(column: Column, names: pl.DataFrame) -> str:
    if column is NAME:
        return f"{_name(names)} AS name"
    # JSON goes out as the text it is: other programs take Parquet's JSON for bytes.
    return f'"{column.name}"::VARCHAR AS "{column.name}"' if column.type == "JSON" else f'"{column.name}"'


def _name(names: pl.DataFrame) -> str:
    """Give the name, as SQL; a join would mix up the order of the rows."""
    alike = names.group_by("profile_id").agg(pl.col("name").unique()).filter(pl.col("name").list.len() == 1)
    by_id = _map(alike.with_columns(pl.col("name").list.first()).sort("profile_id").iter_rows())
    differing = names.join(alike, on="profile_id", how="anti").sort("room_id", "profile_id")
    if differing.is_empty():
        return f"{by_id}[profile_id]"
    # Somebody is called something else in another room: told by both ids, with a character between that ids have not.
    by_both = _map((f"{room}\n{id_}", name) for room, id_, name in differing.iter_rows())
    return f"coalesce({by_id}[profile_id], {by_both}[room_id || chr(10) || profile_id])"


def _map(items: Iterable[tuple[str, str]]) -> str:
    pairs = ", ".join(f"{quoted(key)}: {quoted(value)}" for key, value in items)
    return f"MAP {{{pairs}}}" if pairs else "MAP([]::VARCHAR[], []::VARCHAR[])"


def _within(at: str, each: Range) -> str:
    conditions = ["true"]
    if each.room_id is not None:
        conditions.append(f"room_id = {quoted(each.room_id)}")
    if each.from_us is not None:
        conditions.append(f"{at} >= make_timestamptz({each.from_us})")
    if each.until_us is not None:
        conditions.append(f"{at} < make_timestamptz({each.until_us})")
    return f"({' AND '.join(conditions)})"
