"""Buckets: how many readings each member sent in each quarter of an hour. They are few even for a large table.

They come from one quick scan of the table; the sessions, and the slices in which readings are read, come from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.sessions import list_sessions, number_stretches
from pulsoid_rec.analysis.reading.database import read_frame
from pulsoid_rec.analysis.reading.room_leads import read_room_leads, timely_sql, write_room_leads
from pulsoid_rec.recorder.contract.activity import QUARTER, Cut, activity_sql


def buckets_of(definitions: Definitions) -> Cut:
    """Return how time is cut into buckets: at most a quarter of an hour and at most `session_gap_s` wide."""
    return Cut(min(QUARTER.width_us, definitions.session_gap_us))


@dataclass(frozen=True, slots=True)
class Scan:
    """What one scan of all readings found, of one state of the file."""

    rooms: tuple[str, ...]
    """The rooms that were scanned; all when empty."""

    buckets: pl.DataFrame
    """`room_id`, `profile_id`, `bucket` (Int64), `first_at`, `last_at`, `first_received_at`, `last_received_at`,
    `readings` (timely rows, duplicates and implausible ones too), `session`, ordered by room and time.
    """

    sessions: pl.DataFrame
    """As `sessions.list_sessions` gives them."""

    room_leads: pl.DataFrame
    """As `read_room_leads` gives them."""


def scan_readings(connection: duckdb.DuckDBPyConnection, definitions: Definitions, rooms: Sequence[str] = ()) -> Scan:
    """Count the timely readings of each member in each bucket, and number the sessions.

    Parameters
    ----------
    connection
        Open on a recording.
    definitions
        What a session is, and which readings are timely.
    rooms
        Only these rooms; all of them when empty.
    """
    only = f"WHERE room_id IN ({', '.join('?' * len(rooms))})" if rooms else ""
    cut = buckets_of(definitions)
    buckets = read_frame(connection, activity_sql(f"heart_rate {only}", cut), rooms)
    room_leads = read_room_leads(connection, buckets, definitions)
    if not room_leads.is_empty():
        write_room_leads(connection, room_leads)
        timely = f"{timely_sql(definitions, room_leads)} SEMI JOIN room_leads USING (room_id, quarter)"
        counted_anew = read_frame(connection, activity_sql(timely, cut))
        buckets = pl.concat([buckets.join(room_leads, on=["room_id", "quarter"], how="anti"), counted_anew])
    buckets = number_stretches(buckets.drop("quarter"), definitions.session_gap_us)
    return Scan(tuple(rooms), buckets, list_sessions(buckets), room_leads)
