"""The times in which a room was not recorded: those between the recorders' connections."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Offline:
    """A time in which no recorder was connected to the room (aware, UTC).

    It is `cut_off` if the connection's end was not recorded, as when the recorder was killed: `begins_at` is then when
    it last received a message, and it went offline some time after that.
    """

    begins_at: datetime
    ends_at: datetime
    cut_off: bool = False

    @property
    def length_s(self) -> float:
        """How long it was, in seconds."""
        return (self.ends_at - self.begins_at).total_seconds()

    def shift(self, to: Callable[[datetime], datetime]) -> "Offline":
        """Return the same time on another clock."""
        return replace(self, begins_at=to(self.begins_at), ends_at=to(self.ends_at))

    def overlap_s(self, begins_at: datetime, ends_at: datetime) -> float:
        """How many seconds of another time are in it."""
        return max(0.0, (min(ends_at, self.ends_at) - max(begins_at, self.begins_at)).total_seconds())


def offline_times(events: pl.DataFrame, last_received: pl.DataFrame) -> list[Offline]:
    """Find the times in which a room was not recorded; in order of time, not overlapping.

    Several recorders may record a room at once: the time is offline only while none is connected. The time before the
    first connection and after the last one is unknown and left out. `events` are the `connection_events` of one room,
    in any order; `last_received` has `connection_id` and `last_received_at` of connections without a recorded end, and
    no row for those that received nothing.
    """
    received = dict(last_received.select("connection_id", "last_received_at").iter_rows())
    opened: dict[str, datetime] = {}
    ended: dict[str, datetime] = {}
    for connection, event, at in events.sort("changed_at").select("connection_id", "event", "changed_at").iter_rows():
        if event == "opened":
            opened.setdefault(connection, at)
        elif event in {"closed", "lost"}:
            ended.setdefault(connection, at)
    times: list[Offline] = []
    known_until: datetime | None = None
    cut_off = False
    for connection, begin in opened.items():
        if known_until is not None and begin > known_until:
            times.append(Offline(begins_at=known_until, ends_at=begin, cut_off=cut_off))
        end = max(begin, ended.get(connection) or received.get(connection) or begin)
        if known_until is None or end > known_until:
            known_until, cut_off = end, connection not in ended
    return times
