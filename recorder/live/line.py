"""The readings of a member's last hour, to be drawn: all of the last minutes, and of those before what a screen needs.

Of the older readings in `_PIECE_MS` the lowest and the highest are kept, and as many more as it takes for no two to be
further apart than a reading holds, unless there was a gap: so that a line drawn through them breaks at the gaps alone.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from itertools import islice

from pulsoid_rec.recorder.live.events import WINDOW_MS, Point
from pulsoid_rec.recorder.live.figures import MAX_HOLD_US

HOLD_MS = MAX_HOLD_US // 1000
RECENT_MS = 600_000
"""For how long all readings are kept."""
_MOST_RECENT = 2_000
_MOST_OLDER = 3 * WINDOW_MS // 4_000
_PIECE_MS = 4_000


class Line:
    """Readings in the order of time; plausible ones only are to be added."""

    def __init__(self, points: Iterable[Point] = ()) -> None:
        self._older: deque[Point] = deque(maxlen=_MOST_OLDER)
        self._piece: list[Point] = []  # of the older ones, those that are not thinned yet
        self._recent: list[Point] = []
        for point in sorted(points):
            self.add(point)

    def add(self, point: Point) -> bool:
        """Add a reading; one that comes too late to be placed is left out: return whether it was added."""
        recent = self._recent
        if recent and point < recent[-1]:
            place = bisect_right(recent, point)
            if place == 0 and (self._piece or self._older):
                return False
            recent.insert(place, point)
            return True
        recent.append(point)
        while recent[0][0] < point[0] - RECENT_MS or len(recent) > _MOST_RECENT:
            count = max(1, bisect_right(recent, (point[0] - RECENT_MS, 0), hi=min(len(recent), 200)))
            for old in recent[:count]:
                self._age(old)
            del recent[:count]
        oldest_ms = point[0] - WINDOW_MS
        while self._older and self._older[0][0] < oldest_ms:
            self._older.popleft()
        return True

    def points(self) -> list[Point]:
        """Return all that is to be drawn, in the order of time."""
        return [*self._older, *self._piece, *self._recent]

    @property
    def latest(self) -> Point | None:
        """The last reading."""
        return self._recent[-1] if self._recent else None

    def _age(self, point: Point) -> None:
        piece = self._piece
        if piece and (point[0] - piece[0][0] >= _PIECE_MS or point[0] - piece[-1][0] > HOLD_MS):
            self._older.extend(thin(piece, self._older[-1] if self._older else None, point))
            piece.clear()
        piece.append(point)


def thin(piece: list[Point], before: Point | None, after: Point) -> list[Point]:
    """Return of neighbouring readings the lowest, the highest, and those without which gaps would seem to be there."""
    kept = {min(piece, key=_bpm), max(piece, key=_bpm)}
    found: list[Point] = []
    last = before
    ends = [*islice(piece, 1, None), after]
    for point, following in zip(piece, ends, strict=True):
        is_needed = last is not None and following[0] - last[0] > HOLD_MS >= point[0] - last[0]
        if point in kept or is_needed or (last is None and not found):
            found.append(point)
            last = point
    return found


def _bpm(point: Point) -> int:
    return point[1]
