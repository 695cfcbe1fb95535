"""A member of a room, as the live page shows it."""

from collections import deque

from pulsoid_rec.recorder.contract.definitions import zone_of
from pulsoid_rec.recorder.journal.rows import HeartRateRow
from pulsoid_rec.recorder.live.events import MemberEvent, Point
from pulsoid_rec.recorder.live.figures import Figures
from pulsoid_rec.recorder.live.line import Line
from pulsoid_rec.recorder.live.room_clock import RoomClock, least_delayed_us

_LEADS = 31  # the latest, that show how far the clock of a member's sensor is off


class LiveMember:
    """A member with its figures and readings; `room` is None while one is expected and several rooms are recorded."""

    def __init__(self, number: int, profile_id: str, room: int | None, hr_max: float | None, *, expected: bool) -> None:
        self.number = number
        self.profile_id = profile_id
        self.room = room
        self.name = ""
        self._hr_max = hr_max
        self._expected = expected
        self._figures = Figures()
        self._line = Line()
        self._new: list[Point] = []
        self._leads: deque[int] = deque(maxlen=_LEADS)
        self._at_ms: int | None = None
        self._is_new = True

    @property
    def latest_ms(self) -> int | None:
        """When the latest plausible reading was, on the room's clock, also if the member's own is wrong."""
        return self._at_ms if self._line.latest is None or self._at_ms is not None else self._line.latest[0]

    def add(self, row: HeartRateRow, clock: RoomClock, *, is_timely: bool) -> None:
        """Add a reading; `clock` is that of the page."""
        if not is_timely:
            self._figures.left_out += 1
            return
        self._leads.append(row.occurred_at - row.received_at)
        if self._figures.add(row.occurred_at, row.bpm):
            point = (row.occurred_at // 1000, row.bpm)
            if self._line.add(point):
                self._new.append(point)
            if self._line.latest is not None:
                self._at_ms = self._line.latest[0] + (clock.lead_us - least_delayed_us(self._leads)) // 1000

    def add_earlier(self, points: list[Point]) -> None:
        """Put readings from before this run before those of it."""
        self._line = Line({*points, *self._line.points()})

    def snapshot(self) -> MemberEvent:
        """Return all of the member."""
        event = self._current()
        self._describe(event)
        event.line = self._line.points()
        return event

    def update(self, *, is_renamed: bool = False) -> MemberEvent:
        """Return what is new, and begin anew to gather that."""
        event = self._current()
        if self._is_new:
            self._describe(event)
        elif is_renamed:
            event.name = self.name
        event.new, self._new, self._is_new = self._new, [], False
        return event

    def discard_new(self) -> None:
        """Begin anew to gather what is new: there is nobody to send it to."""
        self._new, self._is_new = [], False

    def _describe(self, event: MemberEvent) -> None:
        event.name, event.expected, event.hr_max = self.name, self._expected, self._hr_max

    def _current(self) -> MemberEvent:
        figures = self._figures
        _, bpm = self._line.latest or (None, None)
        return MemberEvent(
            member=self.number,
            room=self.room,
            bpm=bpm,
            at=self.latest_ms,
            zone=None if bpm is None or self._hr_max is None else zone_of(bpm, self._hr_max),
            lowest=figures.lowest,
            highest=figures.highest,
            coverage=figures.coverage,
            readings=figures.readings,
            left_out=figures.left_out,
        )
