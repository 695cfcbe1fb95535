"""When the recorders' connections were opened, and how they ended, archived or not."""

import duckdb
import polars as pl

from pulsoid_rec.analysis.reading.archive import show
from pulsoid_rec.analysis.reading.database import read_frame
from pulsoid_rec.recorder.contract.tables import ARCHIVED_CONNECTIONS, CONNECTION_EVENTS, TABLES

_RECEIVING = [
    table for table in TABLES if {"connection_id", "received_at"} <= {column.name for column in table.columns}
]


def connections_sql(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the SQL of all connection events, with what is noted of archived ones.

    It has `room_id`, `connection_id`, `event`, `changed_at`, and is valid until the next `show` of the table.
    """
    columns = "SELECT room_id, connection_id, event, changed_at FROM"
    rows = f"{columns} {CONNECTION_EVENTS.name}"
    if not show(connection, CONNECTION_EVENTS, unnoted=True):
        return rows
    return f"{rows} UNION ALL {columns} {ARCHIVED_CONNECTIONS.name} WHERE event <> 'received'"


def read_last_received(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Read what `Recording.last_received` returns."""
    received = [
        f"SELECT connection_id, received_at FROM {table.name} SEMI JOIN unended USING (connection_id)"
        for table in _RECEIVING
    ]
    if all(show(connection, table, unnoted=True) for table in _RECEIVING):
        noted = f"SELECT connection_id, changed_at FROM {ARCHIVED_CONNECTIONS.name}"
        received.append(f"{noted} SEMI JOIN unended USING (connection_id) WHERE event = 'received'")
    return read_frame(
        connection,
        f"WITH unended AS (SELECT connection_id, any_value(room_id) AS room_id FROM ({connections_sql(connection)})"
        " GROUP BY connection_id HAVING bool_or(event = 'opened') AND NOT bool_or(event IN ('closed', 'lost')))"
        f" SELECT room_id, connection_id, max(received_at) AS last_received_at FROM ({' UNION ALL '.join(received)})"
        " JOIN unended USING (connection_id) GROUP BY ALL ORDER BY ALL",
    )
