"""When a room was not recorded: the times between connections to it."""

from collections.abc import Iterable

from pulsoid_rec.recorder.journal.rows import ConnectionEventRow


class Gaps:
    """The times, in microseconds of the recorder's clock, in which a room was not listened to; oldest first."""

    def __init__(self, since_us: int) -> None:
        self.times: list[tuple[int, int | None]] = [(since_us, None)]
        self._since_us = since_us
        self._ended_s = 0.0

    def update(self, row: ConnectionEventRow) -> None:
        """Begin or end a gap as a connection was lost or opened."""
        since_us, until_us = self.times[-1]
        if row.event == "opened" and until_us is None:
            self.times[-1] = (since_us, max(row.changed_at, since_us))
            self._ended_s += self._length_s(since_us, row.changed_at)
        elif row.event in {"closed", "lost"} and until_us is not None:
            self.times.append((max(row.changed_at, until_us), None))

    def open_since(self) -> int | None:
        """Return since when nobody listens; None while somebody does."""
        since_us, until_us = self.times[-1]
        return since_us if until_us is None else None

    def deaf_s(self, from_us: int, now_us: int) -> float:
        """Return how long nobody listened between two instants, in seconds."""
        ended = ((since_us, now_us if until_us is None else until_us) for since_us, until_us in self.times)
        return sum(max(0, until_us - max(since_us, from_us)) for since_us, until_us in ended) / 1e6

    def total_s(self, now_us: int) -> float:
        """Return how long nobody listened since the start, in seconds."""
        since_us = self.open_since()
        return self._ended_s + (0.0 if since_us is None else self._length_s(since_us, now_us))

    def _length_s(self, since_us: int, until_us: int) -> float:
        return max(0.0, (until_us - max(since_us, self._since_us)) / 1e6)

    def trim(self, before_us: int) -> None:
        """Drop the gaps that ended before an instant, but the last one."""
        while len(self.times) > 1 and (self.times[0][1] or before_us) < before_us:
            del self.times[0]

    def add_earlier(self, listened: Iterable[tuple[int, int]]) -> None:
        """Put the gaps between earlier times of listening, from and until, before the first one."""
        first_us, until_us = self.times[0]
        earlier: list[tuple[int, int | None]] = []
        latest_us: int | None = None
        for begin_us, end_us in sorted(listened):
            if latest_us is not None and begin_us > latest_us:
                earlier.append((latest_us, begin_us))
            latest_us = min(first_us, max(end_us, latest_us or end_us))
        if latest_us is not None:
            self.times[0] = (latest_us, until_us)
        self.times[:0] = earlier
