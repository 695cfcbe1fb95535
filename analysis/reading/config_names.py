"""The names of rooms and members: those in the latest config that has one."""

import duckdb
import polars as pl

from pulsoid_rec.analysis.reading.archive import show
from pulsoid_rec.analysis.reading.database import read_frame
from pulsoid_rec.recorder.contract.display import is_visible
from pulsoid_rec.recorder.contract.tables import ARCHIVED_NAMES, LATEST_NAMED, MEMBER_EVENTS, ROOM_EVENTS, Table

_NAME = LATEST_NAMED.format("name")


def read_room_names(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Read rooms' names: `room_id`, and `name` of the latest config that has one; rooms without are left out.

    A name that has no visible character is none.
    """
    events = events_with_notes(connection, ROOM_EVENTS)
    sql = f"SELECT room_id, {_NAME} AS name FROM ({events}) WHERE name IS NOT NULL GROUP BY ALL"
    return _only_visible(read_frame(connection, sql), "name")


def read_config_names(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Read members' names: `room_id`, `profile_id`, and `config_name`, as of `read_room_names`."""
    events = events_with_notes(connection, MEMBER_EVENTS)
    sql = f"SELECT room_id, profile_id, {_NAME} AS config_name FROM ({events}) WHERE name IS NOT NULL GROUP BY ALL"
    return _only_visible(read_frame(connection, sql), "config_name")


def events_with_notes(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """Return the SQL of a table of configs, with what is noted of archived rows: `room_id`, `profile_id`, `name` etc.

    It may be used until the table is shown otherwise.
    """
    profile, is_theirs = ("profile_id", "IS NOT NULL") if table is MEMBER_EVENTS else ("NULL", "IS NULL")
    columns = "room_id, {} AS profile_id, name, occurred_at, received_at"
    rows = f"SELECT {columns.format(profile)} FROM {table.name}"
    if not show(connection, table, unnoted=True):
        return rows
    noted = f"SELECT {columns.format('profile_id')} FROM {ARCHIVED_NAMES.name} WHERE profile_id {is_theirs}"
    return f"{rows} UNION ALL {noted}"


def _only_visible(names: pl.DataFrame, column: str) -> pl.DataFrame:
    return names.filter(pl.Series(map(is_visible, names[column]), dtype=pl.Boolean))
