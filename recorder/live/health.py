"""Whether all is well with a recorder, and if not, why: for the page, `/healthz` and `/metrics`."""

import time
from collections import deque
from collections.abc import Sequence

import msgspec
import trio

from pulsoid_rec.recorder.connection.reconnect import State
from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.contract.wording import format_duration
from pulsoid_rec.recorder.live.events import RecorderEvent
from pulsoid_rec.recorder.live.gaps import Gaps
from pulsoid_rec.recorder.recorder import Recorder

_SLOW_JOURNAL_S = 2.0
_SLOW_DATABASE_S = 15.0
_MOST_LOOKS = 3_600


class Health(msgspec.Struct):
    """The answer of `/healthz`; `why` is one sentence for each thing that is wrong."""

    ok: bool
    why: list[str]


class Watch:
    """Looks at a recorder each second: how far its database is behind, and what is wrong."""

    def __init__(self, recorder: Recorder, gaps: Sequence[Gaps], timings: Timings) -> None:
        self._recorder = recorder
        self._gaps = gaps
        self._timings = timings
        self._appended = 0
        self._looks: deque[tuple[float, int]] = deque(maxlen=_MOST_LOOKS)  # when, and how many rows there were by then

    def look(self, appended: int) -> None:
        """Note that so many more rows were appended to the journal."""
        if appended:
            self._appended += appended
            self._looks.append((trio.current_time(), self._appended))

    @property
    def backlog_s(self) -> float:
        """For how long the oldest row has waited to be in the database, to a second or so."""
        stored = self._recorder.ingester.total.count
        while self._looks and self._looks[0][1] <= stored:
            self._looks.popleft()
        if not self._looks or (self._recorder.ingester.is_idle and not self._recorder.journal.backlog_bytes):
            return 0.0
        return trio.current_time() - self._looks[0][0]

    def describe(self) -> RecorderEvent:
        """Return what the page shows of the recorder."""
        return RecorderEvent(
            journal_bytes=self._recorder.journal.backlog_bytes,
            backlog_s=round(self.backlog_s, 1),
            warnings=self._find_faults(_SLOW_DATABASE_S),
        )

    def check(self) -> Health:
        """Return whether every room is live, or waits in good order, and all received gets into the database."""
        why = self._find_faults(self._timings.unhealthy_after_s)
        for room, gaps in zip(self._recorder.rooms, self._gaps, strict=True):
            since_us = gaps.open_since()
            silent_s = 0.0 if since_us is None else time.time() - since_us / 1e6
            status = room.status
            if status.state is State.REFUSED or silent_s > self._timings.unhealthy_after_s:
                reason = f" ({status.problem})" if status.problem else ""
                why.append(plain(f"Room {room.room_id!r} has not been heard for {format_duration(silent_s)}{reason}."))
        return Health(not why, why)

    def _find_faults(self, most_behind_s: float) -> list[str]:
        journal, ingester, behind_s = self._recorder.journal, self._recorder.ingester, self.backlog_s
        why = []
        if journal.lag_s > _SLOW_JOURNAL_S:
            why.append(f"The journal has not been written for {format_duration(journal.lag_s)}.")
        if journal.is_full:
            why.append("The journal is full: nothing more is received until it is written.")
        if behind_s > most_behind_s:
            reason = f" ({ingester.error.message})" if ingester.error else ""
            why.append(plain(f"The database is {format_duration(behind_s)} behind{reason}. Nothing is lost."))
        if ingester.is_disk_low:
            why.append("The disk is nearly full.")
        return why
