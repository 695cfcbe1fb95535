"""How `rejected_messages` counts what was not recorded for want of consent: numbers, and nobody's id."""

from pulsoid_rec.recorder.contract.wording import format_count

_END = " without consent, of whom nothing is recorded"
PATTERN = f"^([0-9,]+) messages? of ([0-9,]+) members?{_END}$"
"""A regular expression, for Python and SQL, of such a reason; its groups are the numbers."""


def withheld_reason(messages: int, members: int) -> str:
    """Return the reason of a row that counts messages, and from how many members they were."""
    return f"{format_count(messages, 'message')} of {format_count(members, 'member')}{_END}"
