"""Buckets: how many readings each member sent in each quarter of an hour. They are few even for a large table.

They come from one quick scan of the table; the sessions, and the slices in which readings are read, come from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import duckdb
import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.sessions import list_sessions, number_stretches
from pulsoid_rec.analysis.reading.archive import days_of, has_archive, show
from pulsoid_rec.analysis.reading.database import read_frame
from pulsoid_rec.analysis.reading.room_leads import (
    ROOM_LEADS,
    judge_buckets,
    needed_for,
    read_room_leads,
    timely_sql,
    write_room_leads,
)
from pulsoid_rec.recorder.contract.activity import QUARTER, Cut, activity_sql
from pulsoid_rec.recorder.contract.ids import IS_IMPORTED
from pulsoid_rec.recorder.contract.tables import ARCHIVED_ACTIVITY, HEART_RATE

_IMPORTED = f", count_if({IS_IMPORTED})::BIGINT AS imported"
_ADDED_UP = (
    "room_id, profile_id, bucket, quarter, min(first_at) AS first_at, max(last_at) AS last_at,"
    " min(first_received_at) AS first_received_at, max(last_received_at) AS last_received_at,"
    " sum(readings)::BIGINT AS readings, sum(imported)::BIGINT AS imported"
)


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
    `readings` (timely rows, duplicates and implausible ones too), `imported` (how many of them were imported),
    `session`, ordered by room and time.
    """

    sessions: pl.DataFrame
    """As `sessions.list_sessions` gives them."""

    room_leads: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ROOM_LEADS))
    """As `read_room_leads` gives them, of the quarters of an hour that were looked at."""

    suspects: pl.DataFrame = field(default_factory=pl.DataFrame)
    """As `judge_buckets` gives them, of the quarters that have untimely readings and were not looked at."""

    lead_days: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.Date))
    """The days of the readings, untimely ones too, that were received in the quarters of `room_leads`."""

    profile_ids: frozenset[str] = frozenset()
    """Of all who sent a reading, timely or not."""

    @property
    def imported_sessions(self) -> frozenset[tuple[str, int]]:
        """Which sessions, by `room_id` and `session`, hold nothing but imported readings."""
        in_session = self.buckets.group_by("room_id", "session").agg(pl.col("readings", "imported").sum())
        whole = in_session.filter(pl.col("imported") == pl.col("readings"))
        return frozenset(whole.select("room_id", "session").iter_rows())

    def look_at(self, connection: duckdb.DuckDBPyConnection, chosen: pl.DataFrame, definitions: Definitions) -> "Scan":
        """Look at the quarters that have to be known to read these sessions; the others are none of its suspects."""
        needed = needed_for(self.suspects, chosen, self.sessions)
        if needed.is_empty():
            return replace(self, suspects=needed)
        room_leads = pl.concat([self.room_leads, read_room_leads(connection, needed, definitions)])
        days = pl.concat([self.lead_days, days_of(needed)]).unique()
        return replace(self, room_leads=room_leads, suspects=needed.clear(), lead_days=days)


def scan_readings(connection: duckdb.DuckDBPyConnection, definitions: Definitions, rooms: Sequence[str] = ()) -> Scan:
    """Count the timely readings of each member in each bucket, and number the sessions, of these rooms or all."""
    cut = buckets_of(definitions)
    buckets = _count_readings(connection, cut, rooms)
    profile_ids = frozenset(buckets["profile_id"].unique())
    key, quarter = ["room_id", "profile_id", "bucket", "quarter"], ["room_id", "quarter"]
    judged = judge_buckets(buckets, definitions)
    unclear = judged.filter(pl.col("is_timely").is_null().any().over(quarter))
    suspects = judged.join(unclear, on=quarter, how="anti")
    buckets = buckets.join(suspects.filter(~pl.col("is_timely")), on=key, how="anti")
    room_leads = read_room_leads(connection, unclear, definitions)
    days = days_of(buckets.join(room_leads, on=quarter, how="semi"))
    if not room_leads.is_empty():
        write_room_leads(connection, room_leads)
        show(connection, HEART_RATE, days=days)
        timely = f"{timely_sql(definitions, room_leads)} SEMI JOIN room_leads USING (room_id, quarter)"
        counted_anew = read_frame(connection, activity_sql(timely, cut, _IMPORTED))
        buckets = pl.concat([buckets.join(room_leads, on=quarter, how="anti"), counted_anew])
    buckets = number_stretches(buckets.drop("quarter"), definitions.session_gap_us)
    return Scan(tuple(rooms), buckets, list_sessions(buckets), room_leads, suspects, days, profile_ids)


def _count_readings(connection: duckdb.DuckDBPyConnection, cut: Cut, rooms: Sequence[str]) -> pl.DataFrame:
    """Count the readings in the database and in files that it has no notes of, and add what is noted of the others."""
    only = f"WHERE room_id IN ({', '.join('?' * len(rooms))})" if rooms else ""
    is_noted = cut == QUARTER and has_archive(connection)
    show(connection, HEART_RATE, unnoted=is_noted)
    counts = activity_sql(f"heart_rate {only}", cut, _IMPORTED)
    if not is_noted:
        return read_frame(connection, counts, rooms)
    noted = f"SELECT * EXCLUDE (batch) FROM {ARCHIVED_ACTIVITY.name} {only}"
    return read_frame(connection, f"SELECT {_ADDED_UP} FROM ({counts} UNION ALL {noted}) GROUP BY ALL", [*rooms] * 2)
