"""What the live page shows: rows in, snapshots and updates out. No sockets, and no clock but the one passed in."""

import logging
from collections.abc import Sequence

import msgspec
import trio

from pulsoid_rec.recorder.connection.reconnect import State
from pulsoid_rec.recorder.contract.display import is_visible, plain
from pulsoid_rec.recorder.gaps import Gaps
from pulsoid_rec.recorder.journal.rows import (
    AnyRow,
    ConnectionEventRow,
    HeartRateRow,
    MarkRow,
    MemberEventRow,
    RejectedMessageRow,
    RoomEventRow,
)
from pulsoid_rec.recorder.live.events import (
    WINDOW_MS,
    MarkEvent,
    MemberEvent,
    RecorderEvent,
    RoomEvent,
    Snapshot,
    Update,
    encode,
)
from pulsoid_rec.recorder.live.history import History
from pulsoid_rec.recorder.live.member import LiveMember
from pulsoid_rec.recorder.live.members import LiveMembers
from pulsoid_rec.recorder.live.room_clock import RoomClock
from pulsoid_rec.recorder.marking.board import MarkBoard
from pulsoid_rec.recorder.status import RoomStatus

_AT_ONCE = 100
"""Rows, or members, that are worked on before the other tasks have their turn: a fraction of a millisecond."""

log = logging.getLogger(__name__)


