"""A member's figures while they are recorded: the same that a report of this run has.

The definitions are those of `analysis.metrics`: a reading holds until the member's next one, plausible or not, at most
`MAX_HOLD_US`; of two at one instant the first received holds for no time; a duplicate counts once. They are brought up
to date with each reading, in bounded memory: only the latest readings are needed to place one that comes late.
"""

from bisect import bisect_left, bisect_right

from pulsoid_rec.recorder.contract.definitions import MAX_BPM, MAX_HOLD_S, MIN_BPM

MAX_HOLD_US = round(MAX_HOLD_S * 1_000_000)
PLAUSIBLE = range(MIN_BPM, MAX_BPM + 1)
"""Heart rates that count."""

_KEPT = 1_000
"""Readings that are kept, to place those that come late."""
_TRIMMED = 200


class Figures:
    """Figures of one member; `left_out` counts readings that are in none."""

    def __init__(self) -> None:
        self.lowest: int | None = None
        self.highest: int | None = None
        self.readings = self.left_out = 0
        self._held_us = 0
        self._first_us = 0  # the first plausible one
        self._end_us = 0  # where the last plausible one's hold ended, if that is not kept
        self._times: list[int] = []  # of the latest readings, in order
        self._rates: list[int] = []
        self._is_trimmed = False

    def add(self, at_us: int, bpm: int) -> bool:
        """Add a reading, in the order of receipt; return whether it counts."""
        times, rates = self._times, self._rates
        place = bisect_right(times, at_us)
        is_known = bpm in rates[bisect_left(times, at_us, hi=place) : place]
        if is_known or (place == 0 and self._is_trimmed):  # a duplicate, or too late to be placed
            self.left_out += 1
            return False
        if place and rates[place - 1] in PLAUSIBLE:
            self._held_us += _hold_us(times[place - 1], at_us) - self._hold_us(place - 1)
        times.insert(place, at_us)
        rates.insert(place, bpm)
        is_plausible = bpm in PLAUSIBLE
        if is_plausible:
            self._held_us += self._hold_us(place)
            self._first_us = min(self._first_us, at_us) if self.readings else at_us
            self.lowest = bpm if self.lowest is None else min(self.lowest, bpm)
            self.highest = bpm if self.highest is None else max(self.highest, bpm)
            self.readings += 1
        else:
            self.left_out += 1
        if len(times) > _KEPT + _TRIMMED:
            self._trim()
        return is_plausible

    @property
    def coverage(self) -> float | None:
        """Seconds held by plausible readings, by those from the first to the end of the last one's hold."""
        if not self.readings:
            return None
        span_us = self._find_end_us() - self._first_us
        return self._held_us / span_us if span_us else None

    def _find_end_us(self) -> int:
        """Return the end of the last plausible reading's hold."""
        for place in reversed(range(len(self._rates))):
            if self._rates[place] in PLAUSIBLE:
                return self._times[place] + self._hold_us(place)
        return self._end_us

    def _hold_us(self, place: int) -> int:
        """Return how long a reading holds now; the latest one for no time."""
        times = self._times
        return _hold_us(times[place], times[place + 1]) if place + 1 < len(times) else 0

    def _trim(self) -> None:
        """Drop the oldest; no reading can come between them any more."""
        self._end_us = self._find_end_us()
        del self._times[:_TRIMMED], self._rates[:_TRIMMED]
        self._is_trimmed = True


def _hold_us(at_us: int, next_us: int) -> int:
    return min(next_us - at_us, MAX_HOLD_US)
