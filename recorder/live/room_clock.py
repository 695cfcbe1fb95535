"""The clock on which everything is shown: that by which the room stamps its readings."""

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterable
from statistics import median_high, median_low

from pulsoid_rec.recorder.contract.definitions import MAX_CLOCK_ERROR_S
from pulsoid_rec.recorder.journal.rows import HeartRateRow

_MAX_ERROR_US = round(MAX_CLOCK_ERROR_S * 1_000_000)
_LOOKED_AT = 101  # the latest readings
_NOTICED_US = 1_000_000
_USUAL_US = 60_000_000
"""How far a reading's lead may be from the others' to count here."""


def least_delayed_us(leads: Collection[int]) -> int:
    """Return the lead of the reading that was delayed least: the largest, but of none that is far from the others."""
    ordered = sorted(leads)
    middle = ordered[(len(ordered) - 1) // 2]
    return ordered[bisect_right(ordered, middle + _USUAL_US) - 1]


class RoomClock:
    """Follows how far the room's clock is ahead of the recorder's, which may be wrong, as the room's may be.

    A reading's lead is its own time minus that of its receipt. A sensor's clock may be wrong, so that each member has a
    lead; the room's is the middle one of the latest readings, of two that nearer to the recorder's clock. What is
    played back at many times the speed has a lead that grows, so that `now` goes on at that speed.
    """

    def __init__(self) -> None:
        self.lead_us = self._steady_us = self._middle_us = 0
        self._leads: deque[tuple[str, int]] = deque(maxlen=_LOOKED_AT)

    def observe(self, readings: Iterable[HeartRateRow]) -> None:
        """Follow the readings received last."""
        self._leads.extend((row.profile_id, row.occurred_at - row.received_at) for row in readings)
        if self._leads:
            by_member: dict[str, list[int]] = {}
            for profile_id, lead in self._leads:
                by_member.setdefault(profile_id, []).append(lead)
            of_members = [least_delayed_us(leads) for leads in by_member.values()]
            self.lead_us = min(median_low(of_members), median_high(of_members), key=abs)
            self._middle_us = median_low(lead for _, lead in self._leads)
        if abs(self.lead_us - self._steady_us) > _NOTICED_US:
            self._steady_us = self.lead_us

    def is_timely(self, row: HeartRateRow) -> bool:
        """Return whether a reading's lead is within a day of that of the others."""
        return abs(row.occurred_at - row.received_at - self._middle_us) <= _MAX_ERROR_US

    def to_ms(self, us: int) -> int:
        """Return an instant of the recorder's clock, in microseconds, on the room's, in milliseconds."""
        return (us + self.lead_us) // 1000

    def to_steady_ms(self, us: int) -> int:
        """Return the same for what is shown for long: it stays what it was, unless it were off by over a second."""
        return (us + self._steady_us) // 1000
