"""The journal: every row is on disk within 50 ms of its receipt.

`append` encodes rows into memory and never waits for a disk. `run` writes them soon afterwards in a worker thread;
meanwhile another thread syncs each second, or closes the segment once the ingester is waiting for one, so a slow disk
does not delay the writing. While the disk fails, rows stay in memory. Above a limit receivers wait in `wait_for_space`,
and TCP's flow control stops the server. Nothing is dropped.
"""

import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import TypeVar

import msgspec
import trio

from pulsoid_rec.recorder.contract.journal_files import lock_path, status_path
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits
from pulsoid_rec.recorder.contract.owned_files import require_own_folder
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.disk.lock_file import LockFile
from pulsoid_rec.recorder.disk.sync import sync_folder
from pulsoid_rec.recorder.journal.rows import AnyRow
from pulsoid_rec.recorder.journal.segment import encode_line, remove_stale_locks, remove_stale_statuses
from pulsoid_rec.recorder.journal.segment_writer import SegmentRemovedError, SegmentWriter

_LOCK_ATTEMPTS = 20
_T = TypeVar("_T")

log = logging.getLogger(__name__)


class Journal:
    """The journal of one run of the recorder, whose `run_id` is unique.

    While it runs, its lock file names the `rooms` that it records.
    Creates the folder, readable only by its owner; raises `OSError` if it cannot be created or written to.
    """

    def __init__(
        self,
        folder: Path,
        run_id: str,
        timings: Timings = DEFAULT_TIMINGS,
        limits: Limits = DEFAULT_LIMITS,
        rooms: Sequence[str] = (),
    ) -> None:
        self._folder = folder
        self.run_id = run_id
        self._timings = timings
        self._limits = limits
        self._made = [path for path in (folder, *folder.parents) if not path.exists()]
        self._lock = create_lock(folder, run_id, rooms)
        remove_stale_statuses(folder)
        remove_stale_locks(folder)
        sync_folder(folder.parent)
        self.close_after_s = timings.segment_age_s
        """Age at which a segment is closed; a large one is closed after `large_segment_age_s` at the latest."""
        self._count = 0
        self._pending = bytearray()  # lines that no writer has yet
        self._writer: SegmentWriter | None = None
        self._closing: SegmentWriter | None = None  # the previous one, while it is being closed
        self._unsynced_bytes = 0  # what the writers keep in memory
        self._opened_at = self._synced_at = -math.inf
        self._limiter = trio.CapacityLimiter(2)  # its own, as slow name servers can occupy all of trio's threads
        self._is_syncing = False
        self._wake = trio.Event()
        self._space = trio.Event()
        self._finish = trio.Event()
        self._is_failing = False
        self._unwritten_since: float | None = None
        self.appended = 0
        """Rows appended so far."""
        self.listener: Callable[[AnyRow], object] | None = None
        """Is called with each row, if there is one; never blocks, never fails."""
        self._closed, self.segments = trio.open_memory_channel[Path](math.inf)
        """Receives the paths of the closed segments, oldest first."""

    def append(self, row: AnyRow) -> None:
        """Append a row. Never blocks, never fails."""
        if not self._pending and self._unwritten_since is None:
            self._unwritten_since = monotonic()
        self._pending += encode_line(row)
        self.appended += 1
        self._wake.set()
        if self.listener is not None:
            self.listener(row)

    @property
    def backlog_bytes(self) -> int:
        """Bytes appended that are not in a closed segment yet."""
        return len(self._pending) + sum(writer.size for writer in self._writers)

    @property
    def unwritten_bytes(self) -> int:
        """Bytes appended that no file has yet."""
        return len(self._pending) + sum(writer.unwritten_bytes for writer in self._writers)

    @property
    def lag_s(self) -> float:
        """For how long the oldest row that no file has yet has waited, in seconds."""
        return 0.0 if self._unwritten_since is None else monotonic() - self._unwritten_since

    @property
    def is_full(self) -> bool:
        """Whether more than `memory_bytes` are in memory: see `wait_for_space`."""
        return len(self._pending) + self._unsynced_bytes > self._limits.memory_bytes

    async def wait_for_space(self) -> None:
        """Wait while `is_full`."""
        while self.is_full:
            await self._space.wait()

    def finish(self) -> None:
        """Make `run` write and close everything, then return."""
        self._finish.set()
        self._wake.set()

    async def run(self) -> None:
        """Write until `finish`.

        Cancelled, it still writes what was appended, and leaves the last segment open, as a crash would.
        """
        try:
            with self._closed:
                async with trio.open_nursery() as nursery:
                    while not (self._finish.is_set() and not self._pending and not self._writers):
                        await self._pause()
                        await self._attempt(self._write)
                        self._start_sync_or_close(nursery)
        finally:
            with trio.CancelScope(shield=True), contextlib.suppress(OSError):
                await self._write()
            for writer in self._writers:
                writer.close_unsynced()

    def release(self) -> None:
        """Release the lock: others may ingest what is left. Remove folders that are empty: this one, and new ones."""
        with contextlib.suppress(OSError):  # while it is locked: a status without a lock is of a run that crashed
            status_path(self._folder, self.run_id).unlink(missing_ok=True)
        self._lock.release()
        with contextlib.suppress(OSError):  # it is not empty, or another recorder uses it
            for folder in dict.fromkeys((self._folder, *self._made)):
                folder.rmdir()

    @property
    def _writers(self) -> list[SegmentWriter]:
        return [writer for writer in (self._closing, self._writer) if writer is not None]

    async def _pause(self) -> None:
        """Wait for work, then for `write_every_s`, to write less often; at the end, no longer than necessary."""
        write_every_s = self._timings.write_every_s
        if not self._pending and not self._finish.is_set():
            self._wake = trio.Event()
            with trio.move_on_at(self._next_due_at() - write_every_s):
                await self._wake.wait()
        with trio.move_on_after(write_every_s):
            await (self._space if self._is_syncing else self._finish).wait()

    async def _write(self) -> None:
        began_at = monotonic()
        if self._pending and self._writer is None:
            name = f"{self.run_id}-{self._count:08}"
            self._count += 1  # even if the file cannot be opened
            self._writer = await self._in_thread(self._open, name)
            self._opened_at = self._synced_at = trio.current_time()
        if self._pending and self._writer is not None:
            # From here the writer keeps the lines, even if writing fails.
            self._writer.append(self._pending)
            self._pending = bytearray()
            self._update_memory()
        for writer in self._writers:
            if writer.unwritten_bytes:
                await self._in_thread(writer.write)
        self._unwritten_since = began_at if self._pending else None  # appended meanwhile, or thereabouts

    def _open(self, name: str) -> SegmentWriter:
        writer = SegmentWriter(self._folder, name)
        self._lock.renew()  # the folder may have been emptied
        return writer

    def _start_sync_or_close(self, nursery: trio.Nursery) -> None:
        """Sync or close the segment in the background if that is due."""
        writer, now = self._writer, trio.current_time()
        if self._is_syncing or writer is None or writer.unwritten_bytes:
            return
        if self._is_close_due(writer, now):
            self._writer, self._closing, self._is_syncing = None, writer, True
            nursery.start_soon(self._close, writer)
        elif writer.unsynced_bytes and now >= self._synced_at + self._timings.sync_every_s:
            self._synced_at, self._is_syncing = now, True
            nursery.start_soon(self._sync, writer)

    def _next_due_at(self) -> float:
        """Return when the segment is to be synced or closed next; infinity without one."""
        if self._is_syncing or any(writer.unwritten_bytes for writer in self._writers):
            return -math.inf
        if self._writer is None:
            return math.inf
        sync_at = self._synced_at + self._timings.sync_every_s if self._writer.unsynced_bytes else math.inf
        return min(sync_at, self._close_at(self._writer))

    def _close_at(self, writer: SegmentWriter) -> float:
        is_large = writer.size >= self._limits.large_segment_bytes
        age_s = min(self.close_after_s, self._timings.large_segment_age_s) if is_large else self.close_after_s
        return self._opened_at + age_s

    def _is_close_due(self, writer: SegmentWriter, now: float) -> bool:
        is_ingester_waiting = self.segments.statistics().tasks_waiting_receive > 0
        is_too_large = writer.size >= self._limits.segment_bytes
        return self._finish.is_set() or is_too_large or (is_ingester_waiting and now >= self._close_at(writer))

    async def _sync(self, writer: SegmentWriter) -> None:
        await self._attempt(lambda: self._in_thread(writer.sync))
        if not writer.unsynced_bytes:
            self._log_recovery()
        self._update_memory()
        self._is_syncing = False

    async def _close(self, writer: SegmentWriter) -> None:
        async def close_and_send() -> None:
            segment = await self._in_thread(writer.close)
            self._closing = None
            self._closed.send_nowait(segment)

        try:
            while self._closing is writer:
                await self._attempt(close_and_send)
            self._log_recovery()
        except SegmentRemovedError:
            self._closing = None
            log.error(
                "A file of the journal in %s was removed: %d bytes received are lost. Change nothing in that folder.",
                self._folder,
                writer.size,
            )
        self._update_memory()
        self._is_syncing = False

    async def _attempt(self, step: Callable[[], Awaitable[None]]) -> None:
        """Run a step. If the disk fails, log it once and wait: the caller retries."""
        try:
            await step()
        except OSError as error:
            if not self._is_failing:
                log.error(
                    "Cannot write the journal in %s: %s. What is received is kept in memory and written as soon as "
                    "possible: free some space, or repair the folder.",
                    self._folder,
                    error.strerror or error,
                )
            self._is_failing = True
            await trio.sleep(self._timings.rewrite_after_s)

    def _log_recovery(self) -> None:
        if self._is_failing:
            log.warning("The journal is being written again; nothing was lost.")
        self._is_failing = False

    def _update_memory(self) -> None:
        self._unsynced_bytes = sum(writer.unsynced_bytes for writer in self._writers)
        self._space.set()
        self._space = trio.Event()

    async def _in_thread(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await trio.to_thread.run_sync(work, *arguments, limiter=self._limiter)


def create_lock(folder: Path, run_id: str, rooms: Sequence[str] = ()) -> LockFile:
    """Make the lock file of a run, and the journal's folder if there is none; `OSError` if that cannot be done."""
    content = msgspec.json.encode(rooms) if rooms else b""
    for _ in range(_LOCK_ATTEMPTS):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            require_own_folder(folder)
            return LockFile(lock_path(folder, run_id), content=content)
        except FileNotFoundError:
            pass  # a recorder that ends removes the folder if it is empty
        except FileExistsError:
            if folder.exists() and not folder.is_dir():
                raise
    raise FileNotFoundError(f"{folder} was removed repeatedly")
