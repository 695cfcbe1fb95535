"""What is plausible, held and timely; zones, and HRmax from age: shared by the analysis and the live page."""

from typing import Any

MIN_BPM, MAX_BPM = 30, 230
"""Lowest and highest plausible heart rate, both inclusive."""

MAX_HOLD_S = 5.0
"""How long a reading holds at most, until the next one."""

MAX_CLOCK_ERROR_S = 86_400.0
"""How far a timely reading's lead (its own time minus that of its receipt) may be from that of the room's others."""

ZONE_PERCENTS = (50, 60, 70, 80, 90)
"""Where zones 1 to 5 begin, in percent of HRmax, inclusive; what is below is zone 0.

Edwards, S. (1993). The Heart Rate Monitor Book.
"""


def hr_max_from_age(age: Any) -> Any:
    """Return HRmax for an age in years: a number, or a polars expression.

    Tanaka, H., Monahan, K. D., Seals, D. R. (2001). Age-predicted maximal heart rate revisited. Journal of the American
    College of Cardiology 37(1): HRmax = 208 - 0.7 x age.
    """
    return (2080 - 7 * age) / 10


def zone_of(bpm: int, hr_max: float) -> int:
    """Return the zone of a heart rate, 0 to 5; compared as whole numbers, as `metrics.zones.zone_of` does."""
    return sum(bpm * 1000 >= round(hr_max * 10) * percent for percent in ZONE_PERCENTS)
