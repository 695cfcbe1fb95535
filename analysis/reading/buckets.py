"""Activity: who sent readings when, by spans of a quarter of an hour; small, whatever the size of the table.

It comes of one quick look over the table, and from it come the sessions, and the slices in which the readings are read.
"""

from collections.abc import Sequence

import duckdb
import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.sessions import number_stretches
from pulsoid_rec.analysis.reading.database import read_frame

_LONGEST_SPAN_US = 15 * 60 * 1_000_000
_BEFORE_ALL_US = 10**17
"""More microseconds than lie between the year 1 and 1970: division would round earlier instants the other way."""


class Spans:
    """Time cut into spans, none longer than the silence that would begin a session.

    Parameters
    ----------
    definitions
        What they depend on: `session_gap_s`.
    """

    def __init__(self, definitions: Definitions) -> None:
        self.width_us = min(_LONGEST_SPAN_US, definitions.session_gap_us)
        self._offset_us = self.width_us * (_BEFORE_ALL_US // self.width_us + 1)

    @property
    def sql(self) -> str:
        """The number of the span that `occurred_at` lies in, as SQL."""
        return f"(epoch_us(occurred_at) + {self._offset_us}) // {self.width_us}"

    def start_us(self, span: int) -> int:
        """Tell when a span starts, in microseconds since 1970."""
        return span * self.width_us - self._offset_us


def read_activity(
    connection: duckdb.DuckDBPyConnection, definitions: Definitions, rooms: Sequence[str] = ()
) -> pl.DataFrame:
    """Read who sent readings when.

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
    `room_id`, `profile_id`, `span` (Int64), `first_at`, `last_at`, `readings` (all rows, duplicates and implausible
    ones too), `session`, ordered by room and time. An empty recording gives no rows.
    """
    only = f"WHERE room_id IN ({', '.join('?' * len(rooms))})" if rooms else ""
    stretches = read_frame(
        connection,
        f"SELECT room_id, profile_id, {Spans(definitions).sql} AS span, min(occurred_at) AS first_at,"
        f" max(occurred_at) AS last_at, count(*) AS readings FROM heart_rate {only} GROUP BY ALL",
        rooms,
    )
    return number_stretches(stretches, definitions.session_gap_us)
