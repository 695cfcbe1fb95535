"""Counts, lists and durations as text, the same in every message, table and page."""

from collections.abc import Sequence


def format_count(count: int, noun: str) -> str:
    """Return a count with its noun, such as `1 reading` or `1,860 readings`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def format_list(names: Sequence[str], most: int = 8) -> str:
    """Return names separated by commas; of more than `most` the others are only counted: `a, b and 7 more`."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def format_duration(seconds: float) -> str:
    """Return a duration in seconds as text with its two largest units, such as `4 min 1 s`."""
    if 0 < seconds < 1:
        return f"{seconds:.1f} s"
    minutes, left_s = divmod(round(seconds), 60)
    hours, left_min = divmod(minutes, 60)
    days, left_h = divmod(hours, 24)
    parts = [(days, "d"), (left_h, "h"), (left_min, "min"), (left_s, "s")]
    first = next((i for i, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count:,} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"


def shorten(text: str, most_chars: int) -> str:
    """Return a text with at most so many characters; where some are left out it ends with an ellipsis."""
    return text if len(text) <= most_chars else f"{text[: most_chars - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"
