"""Plays: the members of a room, their readings in order, and the pace at which these are sent."""

import itertools
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from heapq import merge
from typing import NamedTuple

import trio

from pulsoid_rec.recorder.simulator.events import Event
from pulsoid_rec.recorder.simulator.wire import Config

_LONGEST_S = 1e12  # beyond the year 9999
_MOST_AT_ONCE = 500  # readings between two waits for slow clients


class Reading(NamedTuple):
    """One heart rate, `time_s` seconds after the play began."""

    time_s: float
    profile_id: str
    bpm: int
    occurred_us: int | None = None  # its own time where that is another, likewise since the beginning


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
    events: Iterable[Event] = ()  # likewise in order, and beside readings of the same time before them
    config: Config | None = None  # of the room
    invite: Callable[[str], tuple[str, Config]] = lambda name: (name, {"name": name})
    """Gives the profile id and config of somebody new, by name."""

    holes: int = 0  # lines of the file that it was read from that have no heart rate, or no time

    def first(self, length_s: float) -> "Play":
        """Return its first `length_s` seconds."""
        if length_s >= self.length_s:
            return self
        readings = Readings(lambda: itertools.takewhile(lambda reading: reading.time_s < length_s, self.readings))
        events = itertools.takewhile(lambda event: event.time_s < length_s, self.events)  # there may be no end of them
        return replace(self, readings=readings, events=events, length_s=length_s)


def started_at(length_s: float, speed: float, now: datetime) -> datetime:
    """Return the time of the first event of a play that is started at `now`.

    Played faster than real time, its events begin in the past, so that the last one carries the time at which it is
    sent; otherwise they begin now. A whole second, rounded down, so that no event lies in the future.
    """
    ahead_s = 0.0 if speed <= 1 else length_s - length_s / speed
    return _add(now, -ahead_s * 1e6).replace(microsecond=0)


@dataclass(frozen=True)
class Clock:
    """The time of a play that began at `started_s` of trio's clock, at `speed` seconds of it per second."""

    started_s: float
    start_at: datetime
    speed: float

    @classmethod
    def start(cls, length_s: float, speed: float) -> "Clock":
        """Start a play now; above a speed of 1 it must have an end."""
        return cls(trio.current_time(), started_at(length_s, speed, datetime.now(UTC)), speed)

    def due_s(self, step: Reading | Event) -> float:
        """Return when a step is due, in trio's time."""
        return self.started_s + step.time_s / self.speed

    def at(self, step: Reading | Event) -> datetime:
        """Return the time at which a step occurs."""
        if step.occurred_us is None:
            # Frames have milliseconds; as integers they add up without rounding errors.
            return _add(self.start_at, round(min(step.time_s, _LONGEST_S) * 1000) * 1000)
        return _add(self.start_at, step.occurred_us)

    def now(self) -> datetime:
        """Return the time of the play."""
        elapsed_s = (trio.current_time() - self.started_s) * self.speed
        return _add(self.start_at, math.floor(min(elapsed_s, _LONGEST_S) * 1000) * 1000)


def _add(at: datetime, microseconds: float) -> datetime:
    """Return an instant so much later, in the years 1 to 9999: a recording's clock may have been wrong by any time."""
    try:
        return at + timedelta(microseconds=microseconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if microseconds > 0 else datetime.min.replace(tzinfo=UTC)


def now() -> datetime:
    """Return the present in whole milliseconds, as Pulsoid sends it."""
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


async def pace(
    play: Play,
    clock: Clock,
    send: Callable[[Reading | Event, datetime], None],
    wait_for_slow_clients: Callable[[], Awaitable[None]],
) -> None:
    """Send each reading and event when it is due; if late, all that are due at once.

    `send` is called with each and the time at which it occurs, `wait_for_slow_clients` before each pause, and regularly
    while there is none.
    """
    steps: Iterable[Reading | Event] = merge(play.events, play.readings, key=lambda step: step.time_s)
    for number, step in enumerate(steps):
        due_s = clock.due_s(step)
        if due_s > trio.current_time():
            await wait_for_slow_clients()
            await trio.sleep_until(due_s)
        elif number % _MOST_AT_ONCE == 0:
            await wait_for_slow_clients()
        send(step, clock.at(step))
    await wait_for_slow_clients()
