"""Notices that the process was stopped or the machine asleep: nobody listened then, whatever the connections say."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import trio

from pulsoid_rec.recorder.clock import ReceiptClock
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.contract.wording import format_duration

# A clock that goes on while the machine sleeps: on Linux, on macOS, and (`time.monotonic`) on Windows. Trio's does not.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))

log = logging.getLogger(__name__)


def read_clock() -> float:
    """Return the seconds since some instant, counting those in which the machine slept."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


@dataclass(frozen=True)
class Suspension:
    """A time in which the process was stopped: a signal, a closed lid, a machine that froze."""

    begins_at: int  # the last sign of life of this process: microseconds since 1970, UTC
    length_s: float

    def __str__(self) -> str:
        return f"the process was stopped or the machine asleep for {format_duration(self.length_s)}"


class SuspensionWatch:
    """Looks at the clocks every half second: what lies far apart is a suspension."""

    def __init__(self, clock: ReceiptClock, timings: Timings, read_clock: Callable[[], float] = read_clock) -> None:
        self._clock = clock
        self._timings = timings
        self._read_clock = read_clock
        self._noticed = trio.Event()
        self._looked_at, self._stamp = read_clock(), clock.next_us()
        self.latest: Suspension | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        self._looked_at, self._stamp = self._read_clock(), self._clock.next_us()
        while True:
            await trio.sleep(self._timings.tick_s)
            self.look()

    def look(self) -> Suspension | None:
        """Return the latest suspension, also one that has just ended and was not noticed yet."""
        now, stamp = self._read_clock(), self._clock.next_us()
        if now - self._looked_at > self._timings.suspended_after_s:
            self.latest = Suspension(self._stamp, now - self._looked_at)
            log.warning("%s.", str(self.latest).capitalize())
            self._noticed.set()
            self._noticed = trio.Event()
        self._looked_at, self._stamp = now, stamp
        return self.latest

    async def wait_for_next(self, known: Suspension | None) -> None:
        """Wait until a later suspension than the known one is noticed."""
        while self.latest is known:
            await self._noticed.wait()
