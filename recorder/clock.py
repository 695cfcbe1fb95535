"""The clock that rows are stamped by: the wall clock, made to increase strictly within a run."""

from collections.abc import Callable
from time import monotonic_ns, time_ns


class ReceiptClock:
    """Stamps for all rooms of one run: microseconds since 1970, UTC, no two alike, each later than those before.

    They are those of the wall clock, but where that stands still (several messages in one packet) or is set back: then
    they go on at half its speed until it has caught up. Where it is set forward they follow at once. `steady_ns` is a
    clock that nobody can set; both are in nanoseconds.
    """

    def __init__(self, wall_ns: Callable[[], int] = time_ns, steady_ns: Callable[[], int] = monotonic_ns) -> None:
        self._wall_ns = wall_ns
        self._steady_ns = steady_ns
        self._latest = 0
        self._slow_from = (0, 0)  # the stamp, and the time of the steady clock, from which it goes at half speed
        self._latest_slow = 0

    def next_us(self, count: int = 1) -> int:
        """Return the first of `count` stamps, a microsecond apart."""
        stamp = self._wall_ns() // 1000
        if stamp <= self._latest:
            return self._next_slow(count)
        self._latest = stamp + count - 1
        return stamp

    def _next_slow(self, count: int) -> int:
        steady_ns = self._steady_ns()
        if self._latest != self._latest_slow:  # until now it followed the wall clock
            self._slow_from = (self._latest, steady_ns)
        from_us, from_ns = self._slow_from
        stamp = max(self._latest + 1, from_us + (steady_ns - from_ns) // 2000)
        self._latest = self._latest_slow = stamp + count - 1
        return stamp
