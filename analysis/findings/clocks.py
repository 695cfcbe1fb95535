"""The clocks of a session: how the room's differs from the recorder's, and a member's from the room's."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

DIFFERENT: Final = timedelta(seconds=30)
"""Clocks are different from here on: delivery takes some seconds, and people set clocks by the minute."""

FIRST, LAST = (at.replace(tzinfo=UTC) for at in (datetime.min, datetime.max))  # noqa: DTZ901 - UTC is added


class Step(NamedTuple):
    """A clock that was set: a member's, or, if `profile_id` is None, those of all against the recorder's."""

    profile_id: str | None
    at: datetime  # within half a minute, on the room's clock
    by: timedelta  # forward, or, if negative, back


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """The clocks of a session."""

    lead: timedelta = timedelta()  # how far the room's is ahead of the recorder's; negative if it is behind
    offsets: Mapping[str, timedelta] = field(default_factory=dict)
    """How far members' clocks are ahead of the room's, if in all of the session, and by `DIFFERENT` or more."""
    steps: tuple[Step, ...] = ()  # clocks that were set while the session was received, in the order of time
    received: Mapping[str, Sequence[tuple[datetime, datetime]]] = field(default_factory=dict)
    """Of members some of whose readings are `DIFFERENT` or more from the room's clock: when any were received, on the
    room's clock, as minutes' first and last, in the order of time.
    """
    heard: AbstractSet[str] = frozenset()  # whose readings were received at that time, whatever session they are in

    @property
    def wrong(self) -> set[str]:
        """The members whose clocks were wrong at some time."""
        return {
            id_ for id_ in self.received if id_ in self.offsets or any(step.profile_id == id_ for step in self.steps)
        }

    def to_room(self, at: datetime) -> datetime:
        """Convert an instant of the recorder's clock to the room's."""
        return _add(at, self.lead)

    def to_recorder(self, at: datetime) -> datetime:
        """Convert an instant of the room's clock to the recorder's."""
        return _add(at, -self.lead)

    def correct(self, profile_id: str, at: datetime) -> datetime:
        """Convert an instant of a member's clock, if it is wrong in all of the session, to the room's."""
        return _add(at, -self.offsets.get(profile_id, timedelta()))

    def unheard(self, profile_id: str, begins_at: datetime, ends_at: datetime) -> list[tuple[datetime, datetime]]:
        """Convert a time without a member's readings to the room's clock, and cut out when some were received.

        Where nothing was received before or after, nothing is known.
        """
        received = self.received.get(profile_id)
        if received is None:
            return [(begins_at, ends_at)]
        at = max(self.correct(profile_id, begins_at), received[0][0])
        until = min(self.correct(profile_id, ends_at), received[-1][1])
        pieces = []
        for first, last in received[bisect_right(received, at, key=lambda minute: minute[1]) :]:
            if first >= until:
                break
            pieces.append((at, first))
            at = last
        return [(begin, end) for begin, end in [*pieces, (at, until)] if begin < end]


def _add(at: datetime, by: timedelta) -> datetime:
    """Add, within the years that Python knows."""
    try:
        return at + by
    except OverflowError:
        return LAST if by > timedelta() else FIRST
