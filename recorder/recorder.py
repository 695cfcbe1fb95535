"""One run of the recorder: rooms, journal and ingest, from the token check until everything is in the database."""

import logging
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import time_ns

import trio

from pulsoid_rec.recorder.clock import ReceiptClock
from pulsoid_rec.recorder.connection.poller import Poller
from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.consent import Consent
from pulsoid_rec.recorder.contract.errors import DatabaseBusyError, PulsoidRecError, RefusedError, StorageError
from pulsoid_rec.recorder.contract.ids import new_id
from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits
from pulsoid_rec.recorder.contract.members_file import find_members_file, read_members_file
from pulsoid_rec.recorder.contract.paths import require_valid_path
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.contract.wording import format_count, format_list
from pulsoid_rec.recorder.ingest.database import NO_CHECKPOINT, open_database
from pulsoid_rec.recorder.ingest.schedule import Ingester
from pulsoid_rec.recorder.journal.journal import Journal
from pulsoid_rec.recorder.journal.segment import find_segments
from pulsoid_rec.recorder.marking.board import MarkBoard
from pulsoid_rec.recorder.pulsoid.credentials import Credentials
from pulsoid_rec.recorder.pulsoid.token_refresh import TokenRefresh
from pulsoid_rec.recorder.room import Room
from pulsoid_rec.recorder.suspension import SuspensionWatch

_MOST_NAMED = 3
_MOST_REFUSED = 50

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """What to record, from where, and into what."""

    rooms: tuple[str, ...]
    database: Path
    server_url: ServerUrl
    credentials: Credentials
    kinds: tuple[str, ...]
    duration_s: float | None = None
    keep_journal: bool = False
    consent_file: Path | None = None  # the members file by which only who consented is recorded; None: everybody is
    members_file: Path | None = None  # of the live page; None: the one beside the database, if any
    run_id: str = field(default_factory=new_id)


