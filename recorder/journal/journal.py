"""The journal: every row on disk within 50 ms of its receipt, before anything else is done with it.

Rows are encoded into memory as they come, by the task that received them, which never waits for a disk. `run` writes
them some moments later in a worker thread; meanwhile another one syncs each second, and closes the segment as soon as
somebody is ready to bring it in, so that a disk that takes its time over that holds up no writing. While the disk
refuses, rows stay in memory up to a bound; past it `wait_for_space` holds the receivers back, and TCP the server.
Nothing is dropped.
"""

import contextlib
import logging
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import trio

from pulsoid_rec.recorder.contract.journal_files import lock_path
from pulsoid_rec.recorder.disk.lock_file import LockFile
from pulsoid_rec.recorder.disk.sync import sync_folder
from pulsoid_rec.recorder.journal.rows import AnyRow
from pulsoid_rec.recorder.journal.segment import Segment, clear_dead_locks, encode_line
from pulsoid_rec.recorder.journal.segment_writer import SegmentRemovedError, SegmentWriter

WRITE_EVERY_S = 0.05
SYNC_EVERY_S = 1.0
RETRY_EVERY_S = 1.0
CLOSE_AFTER_S = 1.0
WORTH_AN_INGEST_BYTES = 64 * 2**10
LARGEST_SEGMENT_BYTES = 8 * 2**20
MOST_IN_MEMORY_BYTES = 64 * 2**20
_TRIES = 20
_T = TypeVar("_T")

log = logging.getLogger(__name__)


