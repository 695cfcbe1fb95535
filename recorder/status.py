"""Counts and latest values for the live status and the totals. Nothing here is stored."""

from dataclasses import dataclass, field

from pulsoid_rec.recorder.connection.reconnect import State
from pulsoid_rec.recorder.journal.rows import HeartRateRow, MemberEventRow, MessageRow, RejectedMessageRow


@dataclass
class RoomStatus:
    """Status of one room. `received_at` is as in rows: microseconds since 1970, UTC."""

    room_id: str
    state: State = State.CONNECTING
    since: float = 0.0  # on trio's clock
    problem: str | None = None
    reconnects: int = 0
    messages: int = 0
    readings: int = 0
    rejected: int = 0
    latest: dict[str, tuple[int, int]] = field(default_factory=dict)  # profile -> bpm, received_at
    names: dict[str, str] = field(default_factory=dict)  # profile -> name
    removed: set[str] = field(default_factory=set)  # profiles removed from the room

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
            self.latest[row.profile_id] = (row.bpm, row.received_at)
            if self.removed:
                self.removed.discard(row.profile_id)
        elif isinstance(row, RejectedMessageRow):
            self.rejected += 1
        elif isinstance(row, MemberEventRow):
            self._update_member(row)

    def _update_member(self, row: MemberEventRow) -> None:
        if row.config is None:
            self.removed.add(row.profile_id)
            return
        if row.name is not None:
            self.names[row.profile_id] = row.name
