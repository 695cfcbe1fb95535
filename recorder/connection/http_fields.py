"""What a server that refuses says in its HTTP answer: when to come back, and where it moved to. Pure."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

_LONGEST_S = 10**9
_HOST = re.compile(r"[A-Za-z0-9.-]{1,64}|\[[0-9A-Fa-f:.]{2,45}\]")


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """Return how long to wait, in seconds from `now`, from `Retry-After`: a number or a date; None if it is neither."""
    if text is None:
        return None
    if re.fullmatch("[0-9]+", text):
        return float(min(int(text[:10]), _LONGEST_S))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter of a year or an offset that no int has room for
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())


def parse_origin(location: str | None) -> str | None:
    """Return scheme, host and port from `Location`, nothing else: the rest may hold what nobody is to see.

    None without a host, or if that is not one.
    """
    try:
        parts = urlsplit(location or "")
        host, port = parts.netloc.rpartition("@")[2].removesuffix(f":{parts.port}"), parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https", "ws", "wss"} or not _HOST.fullmatch(host):
        return None
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")
