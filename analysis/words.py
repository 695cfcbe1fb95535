"""How instants, lengths of time and counts are worded on the screen."""

from datetime import date, datetime, timezone, tzinfo
from typing import Final

DASH: Final = "\N{EM DASH}"
_ONE_PERCENT = 0.01
"""Stands for what is not known."""


def zone_words(zone: timezone) -> str:
    """Name a fixed offset, such as `UTC+02:00`; `UTC` for none."""
    return str(zone)


def clock_words(at: datetime, zone: tzinfo, day: date) -> str:
    """Write an instant as a clock shows it, with the date where it is not the expected one.

    Parameters
    ----------
    at
        The instant, aware.
    zone
        Time zone of the clock.
    day
        The date that goes without saying.
    """
    local = at.astimezone(zone)
    return f"{local:%H:%M:%S}" if local.date() == day else f"{local:%H:%M:%S on} {local.day} {local:%b}"


def duration_words(seconds: float) -> str:
    """Write a length of time in seconds with its two largest units, such as `4 min 1 s`."""
    if 0 < seconds < 1:
        return f"{seconds:.1f} s"
    minutes, left_s = divmod(round(seconds), 60)
    hours, left_min = divmod(minutes, 60)
    days, left_h = divmod(hours, 24)
    parts = [(days, "d"), (left_h, "h"), (left_min, "min"), (left_s, "s")]
    first = next((i for i, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count:,} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"


def count_words(count: int, noun: str) -> str:
    """Write a count with its noun, such as `1 reading` or `1,860 readings`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def share_words(share: float | None) -> str:
    """Write a share of 1 in percent, never rounded up to all nor down to none; a dash for an unknown one."""
    if share is None:
        return DASH
    if 0 < share < _ONE_PERCENT:
        return "< 1 %"
    if 1 - _ONE_PERCENT < share < 1:
        return "> 99 %"
    return f"{share:.0%}".replace("%", " %")
