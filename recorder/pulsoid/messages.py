"""Parse the messages of a room. Pure: a text in, a row out; never raises.

Pulsoid sends JSON objects with a `kind`, a `timestamp` and one payload field named as the kind. Unknown fields are
ignored, half an emoji (an escape of half a surrogate pair) is taken for U+FFFD, and an instant may have any form of
ISO 8601; anything else that is not as documented becomes a `RejectedMessageRow` with the reason.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from pulsoid_rec.recorder.connection.text_frames import LongText, Text
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.journal.rows import HeartRateRow, MemberEventRow, MessageRow, RoomEventRow, reject
from pulsoid_rec.recorder.pulsoid.configs import name_of
from pulsoid_rec.recorder.pulsoid.timestamps import parse_timestamp

KINDS = ("heart_rate", "room_member_updated", "room_member_removed", "room_updated")
"""All kinds of message; requested by name, since the server's default is only the first."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Id = Annotated[str, msgspec.Meta(max_length=DEFAULT_LIMITS.id_chars)]
_Instant = TypeVar("_Instant")


class _HeartRate(msgspec.Struct):
    profile_id: _Id
    bpm: Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]  # the column is an INTEGER


class _MemberUpdated(msgspec.Struct):
    profile_id: _Id
    config: Raw


class _MemberRemoved(msgspec.Struct):
    profile_id: _Id


class _RoomUpdated(msgspec.Struct):
    room_id: _Id
    config: Raw


class _Message(msgspec.Struct, Generic[_Instant], tag_field="kind", kw_only=True):
    """Fields of every message: each kind requires its own payload, and allows no other but null."""

    timestamp: _Instant
    heart_rate: UnsetType | None = UNSET
    room_member_updated: UnsetType | None = UNSET
    room_member_removed: UnsetType | None = UNSET
    room_updated: UnsetType | None = UNSET


class _HeartRateMessage(_Message[_Instant], tag="heart_rate", kw_only=True):
    heart_rate: _HeartRate  # type: ignore[assignment] # required here, forbidden in the base


class _MemberUpdatedMessage(_Message[_Instant], tag="room_member_updated", kw_only=True):
    room_member_updated: _MemberUpdated  # type: ignore[assignment] # required here, forbidden in the base


class _MemberRemovedMessage(_Message[_Instant], tag="room_member_removed", kw_only=True):
    room_member_removed: _MemberRemoved  # type: ignore[assignment] # required here, forbidden in the base


class _RoomUpdatedMessage(_Message[_Instant], tag="room_updated", kw_only=True):
    room_updated: _RoomUpdated  # type: ignore[assignment] # required here, forbidden in the base


class _AnyForm:
    """An instant in any form of ISO 8601."""

    def __init__(self, at: datetime) -> None:
        self.at = at


def _parse_any_form(_type: type, value: Any) -> _AnyForm:
    found = parse_timestamp(value) if isinstance(value, str) else None
    try:
        return _AnyForm(found or msgspec.convert(value, datetime))
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None  # to which the decoder adds where that is


_decode = msgspec.json.Decoder(
    _HeartRateMessage[datetime]
    | _MemberUpdatedMessage[datetime]
    | _MemberRemovedMessage[datetime]
    | _RoomUpdatedMessage[datetime]
).decode
_decode_leniently = msgspec.json.Decoder(
    _HeartRateMessage[_AnyForm]
    | _MemberUpdatedMessage[_AnyForm]
    | _MemberRemovedMessage[_AnyForm]
    | _RoomUpdatedMessage[_AnyForm],
    dec_hook=_parse_any_form,
).decode


def parse_message(
    frame: Text, *, room_id: str, connection_id: str, received_at: int, raw_bytes: int = DEFAULT_LIMITS.raw_bytes
) -> MessageRow:
    """Parse a text message, received at `received_at` (microseconds since 1970, UTC), into the row to store.

    What cannot be parsed gives a `RejectedMessageRow` with the reason and up to `raw_bytes` of the message; with 0 the
    reason quotes nothing of it either. Nothing is raised.
    """
    if isinstance(frame, LongText):
        size = frame.size_bytes
        return reject(
            room_id, connection_id, received_at, frame.reason, frame.start, size_bytes=size, most_bytes=raw_bytes
        )
    try:
        try:
            return _row(_decode(frame), frame, room_id, connection_id, received_at)
        except ValueError:  # includes msgspec's errors
            message: _Message[Any] = _decode_leniently(_replace_half_characters(frame))
            message.timestamp = message.timestamp.at
            return _row(message, frame, room_id, connection_id, received_at)
    except RecursionError:
        reason = "it is nested too deeply"
    except OverflowError:
        reason = "`timestamp` is outside the years 1 to 9999"
    except ValueError as error:
        reason = _format_reason(str(error), may_quote=raw_bytes > 0) if frame else "it is empty"
    return reject(room_id, connection_id, received_at, reason, frame, most_bytes=raw_bytes)


