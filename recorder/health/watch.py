"""Whether all is well with a recorder, and if not, why: the one judge, for all who want to know."""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
import trio

from pulsoid_rec.recorder.connection.reconnect import State
from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.member_labels import label_member
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.contract.wording import format_duration
from pulsoid_rec.recorder.health.note import Trouble
from pulsoid_rec.recorder.pulsoid.token_end import WARN_BEFORE
from pulsoid_rec.recorder.recorder import Recorder
from pulsoid_rec.recorder.status import RoomStatus

_SLOW_JOURNAL_S = 2.0
_SLOW_DATABASE_S = 15.0
_MOST_LOOKS = 3_600
_HOUR_US = 3_600_000_000


class Health(msgspec.Struct):
    """The answer of `/healthz`; `why` is one sentence for each thing that is wrong."""

    ok: bool
    why: list[str]


class Watch:
    """Looks at a recorder: how far its database is behind, and what is wrong. To be looked at every second or two."""

    def __init__(self, recorder: Recorder, timings: Timings = DEFAULT_TIMINGS) -> None:
        self._recorder = recorder
        self._timings = timings
        self._started_us = time.time_ns() // 1000
        self._looks: deque[tuple[float, int]] = deque(maxlen=_MOST_LOOKS)  # when, and how many rows there were by then
        self._seen = 0

    def look(self) -> None:
        """Note how many rows there are by now."""
        if self._recorder.journal.appended != self._seen:
            self._seen = self._recorder.journal.appended
            self._looks.append((trio.current_time(), self._seen))

    @property
    def backlog_s(self) -> float:
        """For how long the oldest row has waited to be in the database, to a second or two."""
        self.look()
        stored = self._recorder.ingester.total.count
        while self._looks and self._looks[0][1] <= stored:
            self._looks.popleft()
        if not self._looks or (self._recorder.ingester.is_idle and not self._recorder.journal.backlog_bytes):
            return 0.0
        return trio.current_time() - self._looks[0][0]

    def find_warnings(self) -> list[str]:
        """Return what the live page shows: sooner than it is a trouble."""
        return [trouble.text for trouble in self._find_storage_troubles(_SLOW_DATABASE_S)]

    def check(self) -> Health:
        """Return whether every room is live, or waits in good order, and all received gets into the database."""
        why = [trouble.text for trouble in self._find_own_troubles()]
        return Health(not why, why)

    def find_troubles(self, expected: Mapping[str, str | None]) -> list[Trouble]:
        """Return all that is wrong, also of members and the token; and rooms that were never live, be it for a moment.

        `expected` are the members whose readings are expected, with the names that are known from elsewhere.
        """
        missing = self._find_missing(expected) if expected else ()
        return [*self._find_own_troubles(is_strict=True), *self._find_token_trouble(), *missing]

    def _find_own_troubles(self, *, is_strict: bool = False) -> Iterator[Trouble]:
        yield from self._find_storage_troubles(self._timings.unhealthy_after_s)
        for room in self._recorder.rooms:
            status = room.status
            since_us = status.gaps.open_since()
            silent_s = 0.0 if since_us is None else time.time() - since_us / 1e6
            is_late = silent_s > self._timings.unhealthy_after_s or (is_strict and not room.connection.was_live)
            if status.state is State.REFUSED or (status.state is not State.LIVE and is_late):
                reason = f" ({status.problem})" if status.problem else ""
                when = f"heard for {format_duration(max(silent_s, 0))}" if room.connection.was_live else "connected yet"
                text = f"Room {room.room_id!r} has not been {when}{reason}."
                yield Trouble("room", room.room_id, plain(text))

    def _find_storage_troubles(self, most_behind_s: float) -> Iterator[Trouble]:
        journal, ingester, behind_s = self._recorder.journal, self._recorder.ingester, self.backlog_s
        if journal.is_full:
            yield Trouble("journal", None, "The journal is full: nothing more is received until it is written.")
        elif journal.lag_s > _SLOW_JOURNAL_S:
            yield Trouble("journal", None, f"The journal has not been written for {format_duration(journal.lag_s)}.")
        if behind_s > most_behind_s:
            reason = f" ({ingester.error.message})" if ingester.error else ""
            text = f"The database is {format_duration(behind_s)} behind{reason}. Nothing is lost."
            yield Trouble("database", None, plain(text))
        if ingester.is_disk_low:
            yield Trouble("disk", None, "The disk is nearly full.")

    def _find_token_trouble(self) -> Iterator[Trouble]:
        end = self._recorder.refresh.end
        if end.at is not None and not end.is_refreshed and (left := end.at - datetime.now(UTC)) < WARN_BEFORE:
            when = f"ends in {format_duration(left.total_seconds())}" if left > timedelta(0) else "has ended"
            yield Trouble("token", None, f"The token {when}. Get a new one, or rooms will be refused.")

    def _find_missing(self, expected: Mapping[str, str | None]) -> Iterator[Trouble]:
        """Find who was not heard for long, while the room was: when nobody listened, nobody was silent."""
        now_us = time.time_ns() // 1000
        rooms = [room.status for room in self._recorder.rooms]
        for profile_id, name in expected.items():
            places = [status for status in rooms if profile_id in status.latest]
            if places and all(profile_id in status.removed for status in places):
                continue  # from the room, by its owner
            heard_us = max((status.latest[profile_id][1] for status in places), default=self._started_us)
            listened_s = max(_listened_s(status, heard_us, now_us) for status in places or rooms)
            if listened_s > self._timings.missing_after_s:
                label = label_member(profile_id, name, *(status.names.get(profile_id) for status in places))
                ago = format_duration((now_us - heard_us) / 1e6)
                when = f"for {ago}" if places else f"since the recorder started {ago} ago"
                yield Trouble("member", profile_id, f"No reading of {label} {when}.")


def _listened_s(status: RoomStatus, from_us: int, now_us: int) -> float:
    from_us = max(from_us, now_us - _HOUR_US)  # gaps are known for an hour
    return (now_us - from_us) / 1e6 - status.gaps.deaf_s(from_us, now_us)
