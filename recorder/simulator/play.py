"""What happens in a room, by the clock: who is in it, their readings in order, and the pace at which they come."""

import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import trio

from pulsoid_rec.recorder.simulator.wire import Config

_MOST_AT_ONCE = 500  # readings between two looks at whether the clients keep up


class Reading(NamedTuple):
    """One heart rate, at so many seconds of the play's own time."""

    time_s: float
    profile_id: str
    bpm: int


@dataclass(frozen=True)
class Play:
    """What a room shows.

    Parameters
    ----------
    members
        Each member's config, by profile id.
    readings
        In order of time, none before 0 s; can be gone through more than once.
    length_s
        Its length in its own time, infinite when it never ends.
    """

    members: Mapping[str, Config]
    readings: Iterable[Reading]
    length_s: float

    def first(self, length_s: float) -> "Play":
        """Return the play cut off after `length_s` seconds of its own time."""
        if length_s >= self.length_s:
            return self
        return replace(self, readings=_Cut(self.readings, length_s), length_s=length_s)


@dataclass(frozen=True)
class _Cut:
    readings: Iterable[Reading]
    length_s: float

    def __iter__(self) -> Iterator[Reading]:
        return itertools.takewhile(lambda reading: reading.time_s < self.length_s, self.readings)


def started_at(length_s: float, speed: float, now: datetime) -> datetime:
    """Tell when, by event time, a play begins that is started now.

    Played faster than life its events begin in the past, so that the last one carries the time at which it is sent.
    Otherwise they begin now. A whole second, rounded down, so that no event lies in the future.
    """
    ahead_s = 0.0 if speed <= 1 else length_s - length_s / speed
    return (now - timedelta(seconds=ahead_s)).replace(microsecond=0)


async def pace(
    play: Play,
    speed: float,
    tell: Callable[[Reading, datetime], None],
    let_clients_catch_up: Callable[[], Awaitable[None]],
) -> None:
    """Tell each reading when it is due, all that is due at once, however late that is.

    Parameters
    ----------
    play
        What to tell; faster than life only one with an end.
    speed
        Seconds of the play in a second.
    tell
        Called with each reading and its event time.
    let_clients_catch_up
        Awaited before each pause, and now and then while there is none.
    """
    start = trio.current_time()
    start_at = started_at(play.length_s, speed, datetime.now(UTC))
    for told, reading in enumerate(play.readings):
        due = start + reading.time_s / speed
        if due > trio.current_time():
            await let_clients_catch_up()
            await trio.sleep_until(due)
        elif told % _MOST_AT_ONCE == 0:
            await let_clients_catch_up()
        # Milliseconds are what a frame shows; adding them up as integers keeps a whole second whole.
        tell(reading, start_at + timedelta(milliseconds=round(reading.time_s * 1000)))
    await let_clients_catch_up()
