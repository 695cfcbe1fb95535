"""Which days are archived: those that have ended, and long enough ago."""

import re
from datetime import UTC, date, datetime, timedelta

from pulsoid_rec.recorder.contract.errors import UsageError

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.IGNORECASE | re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_before(text: str, now: datetime, option: str = "--before") -> date:
    """Return the first day (UTC) that is not archived, or forgotten, at a time `now`.

    The text is how long ago a day must have ended, such as `12h`, `1d` or `2w` (also `s` and `m`), or the date of that
    first day. Raises `UsageError` if it is neither, or a date in the future.
    """
    text = text.strip()
    today = now.astimezone(UTC).date()
    try:
        if duration := _DURATION.fullmatch(text):
            ago = timedelta(**{_UNITS[duration[2].lower()]: float(duration[1])})
            return (now.astimezone(UTC) - ago).date()
        until = date.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{option} cannot be {text!r}", "Write how long ago a day must have ended, such as 12h or 1d, or a date."
        ) from error
    if until > today:
        raise UsageError(f"{option} cannot be {text}, which is in the future", "A day that goes on is not archived.")
    return until