class Journal:
    """The journal of one run of the recorder.

    Parameters
    ----------
    folder
        The journal's folder; made, for its owner alone, where it is not there.
    run_id
        Names the run, unique for ever.

    Raises
    ------
    OSError
        The folder cannot be made or written to.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        self._folder = folder
        self._run_id = run_id
        self._lock = _take_lock(folder, run_id)
        clear_dead_locks(folder)
        sync_folder(folder.parent)
        self.close_after_s = CLOSE_AFTER_S
        """How old a segment is at least before it is closed and handed on; `CLOSE_AFTER_S` will do for a large one."""
        self._count = 0
        self._pending = bytearray()  # lines no writer has taken yet
        self._writer: SegmentWriter | None = None
        self._closing: SegmentWriter | None = None  # the one before, on its way out
        self._unsynced_bytes = 0  # what the writers keep in memory
        self._opened_at = self._synced_at = -math.inf
        self._limiter = trio.CapacityLimiter(2)  # its own: slow name servers take all of trio's threads
        self._is_syncing = False
        self._wake = trio.Event()
        self._space = trio.Event()
        self._finishing = False
        self._is_failing = False
        self._closed, self.segments = trio.open_memory_channel[Segment](math.inf)
        """Where the closed segments come out, oldest first."""

    def append(self, row: AnyRow) -> None:
        """Take a row. Never blocks, never fails."""
        self._pending += encode_line(row)
        self._wake.set()

    @property
    def backlog_bytes(self) -> int:
        """Bytes taken and not yet handed on in a closed segment."""
        return len(self._pending) + sum(writer.size for writer in self._writers)

    @property
    def unwritten_bytes(self) -> int:
        """Bytes taken that no file has yet."""
        return len(self._pending) + sum(writer.unwritten_bytes for writer in self._writers)

    @property
    def is_full(self) -> bool:
        """Whether memory holds as much as it may: see `wait_for_space`."""
        return len(self._pending) + self._unsynced_bytes > MOST_IN_MEMORY_BYTES

    async def wait_for_space(self) -> None:
        """Return when memory holds less than it may."""
        while self.is_full:
            await self._space.wait()

    def finish(self) -> None:
        """Have `run` write what there is, hand it on, and return."""
        self._finishing = True
        self._wake.set()

    async def run(self) -> None:
        """Write, until `finish`.

        Cancelled, it still writes what it was given, and leaves the last segment open, as a crash would.
        """
        try:
            with self._closed:
                async with trio.open_nursery() as nursery:
                    while not (self._finishing and not self._pending and not self._writers):
                        await self._pause()
                        await self._or_retry(self._write)
                        self._start_what_is_due(nursery)
        finally:
            with trio.CancelScope(shield=True), contextlib.suppress(OSError):
                await self._write()
            for writer in self._writers:
                writer.close_unsynced()

    def release(self) -> None:
        """Let go of the journal: the next recorder may bring in what is left of it."""
        self._lock.release()
        with contextlib.suppress(OSError):  # it is not empty, or another recorder uses it
            self._folder.rmdir()

    @property
    def _writers(self) -> list[SegmentWriter]:
        return [writer for writer in (self._closing, self._writer) if writer is not None]

    async def _pause(self) -> None:
        """Wait for work, and then a little, so that a write is worth it."""
        if not self._pending and not self._finishing:
            self._wake = trio.Event()
            with trio.move_on_at(self._next_due_at() - WRITE_EVERY_S):
                await self._wake.wait()
        await trio.sleep(0 if self._finishing and not self._is_syncing else WRITE_EVERY_S)

    async def _write(self) -> None:
        if self._pending and self._writer is None:
            name = f"{self._run_id}-{self._count:08}"
            self._count += 1  # a name that failed half way is not used again
            self._writer = await self._in_thread(self._open, name)
            self._opened_at = self._synced_at = trio.current_time()
        if self._pending and self._writer is not None:
            # Whatever becomes of the writing: from here the writer has the lines.
            self._writer.take(self._pending)
            self._pending = bytearray()
            self._count_memory()
        for writer in self._writers:
            if writer.unwritten_bytes:
                await self._in_thread(writer.write)

    def _open(self, name: str) -> SegmentWriter:
        writer = SegmentWriter(self._folder, name)
        self._lock.renew()  # somebody may have tidied up the folder
        return writer

    def _start_what_is_due(self, nursery: trio.Nursery) -> None:
        """Sync or close the segment, while the writing goes on."""
        writer, now = self._writer, trio.current_time()
        if self._is_syncing or writer is None or writer.unwritten_bytes:
            return
        if self._is_due(writer, now):
            self._writer, self._closing, self._is_syncing = None, writer, True
            nursery.start_soon(self._close, writer)
        elif writer.unsynced_bytes and now >= self._synced_at + SYNC_EVERY_S:
            self._synced_at, self._is_syncing = now, True
            nursery.start_soon(self._sync, writer)

    def _next_due_at(self) -> float:
        """Tell when the segment is to be synced or closed next; infinity without one."""
        if self._is_syncing or any(writer.unwritten_bytes for writer in self._writers):
            return -math.inf
        if self._writer is None:
            return math.inf
        sync_at = self._synced_at + SYNC_EVERY_S if self._writer.unsynced_bytes else math.inf
        return min(sync_at, self._opened_at + self._wait_s(self._writer))

    def _wait_s(self, writer: SegmentWriter) -> float:
        """Tell how old the segment is at least before it is closed and handed on."""
        is_large = writer.size >= WORTH_AN_INGEST_BYTES
        return min(self.close_after_s, CLOSE_AFTER_S) if is_large else self.close_after_s

    def _is_due(self, writer: SegmentWriter, now: float) -> bool:
        taker_waits = self.segments.statistics().tasks_waiting_receive > 0
        is_old = now >= self._opened_at + self._wait_s(writer)
        return self._finishing or writer.size >= LARGEST_SEGMENT_BYTES or (taker_waits and is_old)

    async def _sync(self, writer: SegmentWriter) -> None:
        await self._or_retry(lambda: self._in_thread(writer.sync))
        if not writer.unsynced_bytes:
            self._note_health()
        self._count_memory()
        self._is_syncing = False

    async def _close(self, writer: SegmentWriter) -> None:
        async def close_and_hand_on() -> None:
            segment = await self._in_thread(writer.close)
            self._closing = None
            self._closed.send_nowait(segment)

        try:
            while self._closing is writer:
                await self._or_retry(close_and_hand_on)
            self._note_health()
        except SegmentRemovedError:
            self._closing = None
            log.error(
                "Somebody removed a file of the journal in %s: %d bytes received are lost. Leave that folder alone.",
                self._folder,
                writer.size,
            )
        self._count_memory()
        self._is_syncing = False

    async def _or_retry(self, step: Callable[[], Awaitable[None]]) -> None:
        """Take a step; if the disk refuses it, say so once, and wait a little before the next try."""
        try:
            await step()
        except OSError as error:
            if not self._is_failing:
                log.error(
                    "The journal in %s cannot be written: %s. What comes in is kept in memory and written as soon as "
                    "that works again: free some space, or mend the folder.",
                    self._folder,
                    error.strerror or error,
                )
            self._is_failing = True
            await trio.sleep(RETRY_EVERY_S)

    def _note_health(self) -> None:
        if self._is_failing:
            log.warning("The journal is being written again; nothing was lost.")
        self._is_failing = False

    def _count_memory(self) -> None:
        self._unsynced_bytes = sum(writer.unsynced_bytes for writer in self._writers)
        self._space.set()
        self._space = trio.Event()

    async def _in_thread(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await trio.to_thread.run_sync(work, *arguments, limiter=self._limiter)


def _take_lock(folder: Path, run_id: str) -> LockFile:
    for _ in range(_TRIES):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return LockFile(lock_path(folder, run_id))
        except FileNotFoundError:
            pass  # a recorder that ends removes the folder if it is empty
        except FileExistsError:
            if folder.exists() and not folder.is_dir():
                raise
    raise FileNotFoundError(f"{folder} is removed again and again")