class LiveState:
    """The state of the live page.

    Parameters
    ----------
    rooms
        The status of each room, in the order of the command line.
    members
        Who is shown.
    board
        The marks.
    started_us
        When the run began, by the recorder's clock.
    """

    def __init__(
        self,
        rooms: Sequence[RoomStatus],
        members: LiveMembers,
        board: MarkBoard,
        started_us: int,
    ) -> None:
        self.rooms = tuple(rooms)
        self.clock = RoomClock()  # of all that is shown
        self._clocks = {room.room_id: RoomClock() for room in rooms}
        self.gaps = [Gaps(started_us) for _ in rooms]
        self.members = members
        self._numbers = {room.room_id: number for number, room in enumerate(rooms)}
        self._names: list[str | None] = [None for _ in rooms]
        self._board = board
        self._started_us = started_us
        self._changed: dict[LiveMember, None] = {}
        self._sent_rooms: list[RoomEvent] = []
        self._marks: dict[str, MarkEvent] = {}
        self._sent_marks = self._marks
        self._snapshot_marks: dict[str, MarkEvent] = {}  # since the last update: perhaps not all viewers have them
        self._described_changes = 0
        self._entered: dict[int, tuple[float, int]] = {}  # by room: `since`, and what that is on the room's clock
        self._has_failed = False

    async def add(self, rows: Sequence[AnyRow]) -> None:
        """Take in rows, in the order of their receipt; one that cannot be shown is left out, and logged once."""
        self.clock.observe(row for row in rows if isinstance(row, HeartRateRow))
        by_room: dict[str, list[HeartRateRow]] = {}
        for row in rows:
            if isinstance(row, HeartRateRow) and row.room_id in self._clocks:
                by_room.setdefault(row.room_id, []).append(row)
        for room_id, readings in by_room.items():
            self._clocks[room_id].observe(readings)
        for count, row in enumerate(rows, start=1):
            try:
                self._add(row)
            except Exception:
                if not self._has_failed:
                    log.exception("The live page cannot show a row. It is recorded all the same.")
                self._has_failed = True
            if count % _AT_ONCE == 0:
                await trio.lowlevel.checkpoint()

    def _add(self, row: AnyRow) -> None:
        if isinstance(row, (RejectedMessageRow, MarkRow)) or (number := self._numbers.get(row.room_id)) is None:
            return
        if isinstance(row, HeartRateRow):
            if (member := self.members.find(number, row.profile_id)) is not None:
                member.add(row, self.clock, is_timely=self._clocks[row.room_id].is_timely(row))
                self._changed[member] = None
        elif isinstance(row, MemberEventRow):
            self.members.set_name(row.profile_id, row.name)
        elif isinstance(row, RoomEventRow):
            self._names[number] = row.name or self._names[number]
        elif isinstance(row, ConnectionEventRow):
            self.gaps[number].update(row)

    async def add_history(self, history: History) -> None:
        """Put what was recorded before this run before it; what is known of this run goes on."""
        for (room_id, profile_id), points in history.lines.items():
            if (member := self.members.find(self._numbers[room_id], profile_id)) is not None:
                member.add_earlier(points)
            await trio.lowlevel.checkpoint()
        for profile_id, name in history.member_names.items():
            self.members.set_name(profile_id, name, is_earlier=True)
        for room_id, name in history.room_names.items():
            number = self._numbers[room_id]
            self._names[number] = self._names[number] or name
        for room_id, listened in history.listened.items():
            self.gaps[self._numbers[room_id]].add_earlier(listened)

    async def snapshot(self, now_us: int, recorder: RecorderEvent) -> Snapshot:
        """Return everything, as of the last update."""
        self.members.update_names()
        members = []
        for member in sorted(self.members, key=lambda member: member.number):
            members.append(msgspec.Raw(encode(member.snapshot())))
            await trio.lowlevel.checkpoint()
        marks = self._describe_marks()
        self._snapshot_marks |= marks
        return Snapshot(
            now=self.clock.to_ms(now_us),
            started_at=self.clock.to_steady_ms(self._started_us),
            rooms=self._describe_rooms(now_us),
            members=members,
            more_members=self.members.more,
            marks=list(marks.values()),
            recorder=recorder,
        )

    async def update(self, now_us: int, recorder: RecorderEvent) -> Update:
        """Return what has changed since the last snapshot or update."""
        update = Update(now=self.clock.to_ms(now_us), recorder=recorder)
        renamed = self.members.update_names()
        changed, self._changed = {**self._changed, **dict.fromkeys(renamed)}, {}
        if changed:
            update.members = []
            update.more_members = self.members.more
        for count, member in enumerate(changed, start=1):
            event: MemberEvent = member.update(is_renamed=member in renamed)
            assert isinstance(update.members, list)
            update.members.append(msgspec.Raw(encode(event)))
            if count % _AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
        rooms = self._describe_rooms(now_us)
        known = self._sent_rooms
        if different := [room for room in rooms if room not in known[room.room : room.room + 1]]:
            update.rooms, self._sent_rooms = different, rooms
        if marks := self._update_marks():
            update.marks = marks
        return update

    def discard_changes(self) -> None:
        """Begin anew to gather what has changed: there is nobody to send it to."""
        for member in self._changed:
            member.discard_new()
        self._changed.clear()

    def _describe_rooms(self, now_us: int) -> list[RoomEvent]:
        earliest_us = now_us - WINDOW_MS * 1000
        rooms = []
        for number, status in enumerate(self.rooms):
            self.gaps[number].trim(earliest_us)
            name = self._names[number]
            rooms.append(
                RoomEvent(
                    room=number,
                    id=plain(status.room_id),
                    name=plain(name) if name is not None and is_visible(name) else None,
                    state=status.state.value,
                    since=self._since_ms(number, status, now_us),
                    why=None if status.state is State.LIVE or status.problem is None else plain(status.problem),
                    gaps=[self._gap_ms(*gap) for gap in self.gaps[number].times],
                )
            )
        return rooms

    def _gap_ms(self, since_us: int, until_us: int | None) -> tuple[int, int | None]:
        to_ms = self.clock.to_steady_ms
        return to_ms(since_us), None if until_us is None else to_ms(until_us)

    def _since_ms(self, number: int, status: RoomStatus, now_us: int) -> int:
        """Return since when a room has its state, worked out once, or it would differ by a bit each time."""
        known = self._entered.get(number)
        if known is None or known[0] != status.since:
            since_us = now_us - round((trio.current_time() - status.since) * 1e6)
            known = self._entered[number] = (status.since, self.clock.to_steady_ms(max(since_us, self._started_us)))
        return known[1]

    def _update_marks(self) -> list[MarkEvent]:
        """Return the marks that are new, and an `undo` for each that is gone."""
        sent, marks = self._sent_marks, self._describe_marks()
        if marks is sent:
            return []
        shown = sent | self._snapshot_marks
        gone = [msgspec.structs.replace(mark, kind="undo") for id_, mark in shown.items() if id_ not in marks]
        self._sent_marks, self._snapshot_marks = marks, {}
        return [*gone, *(mark for id_, mark in marks.items() if id_ not in sent)]

    def _describe_marks(self) -> dict[str, MarkEvent]:
        """Return the marks that were not undone, by id; the same object while there are no others."""
        if self._board.changes != self._described_changes:
            self._described_changes = self._board.changes
            by_id: dict[str, list[MarkRow]] = {}
            for row in self._board.marks:
                by_id.setdefault(row.mark_id, []).append(row)
            known = self._marks
            self._marks = {id_: known.get(id_) or self._describe_mark(rows) for id_, rows in by_id.items()}
        return self._marks

    def _describe_mark(self, rows: Sequence[MarkRow]) -> MarkEvent:
        row, number = rows[0], self._numbers[rows[0].room_id]
        member = None if row.profile_id is None else self.members.find(number, row.profile_id)
        return MarkEvent(
            at=self.clock.to_ms(row.marked_at),
            label=plain(row.label),
            kind="phase" if row.kind == "phase" else "mark",
            room=None if len(rows) == len(self.rooms) > 1 else number,
            member=None if member is None else member.number,
            id=row.mark_id,
        )
