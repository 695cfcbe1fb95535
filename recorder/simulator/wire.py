"""Messages as Pulsoid sends them, and the WebSocket frames that carry them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

Config = Mapping[str, Any]  # of a room or a member: any JSON object


class Kind(StrEnum):
    """What a message is about; the payload field has the same name."""

    HEART_RATE = "heart_rate"
    ROOM_MEMBER_UPDATED = "room_member_updated"
    ROOM_MEMBER_REMOVED = "room_member_removed"
    ROOM_UPDATED = "room_updated"


class RecordedConfig(Mapping[str, Any]):
    """A config that is sent word for word as it is in `text`, its JSON; one that is no object has no values."""

    def __init__(self, text: str) -> None:
        self.text = text
        values = None
        with suppress(RecursionError):
            values = json.loads(text)
        self._values: dict[str, Any] = values if isinstance(values, dict) else {}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def message(kind: Kind, at: datetime, payload: Mapping[str, Any]) -> bytes:
    """Build the compact JSON of an event that occurred at an aware instant."""
    return msgspec.json.encode({"kind": kind, "timestamp": _timestamp(at), kind: payload}, enc_hook=_encode_recorded)


def heart_rate(profile_id: str, bpm: int, at: datetime) -> bytes:
    """Build the message of one reading."""
    return message(Kind.HEART_RATE, at, {"profile_id": profile_id, "bpm": bpm})


def member_updated(profile_id: str, config: Config, at: datetime) -> bytes:
    """Build the message that a member was added or changed."""
    return message(Kind.ROOM_MEMBER_UPDATED, at, {"profile_id": profile_id, "config": config})


def room_updated(room_id: str, config: Config, at: datetime) -> bytes:
    """Build the message that carries a room's config, first or changed."""
    return message(Kind.ROOM_UPDATED, at, {"room_id": room_id, "config": config})


def _encode_recorded(config: RecordedConfig) -> msgspec.Raw:
    return msgspec.Raw(config.text.encode())


def _timestamp(at: datetime) -> str:
    """Format an aware instant as ISO 8601 in UTC with `Z`, with as few digits as it needs: 0, 3 or 6."""
    precision = "microseconds" if at.microsecond % 1000 else "milliseconds" if at.microsecond else "seconds"
    return at.astimezone(UTC).isoformat(timespec=precision).removesuffix("+00:00") + "Z"


def text_frame(payload: bytes) -> bytes:
    """Wrap a message into a whole, unmasked text frame, as a server sends it (RFC 6455, section 5.2).

    The same bytes go to every client, which is what makes many clients and high rates cheap.
    """
    return _frame(b"\x81", payload)


def binary_frame(payload: bytes) -> bytes:
    """Wrap bytes into a binary frame, which Pulsoid never sends and clients are to ignore."""
    return _frame(b"\x82", payload)


def _frame(first: bytes, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:  # noqa: PLR2004 - the standard's own limits
        return first + size.to_bytes(1, "big") + payload
    if size < 1 << 16:
        return first + b"\x7e" + size.to_bytes(2, "big") + payload
    return first + b"\x7f" + size.to_bytes(8, "big") + payload
