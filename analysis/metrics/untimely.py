"""Untimely readings: in no session themselves, they are counted in the one that was being received when they came."""

from heapq import heappop, heappush

import polars as pl

UNTIMELY = pl.Schema(
    {
        "room_id": pl.String(),
        "session": pl.Int64(),
        "profile_id": pl.String(),
        "untimely": pl.Int64(),
        "duplicates": pl.Int64(),
        "least_error_us": pl.Int64(),
        "most_error_us": pl.Int64(),
    }
)
"""A member's untimely readings in a session: how many, how many more repeat an earlier one, and the least and most that
their time is ahead of the room's (negative: behind), in microseconds.
"""

_BEFORE_ALL_US = -(2**62)


def receipt_ranges(sessions: pl.DataFrame) -> pl.DataFrame:
    """Divide the time of receipt among each room's sessions, all of which are needed.

    What is received between the first and the last receipt of a session belongs to it; of several such sessions to the
    one whose receipt began last. Between sessions it belongs to the one whose receipt ended last, and before all of
    them to the first.

    Returns `room_id`, `session`, `from_us` (start of the range, which ends with the room's next one), and `started_us`
    and `ended_us` of the session; all in microseconds since 1970.
    """
    bounds = pl.col("first_received_at", "last_received_at").dt.epoch("us")
    rows: list[tuple[str, int, int]] = []
    for (room_id,), of_room in sessions.sort("session").group_by("room_id", maintain_order=True):
        received = of_room.select("session", bounds).rows()
        rows += [(str(room_id), session, from_us) for from_us, session in _divide(received)]
    ranges = pl.DataFrame(
        rows, schema={"room_id": pl.String(), "session": pl.Int64(), "from_us": pl.Int64()}, orient="row"
    )
    occurred = sessions.select(
        "room_id",
        "session",
        started_us=pl.col("started_at").dt.epoch("us"),
        ended_us=pl.col("ended_at").dt.epoch("us"),
    )
    return ranges.join(occurred, on=["room_id", "session"])


def _divide(received: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """Return when each range starts, and its session; `received` has number, first and last receipt, by number."""
    ranges = [(_BEFORE_ALL_US, received[0][0])]
    open_: list[tuple[int, int]] = []
    ended = (_BEFORE_ALL_US, received[0][0])
    waiting = received[::-1]
    for at_us in sorted({us for _, first_us, last_us in received for us in (first_us, last_us + 1)}):
        while waiting and waiting[-1][1] <= at_us:
            session, _, last_us = waiting.pop()
            heappush(open_, (-session, last_us))
        while open_ and open_[0][1] < at_us:
            session, last_us = heappop(open_)
            ended = max(ended, (last_us, -session))
        ranges.append((at_us, -open_[0][0] if open_ else ended[1]))
    return ranges
