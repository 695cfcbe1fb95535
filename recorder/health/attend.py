"""The task beside a recorder that says how it is doing: to its status file, to systemd, and to the user's command."""

import logging
import os
import time
from datetime import UTC, datetime
from heapq import nlargest

import trio

from pulsoid_rec.recorder.connection.reconnect import State
from pulsoid_rec.recorder.contract.journal_files import journal_folder, status_path
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.contract.wording import format_count, shorten
from pulsoid_rec.recorder.health.expected import ExpectedMembers
from pulsoid_rec.recorder.health.note import MemberNote, Note, RoomNote, Trouble, write_note
from pulsoid_rec.recorder.health.on_trouble import Command, OnTrouble
from pulsoid_rec.recorder.health.service import Service, find_service
from pulsoid_rec.recorder.health.watch import Watch
from pulsoid_rec.recorder.recorder import Recorder
from pulsoid_rec.recorder.status import RoomStatus

_HOUR_US = 3_600_000_000
_MOST_CHARACTERS = 300  # of a reason

log = logging.getLogger(__name__)


class Attendant:
    """Attends to one recorder; an error of ours is logged once, and ends nothing."""

    def __init__(
        self,
        recorder: Recorder,
        command: Command | None = None,
        *,
        timings: Timings = DEFAULT_TIMINGS,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._recorder, self._command = recorder, command
        self._timings, self._limits = timings, limits
        self._watch = Watch(recorder, timings)
        self._expected = ExpectedMembers(recorder)
        self._folder = journal_folder(recorder.options.database)
        self._started_at = _now()
        self._heard_since_us = 0  # members last heard before are not listed
        self._has_written = False
        self._known: set[tuple[str, str | None]] = set()  # troubles that were logged, and are not over
        self._failures: set[str] = set()
        self._limiter = trio.CapacityLimiter(1)  # its own, as slow name servers can occupy all of trio's threads

    async def run(self) -> None:
        """Attend until cancelled."""
        try:
            await self._attend()
        except* Exception as error:
            log.error("How this run is doing is written no more, for an internal error.", exc_info=error)

    async def _attend(self) -> None:
        service = find_service()
        if service is not None:
            service.send("READY=1")
        try:
            async with trio.open_nursery() as nursery:
                if service is not None:
                    nursery.start_soon(service.feed_watchdog, self._recorder.poller)
                    nursery.start_soon(self._announce_end, service)
                nursery.start_soon(self._report, service, nursery)
                await self._write()
        finally:
            if service is not None:
                service.close()

    async def _report(self, service: Service | None, nursery: trio.Nursery) -> None:
        """Look, and report what is wrong; this waits for no disk."""
        on_trouble = None if self._command is None else OnTrouble(self._command, self._timings)
        while True:
            try:
                troubles = self._find_troubles()
                self._log_new(troubles)
                if on_trouble is not None and not self._recorder.is_ending:
                    on_trouble.update(troubles, nursery)
                if service is not None:
                    self._notify(service, troubles)
            except Exception as error:  # noqa: BLE001 - the next look may be well
                self._log_once("What is wrong cannot be reported. Recording is not affected.", error)
            await trio.sleep(self._timings.status_every_s / 2)

    async def _write(self) -> None:
        written_at = trio.current_time()
        while True:
            try:
                note = self._make_note()
                await trio.to_thread.run_sync(self._write_note, note, limiter=self._limiter)
                written_at = trio.current_time()
            except OSError as error:  # once is nothing: on Windows somebody may be reading it
                if trio.current_time() > written_at + self._timings.stale_status_s:
                    reason = error.strerror or error
                    self._log_once(f"Cannot write the status of this run: {reason}. Recording continues.")
            except Exception as error:  # noqa: BLE001 - the next one may be well
                self._log_once("The status of this run cannot be written. Recording continues.", error)
            await trio.sleep(self._timings.status_every_s)

    def _write_note(self, note: Note) -> None:
        """Write the note, and look at what else is on the disk."""
        if self._has_written and not status_path(self._folder, note.run_id).exists():
            # `forget` has removed it: whom it took out is heard anew from now on.
            self._heard_since_us = time.time_ns() // 1000
            note.members = []
            note.troubles = [trouble for trouble in note.troubles if trouble.kind != "member"]
        write_note(self._folder, note)
        self._has_written = True
        self._expected.update()

    def _find_troubles(self) -> list[Trouble]:
        return self._watch.find_troubles(self._expected.names)

    def _log_new(self, troubles: list[Trouble]) -> None:
        """Log who is missing, once while that lasts; the others are logged where they come from."""
        now = {(trouble.kind, trouble.subject): trouble.text for trouble in troubles if trouble.kind == "member"}
        for key, text in now.items():
            if key not in self._known:
                log.warning("%s", text)
        self._known = set(now)

    def _log_once(self, text: str, error: Exception | None = None) -> None:
        if text not in self._failures:
            log.error("%s", text, exc_info=error)
        self._failures.add(text)

    async def _announce_end(self, service: Service) -> None:
        await self._recorder.stop.wait()
        service.send("STOPPING=1")

    def _notify(self, service: Service, troubles: list[Trouble]) -> None:
        live = sum(room.status.state is State.LIVE for room in self._recorder.rooms)
        text = f"{live} of {format_count(len(self._recorder.rooms), 'room')} live"
        service.set_status(troubles[0].text if troubles else text)

    def _make_note(self) -> Note:
        recorder, now = self._recorder, _now()
        now_us = round(now.timestamp() * 1e6)
        rooms = [room.status for room in recorder.rooms]
        members, more = self._describe_members(rooms)
        error = recorder.ingester.error
        return Note(
            run_id=recorder.options.run_id,
            pid=os.getpid(),
            started_at=self._started_at,
            written_at=now,
            is_ending=recorder.is_ending,
            rooms=[_describe_room(status, now_us) for status in rooms],
            members=members,
            more_members=more,
            journal_bytes=recorder.journal.backlog_bytes,
            database_behind_s=round(self._watch.backlog_s, 1),
            database_error=None if error is None else shorten(error.message, _MOST_CHARACTERS),
            token_ends_at=recorder.refresh.end.at,
            troubles=self._find_troubles(),
        )

    def _describe_members(self, rooms: list[RoomStatus]) -> tuple[list[MemberNote], int]:
        """Describe those heard last, up to the limit, and those expected; return how many are left out."""
        expected = self._expected.names
        heard = [
            (received_at, occurred_at, profile_id, status)
            for status in rooms
            for profile_id, (_, received_at, occurred_at) in status.latest.items()
            if profile_id not in status.removed and received_at > self._heard_since_us
        ]
        listed = nlargest(self._limits.status_members, heard, key=lambda each: each[0])
        notes = [
            MemberNote(
                room_id=status.room_id,
                profile_id=profile_id,
                name=expected.get(profile_id) or status.names.get(profile_id),
                last_reading_at=_to_datetime(received_at),
                lag_s=(received_at - occurred_at) / 1e6,
                expected=profile_id in expected,
            )
            for received_at, occurred_at, profile_id, status in listed
        ]
        known = {profile_id for _, _, profile_id, _ in heard}
        silent = [id_ for id_ in expected if id_ not in known][: self._limits.status_members]
        notes += [
            MemberNote(
                room_id=None, profile_id=id_, name=expected[id_], last_reading_at=None, lag_s=None, expected=True
            )
            for id_ in silent
        ]
        return notes, len(heard) - len(listed)


def _describe_room(status: RoomStatus, now_us: int) -> RoomNote:
    hour_ago_us = now_us - _HOUR_US
    status.gaps.trim(hour_ago_us)
    since_us = now_us - round((trio.current_time() - status.since) * 1e6)
    last_us = max((received_at for _, received_at, _ in status.latest.values()), default=None)
    is_live = status.state is State.LIVE
    return RoomNote(
        room_id=status.room_id,
        state=status.state.value,
        since=_to_datetime(since_us),
        why=None if is_live or status.problem is None else shorten(status.problem, _MOST_CHARACTERS),
        last_reading_at=None if last_us is None else _to_datetime(last_us),
        members=status.present,
        reconnects=status.reconnects,
        deaf_s=round(status.gaps.deaf_s(hour_ago_us, now_us), 3),
    )


def _to_datetime(instant_us: int) -> datetime:
    return datetime.fromtimestamp(instant_us / 1e6, UTC)


def _now() -> datetime:
    return datetime.now(UTC)
