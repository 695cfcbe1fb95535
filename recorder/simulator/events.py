"""Events that change a room on request, in one grammar for `--event`, a replay's column `event` and `POST /control`."""

import math
from typing import Any, NamedTuple

import msgspec

from pulsoid_rec.recorder.contract.errors import UsageError

GRAMMAR = (
    "join:NAME, remove:NAME, rename:NAME:NEW, config:NAME:{JSON}, bpm:NAME:NUMBER, room:{JSON}, close:CODE, binary, "
    "send:TEXT"
)
CUT_CODE = 1006  # stands for an end without a close frame
_HINT = f"Write one of {GRAMMAR}."
_LARGEST_BPM = 2**31 - 1  # what the table can hold
_SPARE_DEPTH = 100


class Event(NamedTuple):
    """An event, `time_s` seconds after the play began.

    `member` is a profile id or a name, `value` what the action needs besides: a name, heart rate, config, code or text.
    """

    time_s: float
    action: str
    member: str = ""
    value: Any = None
    occurred_us: int | None = None  # its own time where that is another, likewise since the beginning


def parse_timed_event(text: str) -> Event:
    """Parse `SECONDS:EVENT`, such as `30:remove:Ada`; raise `UsageError` if it is not that."""
    seconds, _, event = text.partition(":")
    try:
        time_s = float(seconds)
    except ValueError:
        time_s = math.nan
    if not (math.isfinite(time_s) and time_s >= 0):
        raise UsageError(
            f"The event {text[:60]!r} does not begin with its time", "Write SECONDS:EVENT, such as 30:remove:Ada."
        )
    return parse_event(event, time_s)


def parse_event(text: str, time_s: float = 0.0) -> Event:
    """Parse an event such as `rename:Ada:Ada B.`; raise `UsageError` if it is none."""
    action, colon, rest = text.partition(":")
    try:
        text.encode()
        return Event(time_s, action, *_parse_arguments(action, rest if colon else None))
    except (ValueError, RecursionError) as error:  # also what is no UTF-8, and what msgspec raises
        raise UsageError(f"The event {text[:60]!r} {_describe(error)}", _HINT) from None


def _parse_arguments(action: str, rest: str | None) -> tuple[str, Any]:  # noqa: PLR0911 - one for each action
    """Return the member and the value; raise ValueError with what is wrong."""
    match action, rest:
        case "binary", None:
            return "", None
        case "send", str(text):
            return "", text
        case "close", str(code):
            return "", _parse_code(code)
        case "room", str(config):
            return "", _parse_config(config)
        case (("join" | "remove"), str(name)):
            return _require_name(name), None
        case "rename", str(names):
            name, _, new = names.partition(":")
            return _require_name(name), _require_name(new)
        case "config", str(member):
            name, _, config = member.partition(":{")
            return _require_name(name), _parse_config("{" + config)
        case "bpm", str(member):
            name, _, bpm = member.rpartition(":")
            return _require_name(name), _parse_bpm(bpm)
    raise ValueError("is none")


def _require_name(name: str) -> str:
    if not name.strip():
        raise ValueError("lacks a name")
    return name.strip()


def _parse_bpm(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _LARGEST_BPM):  # noqa: PLR2004 - digits
        raise ValueError(f"has {text[:20]!r} as heart rate, which is not a whole number")
    return int(text)


def _parse_code(text: str) -> int:
    code = int(text) if text.isascii() and text.isdigit() and len(text) == 4 else 0  # noqa: PLR2004 - of every code
    # RFC 6455, section 7.4, and what is registered since; 1004, 1005 and 1015 are never sent.
    if code not in {1000, 1001, 1002, 1003, *range(CUT_CODE, 1015), *range(3000, 5000)}:
        raise ValueError("has no close code: 1000 to 1014 or 3000 to 4999, or 1006 to cut without one")
    return code


def _parse_config(text: str) -> dict[str, Any]:
    config = msgspec.json.decode(text)
    msgspec.json.decode(f"{'[' * _SPARE_DEPTH}{text}{']' * _SPARE_DEPTH}")  # messages have it deeper, from deeper calls
    if not isinstance(config, dict):
        raise ValueError("has a config that is not a JSON object")  # noqa: TRY004 - no type of ours
    return config


def _describe(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "is not UTF-8"
    return f"has no valid JSON: {error}" if isinstance(error, msgspec.DecodeError | RecursionError) else str(error)
