"""The journal: every row on disk within 50 ms of its receipt, before anything else is done with it.

Rows are encoded into memory as they come, by the task that received them, which never waits for a disk. `run` writes
them some moments later in a worker thread, syncs each second, and closes the segment as soon as somebody is ready to
bring it in. While the disk refuses, rows stay in memory up to a bound; past it `wait_for_space` holds the receivers
back, and TCP the server. Nothing is dropped.
"""

import contextlib
import logging
import math
from pathlib import Path

import msgspec
import trio

from recorder.file_lock import LockFile
from recorder.rows import AnyRow
from recorder.segment import Segment, SegmentWriter, clear_dead_locks, lock_path

WRITE_EVERY_S = 0.05
SYNC_EVERY_S = 1.0
RETRY_EVERY_S = 1.0
CLOSE_AFTER_S = 1.0
LARGEST_SEGMENT_BYTES = 64 * 2**20
MOST_IN_MEMORY_BYTES = 64 * 2**20

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
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        clear_dead_locks(folder)
        self._lock = LockFile(lock_path(folder, run_id))
        self._folder = folder
        self._run_id = run_id
        self.close_after_s = CLOSE_AFTER_S
        """How old a segment is at least before it is closed and handed on."""
        self._count = 0
        self._writer: SegmentWriter | None = None
        self._opened_at = self._synced_at = -math.inf
        self._encode_into = msgspec.json.Encoder().encode_into
        self._pending = bytearray()  # lines no writer has taken yet
        self._wake = trio.Event()
        self._space = trio.Event()
        self._finishing = False
        self._is_failing = False
        self._closed, self.segments = trio.open_memory_channel[Segment](math.inf)
        """Where the closed segments come out, oldest first."""

    def append(self, row: AnyRow) -> None:
        """Take a row. Never blocks, never fails."""
        self._encode_into(row, self._pending, -1)
        self._pending += b"\n"
        self._wake.set()

    @property
    def behind_bytes(self) -> int:
        """Bytes taken and not yet handed on in a closed segment."""
        return len(self._pending) + (self._writer.size if self._writer else 0)

    @property
    def unwritten_bytes(self) -> int:
        """Bytes taken that no file has yet."""
        return len(self._pending) + (self._writer.unwritten_bytes if self._writer else 0)

    @property
    def is_full(self) -> bool:
        """Whether memory holds as much as it may: see `wait_for_space`."""
        return len(self._pending) > MOST_IN_MEMORY_BYTES

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
                while not (self._finishing and not self._pending and self._writer is None):
                    await self._pause()
                    await self._step_or_retry()
        finally:
            if self._pending:
                with trio.CancelScope(shield=True), contextlib.suppress(OSError):
                    await self._write()

    def release(self) -> None:
        """Let go of the journal: the next recorder may bring in what is left of it."""
        self._lock.release()
        with contextlib.suppress(OSError):  # it is not empty, or another recorder uses it
            self._folder.rmdir()

    async def _step_or_retry(self) -> None:
        try:
            await self._step()
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
        else:
            if self._is_failing:
                log.warning("The journal is being written again; nothing was lost.")
            self._is_failing = False

    async def _pause(self) -> None:
        if not self._pending and self._writer is None:
            await self._wake.wait()
        if not self._finishing:
            await trio.sleep(WRITE_EVERY_S)

    async def _step(self) -> None:
        if self._pending:
            await self._write()
        now = trio.current_time()
        if self._writer is None:
            return
        if self._is_due(now):
            await self._close()
        elif not self._writer.is_synced and now >= self._synced_at + SYNC_EVERY_S:
            await trio.to_thread.run_sync(self._writer.sync)
            self._synced_at = now

    async def _write(self) -> None:
        if self._writer is None:
            name = f"{self._run_id}-{self._count:08}"
            self._count += 1  # a name that failed half way is not used again
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # somebody may have tidied up
            self._writer = await trio.to_thread.run_sync(SegmentWriter, self._folder, name)
            self._opened_at = self._synced_at = trio.current_time()
        if self._writer.unwritten_bytes:
            await trio.to_thread.run_sync(self._writer.write, b"")  # what failed before goes first
        lines, self._pending = self._pending, bytearray()
        self._wake = trio.Event()
        self._space.set()
        self._space = trio.Event()
        # From here the writer has the lines, whatever happens, and writes them with the next ones if it must.
        await trio.to_thread.run_sync(self._writer.write, lines)

    def _is_due(self, now: float) -> bool:
        assert self._writer is not None
        taker_waits = self.segments.statistics().tasks_waiting_receive > 0
        return (
            self._finishing
            or self._writer.size >= LARGEST_SEGMENT_BYTES
            or (taker_waits and now >= self._opened_at + self.close_after_s)
        )

    async def _close(self) -> None:
        assert self._writer is not None
        try:
            segment = await trio.to_thread.run_sync(self._writer.close)
        except FileNotFoundError:
            log.error(
                "Somebody removed a file of the journal in %s: %d bytes received are lost. Leave that folder alone.",
                self._folder,
                self._writer.size,
            )
        else:
            self._closed.send_nowait(segment)
        self._writer = None
