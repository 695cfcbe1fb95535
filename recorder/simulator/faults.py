"""Troubles on request, so that a recorder can be seen to cope with them."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from pulsoid_rec.recorder.contract.errors import UsageError

MALFORMED = (
    b'{"kind":"heart_rate","timestamp":"2024-01-15T10:3',
    b"",
    b"null",
    b"[1,2,3]",
    b"pulsoid",
    b'{"kind":"heart_rate","timestamp":"2024-01-15T10:30:00Z"}',
    b'{"kind":"heart_rate","timestamp":"yesterday","heart_rate":{"profile_id":"user-1","bpm":85}}',
    b'{"kind":"heart_rate","timestamp":"2024-01-15T10:30:00Z","heart_rate":{"profile_id":"user-1","bpm":"fast"}}',
    b'{"kind":"weather","timestamp":"2024-01-15T10:30:00Z","weather":{"sky":"grey"}}',
)


@dataclass(frozen=True)
class Faults:
    """What goes wrong by itself; None for what does not.

    Parameters
    ----------
    drop
        About every so many seconds each connection is cut, with no word of closing.
    stall
        After about so many seconds each connection goes dead: it stays open, and answers nothing, not even pings.
    expire
        Seconds that a token lives.
    refuse
        HTTP status with which every connection is refused.
    garbage
        About one reading in so many is followed by a malformed message.
    repeat
        So many of a room's latest readings come again on each new connection.
    """

    drop: float | None = None
    stall: float | None = None
    expire: float | None = None
    refuse: int | None = None
    garbage: int | None = None
    repeat: int | None = None


NO_FAULTS = Faults()
HELP = MappingProxyType(
    {
        "drop:S": "cut each connection about every S seconds",
        "stall:S": "each connection goes dead after about S seconds, without closing",
        "expire:S": "tokens live for S seconds",
        "refuse:STATUS": "refuse every connection with this HTTP status",
        "garbage:N": "about one reading in N is followed by a malformed message",
        "repeat:N": "a new connection gets the room's latest N readings again",
    }
)
_HINT = f"The faults are {', '.join(HELP)}."


def parse_faults(texts: Iterable[str]) -> Faults:
    """Read faults written as `name:number`, such as `drop:30`.

    Raises
    ------
    UsageError
        For an unknown name, a name given twice, or a number that makes no sense.
    """
    numbers: dict[str, Any] = {}
    for text in texts:
        name, _, number = text.partition(":")
        if name not in (field.name for field in fields(Faults)):
            raise UsageError(f"There is no fault {text!r}", _HINT)
        if name in numbers:
            raise UsageError(f"The fault {name!r} is given twice", "Give each fault once.")
        numbers[name] = _number(name, number)
    return Faults(**numbers)


def _number(name: str, text: str) -> float:
    whole = name in ("refuse", "garbage", "repeat")
    lowest, highest = (300, 599) if name == "refuse" else (1, 10**6) if whole else (0.1, 10**6)
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        number = -1
    if not lowest <= number <= highest:
        kind = "a whole number" if whole else "a number of seconds"
        raise UsageError(f"The fault {name!r} needs {kind} from {lowest} to {highest}, not {text!r}", _HINT)
    return number
