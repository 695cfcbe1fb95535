"""Counts and latest values for the live status and the totals. Nothing here is stored."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from pulsoid_rec.recorder.connection.reconnect import State
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.wording import format_count
from pulsoid_rec.recorder.gaps import Gaps
from pulsoid_rec.recorder.journal.rows import HeartRateRow, MemberEventRow, MessageRow, RejectedMessageRow


@dataclass
class RoomStatus:
    """Status of one room. `received_at` and `occurred_at` are as in rows: microseconds since 1970, UTC."""

    room_id: str
    state: State = State.CONNECTING
    since: float = 0.0  # on trio's clock
    problem: str | None = None
    reconnects: int = 0
    messages: int = 0
    readings: int = 0
    rejected: int = 0
    withheld: int = 0  # messages of members without consent
    withheld_rows: int = 0  # of `rejected_messages`, that count them
    withheld_members: set[str] = field(default_factory=set)  # who sent them, up to `most_members`
    most_members: int = DEFAULT_LIMITS.members  # above it whoever was heard longest ago is left out
    evicted: int = 0
    latest: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # profile -> bpm, received_at, occurred_at
    names: dict[str, str] = field(default_factory=dict)  # profile -> name
    removed: set[str] = field(default_factory=set)  # those of `latest` who were removed from the room
    gaps: Gaps = field(default_factory=partial(Gaps, 0))  # when nobody listened

    @property
    def present(self) -> int:
        """How many members were heard and not removed."""
        return len(self.latest) - len(self.removed)

    def enter(self, state: State, at: float, problem: str | None = None) -> None:
        """Change the state of the connection."""
        if state is State.LIVE and self.state is not State.LIVE:
            self.problem = None
        self.state, self.since = state, at
        if problem is not None:
            self.problem = problem

    def update(self, row: MessageRow) -> None:
        """Count a message, and update its member."""
        self.messages += 1
        if isinstance(row, HeartRateRow):
            self.readings += 1
            self.latest[row.profile_id] = (row.bpm, row.received_at, row.occurred_at)
            if len(self.latest) > self.most_members:
                self._evict()
            if self.removed:
                self.removed.discard(row.profile_id)
        elif isinstance(row, RejectedMessageRow):
            self.rejected += 1
        elif isinstance(row, MemberEventRow):
            self._update_member(row)

    def withhold(self, profile_id: str) -> None:
        """Count a message of a member without consent, who is not shown, or not any more."""
        self.messages += 1
        self.withheld += 1
        if len(self.withheld_members) < self.most_members:
            self.withheld_members.add(profile_id)
        if profile_id in self.latest:  # consent was withdrawn just now
            self.removed.add(profile_id)
            self.names.pop(profile_id, None)

    def describe_withheld(self) -> str:
        """Return what was withheld, such as `12 messages of 2 members`."""
        members = format_count(len(self.withheld_members), "member")
        return f"{format_count(self.withheld, 'message')} of {members}"

    def _update_member(self, row: MemberEventRow) -> None:
        if row.config is None:
            if row.profile_id in self.latest:
                self.removed.add(row.profile_id)
            return
        if row.name is not None:
            self.names[row.profile_id] = row.name
        if len(self.names) > self.most_members:
            del self.names[next(iter(self.names))]

    def _evict(self) -> None:
        """Leave out a tenth of the members, so that this is rarely done."""
        count = len(self.latest) - self.most_members * 9 // 10
        for profile_id in heapq.nsmallest(count, self.latest, key=lambda profile_id: self.latest[profile_id][1]):
            del self.latest[profile_id]
            self.names.pop(profile_id, None)
            self.removed.discard(profile_id)
        self.evicted += count


def count_members(rooms: Iterable[RoomStatus]) -> str:
    """Return how many members were heard, such as `12 members`; only a lower bound where some were left out."""
    rooms = list(rooms)
    lower = sum(room.most_members if room.evicted else len(room.latest) for room in rooms)
    text = format_count(lower, "member")
    return f"more than {text}" if any(room.evicted for room in rooms) else text
