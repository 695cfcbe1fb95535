"""Buckets: how many readings each member sent in each quarter of an hour. They are few even for a large table.

They come from one quick scan of the table; the sessions, and the slices in which readings are read, come from them.
"""

from collections.abc import Sequence

import duckdb
import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.sessions import number_stretches
from pulsoid_rec.analysis.reading.database import read_frame

_LONGEST_US = 15 * 60 * 1_000_000
_BEFORE_ALL_US = 10**17
"""More microseconds than from the year 1 to 1970: SQL's division rounds negative numbers upwards."""


class Buckets:
    """Time cut into buckets of equal width, at most a quarter of an hour and at most `session_gap_s`."""

    def __init__(self, definitions: Definitions) -> None:
        self.width_us = min(_LONGEST_US, definitions.session_gap_us)
        self._offset_us = self.width_us * (_BEFORE_ALL_US // self.width_us + 1)

    @property
    def sql(self) -> str:
        """The number of the bucket of `occurred_at`, as SQL."""
        return f"(epoch_us(occurred_at) + {self._offset_us}) // {self.width_us}"

    def start_us(self, bucket: int) -> int:
        """Return when a bucket starts, in microseconds since 1970."""
        return bucket * self.width_us - self._offset_us


def read_buckets(
    connection: duckdb.DuckDBPyConnection, definitions: Definitions, rooms: Sequence[str] = ()
) -> pl.DataFrame:
    """Count the readings of each member in each bucket, and number the sessions.

    Parameters
    ----------
    connection
        Open on a recording.
    definitions
        What a session is.
    rooms
        Only these rooms; all of them when empty.

    Returns
    -------
    `room_id`, `profile_id`, `bucket` (Int64), `first_at`, `last_at`, `readings` (all rows, duplicates and implausible
    ones too), `session`, ordered by room and time. An empty recording gives no rows.
    """
    only = f"WHERE room_id IN ({', '.join('?' * len(rooms))})" if rooms else ""
    stretches = read_frame(
        connection,
        f"SELECT room_id, profile_id, {Buckets(definitions).sql} AS bucket, min(occurred_at) AS first_at,"
        f" max(occurred_at) AS last_at, count(*) AS readings FROM heart_rate {only} GROUP BY ALL",
        rooms,
    )
    return number_stretches(stretches, definitions.session_gap_us)
