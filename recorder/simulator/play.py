"""Plays: the members of a room, their readings in order, and the pace at which these are sent."""

import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import trio

from pulsoid_rec.recorder.simulator.wire import Config

_MOST_AT_ONCE = 500  # readings between two waits for slow clients


class Reading(NamedTuple):
    """One heart rate, `time_s` seconds after the play began."""

    time_s: float
    profile_id: str
    bpm: int


@dataclass(frozen=True)
class Readings:
    """Readings that `start` generates again for each iteration."""

    start: Callable[[], Iterator[Reading]]

    def __iter__(self) -> Iterator[Reading]:
        return self.start()


@dataclass(frozen=True)
class Play:
    """What happens in a room."""

    members: Mapping[str, Config]  # each one's config, by profile id
    readings: Iterable[Reading]  # in order of time, none before 0 s; can be iterated over more than once
    length_s: float  # infinite if it never ends
    holes: int = 0  # lines of the file that it was read from that have no heart rate, or no time

    def first(self, length_s: float) -> "Play":
        """Return its first `length_s` seconds."""
        if length_s >= self.length_s:
            return self
        readings = Readings(lambda: itertools.takewhile(lambda reading: reading.time_s < length_s, self.readings))
        return replace(self, readings=readings, length_s=length_s)


def started_at(length_s: float, speed: float, now: datetime) -> datetime:
    """Return the time of the first event of a play that is started at `now`.

    Played faster than real time, its events begin in the past, so that the last one carries the time at which it is
    sent; otherwise they begin now. A whole second, rounded down, so that no event lies in the future.
    """
    ahead_s = 0.0 if speed <= 1 else length_s - length_s / speed
    return (now - timedelta(seconds=ahead_s)).replace(microsecond=0)


async def pace(
    play: Play,
    speed: float,
    send: Callable[[Reading, datetime], None],
    wait_for_slow_clients: Callable[[], Awaitable[None]],
) -> None:
    """Send each reading when it is due; if late, all that are due at once.

    `speed` is in seconds of the play per second; above 1 the play must have an end. `send` is called with each reading
    and its event time, `wait_for_slow_clients` before each pause, and regularly while there is none.
    """
    start = trio.current_time()
    start_at = started_at(play.length_s, speed, datetime.now(UTC))
    for number, reading in enumerate(play.readings):
        due = start + reading.time_s / speed
        if due > trio.current_time():
            await wait_for_slow_clients()
            await trio.sleep_until(due)
        elif number % _MOST_AT_ONCE == 0:
            await wait_for_slow_clients()
        # Frames have milliseconds; as integers they add up without rounding errors.
        send(reading, start_at + timedelta(milliseconds=round(reading.time_s * 1000)))
    await wait_for_slow_clients()
