"""The names of rooms and members: those in the latest config that has one."""

import duckdb
import polars as pl

from pulsoid_rec.analysis.reading.database import read_frame

ROOM_NAMES = (
    "SELECT room_id, arg_max(name, (occurred_at, received_at)) AS name"
    " FROM room_events WHERE name IS NOT NULL GROUP BY room_id"
)
"""SQL: `room_id`, `name`; rooms without a name are left out."""


def read_config_names(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Read members' names: `room_id`, `profile_id`, and `config_name` of the latest config that has one."""
    return read_frame(
        connection,
        "SELECT room_id, profile_id, arg_max(name, (occurred_at, received_at)) AS config_name"
        " FROM member_events WHERE name IS NOT NULL GROUP BY ALL",
    )
