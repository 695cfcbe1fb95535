"""The names of rooms and members: those in the latest config that has one."""

import duckdb
import polars as pl

from pulsoid_rec.analysis.reading.database import read_frame

# The text `name` of a config; NULL where there is none or a blank one.
_CONFIG_NAME = (
    "CASE WHEN json_valid(config) AND json_type(config, '$.name') = 'VARCHAR'"
    " THEN nullif(trim(config ->> '$.name'), '') END"
)
ROOM_NAMES = (
    f"SELECT room_id, arg_max({_CONFIG_NAME}, (occurred_at, received_at)) AS name"
    f" FROM room_events WHERE {_CONFIG_NAME} IS NOT NULL GROUP BY room_id"
)
"""SQL: `room_id`, `name`; rooms without a name are left out."""


def read_config_names(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Read members' names: `room_id`, `profile_id`, and `config_name` of the latest config that has one."""
    return read_frame(
        connection,
        f"SELECT room_id, profile_id, arg_max({_CONFIG_NAME}, (occurred_at, received_at)) AS config_name"
        f" FROM member_events WHERE {_CONFIG_NAME} IS NOT NULL GROUP BY ALL",
    )
