"""A row on its way to the tables: what a line of the journal holds.

Each class is a table of `contract.tables`, each field one of its columns; instants are integer microseconds since 1970
in UTC. A row that came from a message also carries the message word for word, in `raw`, until it is committed.
"""

import msgspec


class Row(msgspec.Struct, tag_field="table"):
    """What all rows share: the room, and the connection that brought it."""

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
    """A member added, changed (`updated`, with a `config`) or gone (`removed`, without)."""

    profile_id: str
    event: str
    config: str | None
    occurred_at: int
    received_at: int
    raw: str


class RoomEventRow(Row, tag="room_events"):
    """The room's settings."""

    config: str
    occurred_at: int
    received_at: int
    raw: str


class ConnectionEventRow(Row, tag="connection_events"):
    """A change of the connection to the room."""

    event: str
    at: int
    code: int | None = None
    reason: str | None = None


class RejectedMessageRow(msgspec.Struct, tag_field="table", tag="rejected_messages"):
    """A message that was not understood; a damaged journal does not tell where from."""

    room_id: str | None
    connection_id: str | None
    received_at: int
    reason: str
    raw: str


MessageRow = HeartRateRow | MemberEventRow | RoomEventRow | RejectedMessageRow
AnyRow = MessageRow | ConnectionEventRow