class Recorder:
    """One run of the recorder, inside trio.

    Creating one waits for the disk: `await trio.to_thread.run_sync(Recorder, options)`.
    """

    def __init__(
        self,
        options: Options,
        *,
        timings: Timings = DEFAULT_TIMINGS,
        limits: Limits = DEFAULT_LIMITS,
        time_ns: Callable[[], int] = time_ns,
    ) -> None:
        require_valid_path(options.database)  # before any file is made
        self.options = options
        self.started_at = 0.0  # on trio's clock
        self.stop = trio.Event()
        self.is_ending = False
        self._timings = timings
        self.consent = None if options.consent_file is None else Consent(options.consent_file, timings)
        folder = journal_folder(options.database)
        try:
            self._left_by_crashes = find_segments(folder)
            self.journal = Journal(folder, options.run_id, timings, limits, options.rooms)
        except OSError as error:
            raise StorageError(
                f"Cannot write the journal {folder}: {error.strerror or error}", "Choose another database with --db."
            ) from error
        clock = ReceiptClock(time_ns)
        self._suspensions = SuspensionWatch(clock, timings)
        self.marks = MarkBoard(options.rooms, self._names_of, self.journal.append, clock)
        """What the page and the API mark with, and the marks to be shown."""
        self.ingester = Ingester(
            options.database,
            self.journal,
            timings,
            limits,
            keep_journal=options.keep_journal,
            on_marks=self.marks.merge,
        )
        self.poller = Poller(timings)
        self.refresh = TokenRefresh(options.server_url, options.credentials, timings)
        self.rooms = [
            Room(
                room_id=room_id,
                server_url=options.server_url,
                refresh=self.refresh,
                kinds=options.kinds,
                journal=self.journal,
                poller=self.poller,
                stop=self.stop,
                on_refused=self._on_refused,
                timings=timings,
                limits=limits,
                clock=clock,
                suspensions=self._suspensions,
                consent=self.consent,
            )
            for room_id in options.rooms
        ]
        self._checking = trio.CancelScope()
        self._refused: dict[str, RefusedError] = {}
        self._error: PulsoidRecError | None = None
        self._is_over = False  # as `duration_s` is

    async def run(self, show: Callable[["Recorder"], Awaitable[None]] | None = None) -> None:
        """Record until a signal arrives, the duration is over, or the server refuses every room at the start.

        `show` is a task that shows the status; it is cancelled at the end. Raises `RefusedError` if the server refused
        the token, or every room, before anything was recorded, or if the duration is over and there are rooms that were
        never connected; `StorageError` if the database cannot be used, or not everything is in it at the end.
        """
        self.started_at = trio.current_time()
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._watch_signals, nursery.cancel_scope)
                nursery.start_soon(self._suspensions.run)
                if self.consent is not None:
                    log.log(logging.INFO if self.consent.is_given else logging.WARNING, "%s", self.consent)
                    nursery.start_soon(self.consent.run)
                try:
                    await self._check()
                    nursery.start_soon(self.refresh.end.watch)
                    if show is not None:
                        nursery.start_soon(show, self)
                    if self.options.duration_s is not None:
                        nursery.start_soon(self._stop_after, self.options.duration_s)
                    await self._record()
                except PulsoidRecError as error:
                    self._error = error
                nursery.cancel_scope.cancel()
        finally:
            self.journal.release()
        if self._error is not None:
            raise self._error
        self.ingester.require_complete()
        if self._is_over and (unconnected := self.describe_unconnected()):
            raise RefusedError(unconnected, "Correct the causes in brackets, and start again.")

    def describe_unconnected(self) -> str | None:
        """Return which rooms were never connected, and why, without a full stop; None if all were."""
        named = [
            f"{room.room_id!r} ({room.status.problem or 'the server has not answered'})"
            for room in self.rooms
            if not room.connection.was_live
        ]
        if not named:
            return None
        rooms = format_count(len(named), "room")
        return f"Nothing was recorded of {rooms} that never connected: {format_list(named, _MOST_NAMED)}"

    def _names_of(self, room_id: str) -> dict[str, str | None]:
        """Return who was heard in a room, by profile id, with the names of the members file or else of configs."""
        [status] = [room.status for room in self.rooms if room.room_id == room_id]
        names: dict[str, str | None] = {**dict.fromkeys(status.latest), **status.names}
        if (path := find_members_file(self.options.database, self.options.members_file)) is not None:
            names.update((id_, member.name) for id_, member in read_members_file(path).items() if member.name)
        return {id_: name for id_, name in names.items() if self.consent is None or id_ in self.consent.members}

    async def _check(self) -> None:
        """Check database and token before anything is recorded."""
        if self.options.database.exists():
            try:
                await trio.to_thread.run_sync(check_database, self.options.database)
            except DatabaseBusyError as error:
                log.info("%s Until then, rows stay in the journal.", error)
        with self._checking:
            await self.refresh.check_or_replace()

    async def _record(self) -> None:
        async with trio.open_nursery() as storage:
            storage.start_soon(self.journal.run)
            storage.start_soon(self.ingester.run, self._left_by_crashes)
            async with trio.open_nursery() as polling:
                polling.start_soon(self.poller.run)
                async with trio.open_nursery() as rooms:
                    for room in self.rooms:
                        rooms.start_soon(room.run)
                    await self.stop.wait()
                    self.is_ending = True
                    rooms.cancel_scope.deadline = trio.current_time() + self._timings.disconnect_timeout_s
                    storage.cancel_scope.deadline = trio.current_time() + self._timings.shutdown_timeout_s
                polling.cancel_scope.cancel()
            self.journal.finish()

    async def _watch_signals(
        self, everything: trio.CancelScope, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        with trio.open_signal_receiver(*_ending_signals()) as signals:
            task_status.started()
            async for _ in signals:
                if self.is_ending or self.stop.is_set():
                    everything.cancel()
                    return
                self.stop.set()
                self._checking.cancel()  # do not wait for a server that does not answer

    async def _stop_after(self, duration_s: float) -> None:
        await trio.sleep(duration_s)
        self._is_over = not self.stop.is_set()
        self.stop.set()

    def _on_refused(self, room: Room, error: RefusedError) -> None:
        """End the command once every room is refused and none was ever live."""
        self._refused[room.room_id] = error
        if len(self._refused) == len(self.rooms) and not any(room.connection.was_live for room in self.rooms):
            self._error = error
            if len({refusal.message for refusal in self._refused.values()}) > 1:  # each is about its own room
                others = format_list([room_id for room_id in self._refused if room_id != room.room_id], _MOST_REFUSED)
                self._error = RefusedError(f"{error.message}. Also refused: {others}", error.hint)
            self.stop.set()


def _ending_signals() -> list[signal.Signals]:
    """Return the signals that end a recording: Ctrl-C, a request to end, a terminal that is closed."""
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is None or signal.getsignal(hangup) is signal.SIG_IGN:  # under nohup
        return [signal.SIGINT, signal.SIGTERM]
    return [signal.SIGINT, signal.SIGTERM, hangup]


def check_database(path: Path) -> None:
    """Raise `StorageError` if the database cannot be used; migrate an older one."""
    with open_database(path, NO_CHECKPOINT):  # if one fails, ingest goes on without it
        pass
