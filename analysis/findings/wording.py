"""How instants, lengths of time and counts are worded on the screen."""

from datetime import date, datetime, timezone, tzinfo
from typing import Final

DASH: Final = "\N{EM DASH}"
_ONE_PERCENT = 0.01
"""Stands for what is not known."""


def format_offset(zone: timezone) -> str:
    """Name a fixed offset, such as `UTC+02:00`; `UTC` for none."""
    return str(zone)


def format_clock(at: datetime, zone: tzinfo, day: date) -> str:
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


def format_share(share: float | None) -> str:
    """Write a share of 1 in percent, never rounded up to all nor down to none; a dash for an unknown one."""
    if share is None:
        return DASH
    if 0 < share < _ONE_PERCENT:
        return "< 1 %"
    if 1 - _ONE_PERCENT < share < 1:
        return "> 99 %"
    return f"{share:.0%}".replace("%", " %")
