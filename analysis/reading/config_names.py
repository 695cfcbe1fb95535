"""The names of rooms and members: those in the latest config that has one."""

import duckdb
import polars as pl

from pulsoid_rec.analysis.reading.database import read_frame
from pulsoid_rec.recorder.contract.display import is_visible

_LATEST = "arg_max(name, (occurred_at, received_at))"


def read_room_names(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Read rooms' names: `room_id`, and `name` of the latest config that has one; rooms without are left out.

    A name that has no visible character is none.
    """
    sql = f"SELECT room_id, {_LATEST} AS name FROM room_events WHERE name IS NOT NULL GROUP BY ALL"
    return _only_visible(read_frame(connection, sql), "name")


def read_config_names(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Read members' names: `room_id`, `profile_id`, and `config_name`, as of `read_room_names`."""
    sql = f"SELECT room_id, profile_id, {_LATEST} AS config_name FROM member_events WHERE name IS NOT NULL GROUP BY ALL"
    return _only_visible(read_frame(connection, sql), "config_name")


def _only_visible(names: pl.DataFrame, column: str) -> pl.DataFrame:
    return names.filter(pl.Series(map(is_visible, names[column]), dtype=pl.Boolean))
