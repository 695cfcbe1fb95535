"""What is sent to the page over server-sent events, as JSON: the contract between server and page.

`GET /events` sends `snapshot` first, and again whenever all is to be replaced (once what was recorded before the start
has been read); then `update` each second, with what has changed. Of an update, a field that is missing has not changed.

Instants are milliseconds since 1970 on the clock of the room: that by which its readings are stamped. `now` is the
present on it; between two events it goes on as any clock does. The browser's own clock is for nothing else.

`POST /marks` takes `{"label", "kind"?, "room"?, "member"?, "ago_ms"?}` as JSON: `kind` is `mark` or `phase`; `room` a
number or id, all rooms without it; `member` a number, profile id or name; `ago_ms` how long ago it was. The answer is
201 with `{"id", "at"}`. `{"kind": "undo", "id"}` undoes a mark. What is refused is answered with `{"error"}`, a
sentence.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

WINDOW_MS = 3_600_000
"""How much of the past is sent, in milliseconds."""

Point = tuple[int, int]
"""When a reading occurred, and its bpm."""


class RoomEvent(msgspec.Struct, kw_only=True):
    """A room; in an update only if something of it changed, and then all of it."""

    room: int  # its number, in the order of the command line
    id: str
    name: str | None
    state: str  # connecting, live, waiting, refused, stopped
    since: int
    why: str | None  # it is not live
    gaps: list[tuple[int, int | None]]  # when nobody listened: from, and until, or None while it lasts


class MemberEvent(msgspec.Struct, kw_only=True):
    """A member in a room; new ones come with all fields. Figures are of this run, as in a report of it.

    A snapshot has `line`: the plausible readings of the last hour. In the older part, of those in 4 s the lowest and
    the highest are kept, and as many more as it takes for no two to be over 5 s apart where there is no gap. An update
    has `new`: what is to be added to it.
    """

    member: int  # a running number
    room: int | None  # None: expected, but several rooms are recorded
    name: str | UnsetType = UNSET
    expected: bool | UnsetType = UNSET  # described in members.toml
    hr_max: float | UnsetType | None = UNSET
    bpm: int | UnsetType | None = UNSET  # of the latest plausible reading
    at: int | UnsetType | None = UNSET  # when that was, by the room's clock: a member's own may be wrong
    zone: int | UnsetType | None = UNSET
    lowest: int | UnsetType | None = UNSET
    highest: int | UnsetType | None = UNSET
    coverage: float | UnsetType | None = UNSET
    readings: int | UnsetType = UNSET  # plausible ones
    left_out: int | UnsetType = UNSET  # readings in no figure: implausible, duplicate or untimely
    line: list[Point] | UnsetType = UNSET
    new: list[Point] | UnsetType = UNSET


class MarkEvent(msgspec.Struct, kw_only=True):
    """A mark or phase; an `undo` removes the one with its id."""

    at: int
    label: str
    kind: Literal["mark", "phase", "undo"]
    room: int | None  # None: all rooms
    member: int | None  # None: the whole room
    id: str


class RecorderEvent(msgspec.Struct, kw_only=True):
    """The recorder itself."""

    journal_bytes: int  # not in a closed file of the journal yet
    backlog_s: float  # for how long the oldest row has waited to be in the database
    warnings: list[str]


class Snapshot(msgspec.Struct, kw_only=True):
    """Everything."""

    now: int
    started_at: int
    window_s: int = WINDOW_MS // 1000
    rooms: list[RoomEvent]
    members: list[msgspec.Raw]  # of `MemberEvent`, encoded one by one
    more_members: int  # how many are not shown, since there are too many
    marks: list[MarkEvent]
    recorder: RecorderEvent


class Update(msgspec.Struct, kw_only=True):
    """What changed since the last event."""

    now: int
    rooms: list[RoomEvent] | UnsetType = UNSET
    members: list[msgspec.Raw] | UnsetType = UNSET
    more_members: int | UnsetType = UNSET
    marks: list[MarkEvent] | UnsetType = UNSET
    recorder: RecorderEvent | UnsetType = UNSET


encode = msgspec.json.Encoder().encode


def frame(name: Literal["snapshot", "update"], content: Snapshot | Update) -> bytes:
    """Return an event as it is sent."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), encode(content))
