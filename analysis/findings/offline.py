"""When nobody recorded a room: what the recorders' connections leave uncovered."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Offline:
    """A time in which no connection of any recorder was open.

    Parameters
    ----------
    begins_at, ends_at
        From when to when (aware, UTC).
    cut_off
        True when the recorder left no word of its end, as when it was killed: then `begins_at` is the last it is
        known to have received, and it went offline some time after that.
    """

    begins_at: datetime
    ends_at: datetime
    cut_off: bool = False


def offline_times(events: pl.DataFrame, last_received: pl.DataFrame) -> list[Offline]:
    """Work out when a room was not being recorded.

    Several recorders may record a room at once: it is offline only while none is connected. What came before the
    first connection and after the last is not known, and not told.

    Parameters
    ----------
    events
        `connection_events` of one room, in any order.
    last_received
        `connection_id` and `last_received_at` of connections that left no end; one without a row received nothing.

    Returns
    -------
    list of Offline
        In order of time, never overlapping; empty when there was no connection.
    """
    received = dict(last_received.select("connection_id", "last_received_at").iter_rows())
    opened: dict[str, datetime] = {}
    ended: dict[str, datetime] = {}
    for connection, event, at in events.sort("at").select("connection_id", "event", "at").iter_rows():
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
