"""Faults to inject on request, to test how a recorder handles them."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
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
    """Faults to inject, each with its number, as `simulate --help` describes them; None for those that do not occur."""

    drop: float | None = None
    stall: float | None = None
    expire: float | None = None
    refuse: int | None = None
    garbage: int | None = None
    repeat: int | None = None


NO_FAULTS = Faults()
_NAMES = tuple(field.name for field in fields(Faults))
_HINT = f"Write NAME:NUMBER; the names are {', '.join(_NAMES)}."


def parse_faults(texts: Iterable[str]) -> Faults:
    """Parse faults written as `name:number`, such as `drop:30`.

    Raises `UsageError` if a name is unknown or repeated, or a number is out of range.
    """
    numbers: dict[str, Any] = {}
    for text in texts:
        name, _, number = text.partition(":")
        if name not in _NAMES:
            raise UsageError(f"There is no fault {text!r}", _HINT)
        if name in numbers:
            raise UsageError(f"The fault {name!r} is given twice", "Give each fault once.")
        numbers[name] = _parse_number(name, number)
    return Faults(**numbers)


def _parse_number(name: str, text: str) -> float:
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
