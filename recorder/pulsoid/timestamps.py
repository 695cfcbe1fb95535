"""Instants in all forms of ISO 8601 that JSON writers use. Pure.

Most writers keep to RFC 3339, which msgspec parses. This is for the others: no seconds, a comma, an offset without
minutes or colon, the basic format, midnight as 24:00, and second 60. That is taken for the first second of the next
minute, as by POSIX: it is a leap second, or 59.9996 rounded up.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

_INSTANT = re.compile(
    r"(\d{4})(-?)(\d\d)\2(\d\d)"
    r"[Tt ](\d\d)(:?)(\d\d)(?:\6(\d\d)(?:[.,](\d+))?)?"
    r"(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?",
    re.ASCII,
)
_LEAP_SECOND = _MINUTES = 60
_MIDNIGHT = (24, 0, 0, 0)


def parse_timestamp(text: str) -> datetime | None:
    """Parse an instant, to the nearest microsecond; without an offset it is naive, and without a meaning None.

    Raises `OverflowError` after the year 9999.
    """
    if (found := _INSTANT.fullmatch(text)) is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.group(1, 3, 4, 5, 7, 8))
    digits = (found[9] or "").ljust(7, "0")
    microsecond = int(digits[:6]) + (digits[6] >= "5")
    is_midnight = (hour, minute, second, microsecond) == _MIDNIGHT
    is_leap_second = second == _LEAP_SECOND
    try:
        start = datetime(
            year, month, day, 0 if is_midnight else hour, minute, second - is_leap_second, tzinfo=_zone(found)
        )
    except ValueError:
        return None
    return start + timedelta(days=is_midnight, seconds=is_leap_second, microseconds=microsecond)


def _zone(found: re.Match[str]) -> timezone | None:
    """Return the zone of an instant, None without one; `ValueError` if there is no such offset."""
    sign, hours, minutes = found.group(10, 11, 12)
    if sign is None:
        return UTC if found[0][-1] in "Zz" else None
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    if int(minutes or 0) >= _MINUTES:
        raise ValueError(minutes)
    return timezone(-offset if sign == "-" else offset)
