"""Rows of the tables, as they are encoded in the journal.

Each class is a table of `contract.tables`, each field one of its columns; instants are integer microseconds since 1970
in UTC. A row that came from a message also has the unchanged message, in `raw`, until it is committed.
"""

import msgspec

from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS


class Row(msgspec.Struct, tag_field="table"):
    """Fields of every row: the room, and the connection that received it."""

    room_id: str
    connection_id: str


class HeartRateRow(Row, tag="heart_rate"):
    """A reading."""

    profile_id: str
    bpm: int
    occurred_at: int
    received_at: int
    raw: str


class MemberEventRow(Row, tag="member_events"):
    """A member added or changed (`updated`, with a `config`), or `removed` (without one)."""

    profile_id: str
    event: str
    name: str | None
    config: str | None
    occurred_at: int
    received_at: int
    raw: str


class RoomEventRow(Row, tag="room_events"):
    """The room's settings."""

    name: str | None
    config: str
    occurred_at: int
    received_at: int
    raw: str


class ConnectionEventRow(Row, tag="connection_events"):
    """A change of the connection to the room."""

    event: str
    changed_at: int
    code: int | None = None
    reason: str | None = None


class RejectedMessageRow(msgspec.Struct, tag_field="table", tag="rejected_messages"):
    """A message that could not be parsed; room and connection are unknown for a damaged line of the journal."""

    room_id: str | None
    connection_id: str | None
    received_at: int
    reason: str
    raw: str


class MarkRow(msgspec.Struct, tag_field="table", tag="marks"):
    """A note about an instant; no connection brings it."""

    room_id: str
    profile_id: str | None
    label: str
    kind: str
    marked_at: int
    mark_id: str
    source: str


MessageRow = HeartRateRow | MemberEventRow | RoomEventRow | RejectedMessageRow
AnyRow = MessageRow | ConnectionEventRow | MarkRow


def reject(
    room_id: str | None,
    connection_id: str | None,
    received_at: int,
    reason: str,
    raw: str,
    *,
    size_bytes: int | None = None,
    most_bytes: int = DEFAULT_LIMITS.raw_bytes,
) -> RejectedMessageRow:
    """Make the row of a message that cannot be parsed, with no more of it than `most_bytes`.

    `size_bytes` is how long it was, if `raw` is only its beginning. Where something is left out the reason says so.
    """
    if size_bytes is not None or len(raw) > most_bytes // 4:  # a character has at most 4 bytes
        data = raw.encode()
        kept = data[:most_bytes].decode(errors="ignore")  # the cut may be in a character
        size_bytes = size_bytes or len(data)
        kept_bytes = len(kept.encode())
        if kept_bytes < size_bytes:
            reason = f"{reason}; of {size_bytes:,} bytes the first {kept_bytes:,} are kept"
            raw = kept
    return RejectedMessageRow(room_id, connection_id, received_at, reason, raw)
