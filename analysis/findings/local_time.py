"""Instants as local time: every printed one, with its date, is accepted by `metrics.filters.parse_instant`."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo


def to_local(at: datetime, zone: tzinfo | None) -> datetime:
    """Convert an aware instant to a time zone, None for this computer's; it stays UTC where the zone has no such year.

    That can only be the first or last day of the years 1 to 9999.
    """
    try:
        return at.astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return at.astimezone(UTC)


def fixed_zone(at: datetime, zone: tzinfo | None) -> timezone:
    """Return the offset from UTC at an aware instant in a time zone; None for this computer's."""
    return timezone(to_local(at, zone).utcoffset() or timedelta())


def find_change(start: datetime, end: datetime, zone: tzinfo | None) -> datetime | None:
    """Return when clocks were first changed between two instants, to the second; None if they were not."""
    step = max(timedelta(hours=1), (end - start) / 1000)
    offset = fixed_zone(start, zone)
    before, after = start, start
    while fixed_zone(after, zone) == offset:
        if after >= end:
            return None
        before, after = after, min(end, after + min(step, end - after))
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        before, after = (middle, after) if fixed_zone(middle, zone) == offset else (before, middle)
    return after.replace(microsecond=0)


def format_instant(at: datetime, zone: tzinfo | None, timespec: str = "seconds") -> str:
    """Format an aware instant as `2026-01-31 20:15:00` in a time zone, with its offset where it needs one to be known.

    It does in the hour that comes twice when clocks are set back.
    """
    local = to_local(at, zone)
    return (local if _is_ambiguous(at, zone) else local.replace(tzinfo=None)).isoformat(" ", timespec)


def format_clock(at: datetime, zone: tzinfo | None, start: datetime, timespec: str = "seconds") -> str:
    """Format an instant of a session that began at `start`: the time of day, with the date unless it began on it.

    The offset from UTC stands beside it where it is not that of `start`, or `format_instant` has one.
    """
    local, local_start = to_local(at, zone), to_local(start, zone)
    has_offset = local.utcoffset() != local_start.utcoffset() or _is_ambiguous(at, zone)
    text = (local if has_offset else local.replace(tzinfo=None)).isoformat(" ", timespec)
    return text.partition(" ")[2] if local.date() == local_start.date() else text


def _is_ambiguous(at: datetime, zone: tzinfo | None) -> bool:
    """Return whether the local time without an offset could be read as another instant, or as none."""
    wall = to_local(at, zone).replace(tzinfo=zone)
    try:
        return any(wall.replace(fold=fold).astimezone(UTC) != at for fold in (0, 1))
    except (OverflowError, ValueError, OSError):
        return True