# Escapes in JSON's texts: all up to the next half of a surrogate pair, or that.
_WHOLE = r"(?:[^u]|u(?![dD][89a-fA-F])|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
_ESCAPES = re.compile(rf"\\(?:{_WHOLE}(?:[^\\]*+\\{_WHOLE})*+|(u[dD][89a-fA-F][0-9a-fA-F]{{2}}))")


def _replace_half_characters(frame: str) -> str:
    return _ESCAPES.sub(lambda found: r"\ufffd" if found[1] else found[0], frame)


def _row(message: _Message[Any], frame: str, room_id: str, connection_id: str, received_at: int) -> MessageRow:
    occurred_at = _microseconds(message.timestamp)
    if isinstance(message, _HeartRateMessage):
        reading = message.heart_rate
        return HeartRateRow(room_id, connection_id, reading.profile_id, reading.bpm, occurred_at, received_at, frame)
    if isinstance(message, _MemberUpdatedMessage):
        member = message.room_member_updated
        config = _json_object(member.config)
        name = name_of(config, DEFAULT_LIMITS.name_chars)
        return MemberEventRow(
            room_id, connection_id, member.profile_id, "updated", name, config, occurred_at, received_at, frame
        )
    if isinstance(message, _MemberRemovedMessage):
        left = message.room_member_removed
        return MemberEventRow(
            room_id, connection_id, left.profile_id, "removed", None, None, occurred_at, received_at, frame
        )
    assert isinstance(message, _RoomUpdatedMessage)
    config = _json_object(message.room_updated.config)
    name = name_of(config, DEFAULT_LIMITS.name_chars)
    return RoomEventRow(room_id, connection_id, name, config, occurred_at, received_at, frame)


def _microseconds(instant: datetime) -> int:
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)  # a timestamp without an offset is taken as UTC
    elif instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)  # raises OverflowError where UTC has no such year
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _json_object(config: Raw) -> str:
    data = bytes(config)
    if not data.startswith(b"{"):
        raise ValueError("`config` is not an object")
    if len(data) > DEFAULT_LIMITS.config_bytes:
        raise ValueError(f"`config` has more than {DEFAULT_LIMITS.config_bytes:,} bytes")
    return data.decode()


_NO_KIND = "there is no kind {0!r}"

# Errors of msgspec, and reasons for the user: groups are filled in, types by their names below.
_REASONS = [
    (re.compile(pattern), reason)
    for pattern, reason in (
        ("Input data was truncated", "it is cut off"),
        ("JSON is malformed: (.*)", "it is not JSON: {0}"),
        (r"Expected `object`, got `(\w+)`", "it is {0}, not an object"),
        (r"Expected `str`(?:, got `\w+`)? - at `\$\.kind`", "`kind` is not a text"),
        ("Invalid value '(.*)' - at `\\$\\.kind`", _NO_KIND),
        (r"Object missing required field `(\w+)`", "`{0}` is missing"),
        (r"Object missing required field `(\w+)` - at `\$\.(\S+)`", "`{1}.{0}` is missing"),
        (r"Invalid RFC3339 encoded datetime - at `\$\.(\S+)`", "`{0}` is not an instant such as 2024-01-15T10:30:00Z"),
        (rf"Expected `null`, got `\w+` - at `\$\.({'|'.join(KINDS)})`", "it has a second payload, `{0}`"),
        (r"Expected `str` of length <= (\d+) - at `\$\.(\S+)`", "`{1}` has more than {0} characters"),
        (r"Expected `(\w+)`, got `(\w+)` - at `\$\.(\S+)`", "`{2}` is {1}, not {0}"),
        (r"Expected `int` ([<>]=) (\S+) - at `\$\.(\S+)`", "`{2}` is not {0} {1}"),
        (r"Integer value out of range - at `\$\.(\S+)`", "`{0}` is too large a number"),
    )
]
_TYPE_NAMES = {
    "array": "an array",
    "bool": "true or false",
    "datetime": "an instant",
    "float": "a number with a fraction or an exponent",
    "int": "a whole number",
    "null": "null",
    "object": "an object",
    "str": "a text",
}
_LONGEST_REASON = 200


def _format_reason(fault: str, *, may_quote: bool) -> str:
    """Return what is wrong with a message, from msgspec's error."""
    for pattern, reason in _REASONS:
        if found := pattern.fullmatch(fault):
            if reason == _NO_KIND and not may_quote:
                return "there is no such kind"
            return reason.format(*(_TYPE_NAMES.get(group, group) for group in found.groups()))[:_LONGEST_REASON]
    return fault[:_LONGEST_REASON] if may_quote else "it is not as documented"
