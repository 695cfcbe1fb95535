"""When to ingest: as soon as the journal closes a segment, and with retries while the database cannot be used.

Now and then it looks for segments of recorders that have died, and at the free space of the disk.
"""

import contextlib
import logging
import math
import shutil
from collections.abc import Callable, Iterable
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import trio

from pulsoid_rec.recorder.contract.errors import DatabaseBusyError, StorageError
from pulsoid_rec.recorder.contract.journal_files import journal_folder, run_id_of
from pulsoid_rec.recorder.contract.limits import Limits
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.contract.wording import format_count
from pulsoid_rec.recorder.ingest.database import NO_CHECKPOINT, CheckpointError
from pulsoid_rec.recorder.ingest.ingest import ingest, next_batch
from pulsoid_rec.recorder.ingest.segment_ingest import Ingested
from pulsoid_rec.recorder.ingest.stored_marks import StoredMarks
from pulsoid_rec.recorder.journal.journal import Journal
from pulsoid_rec.recorder.journal.rows import MarkRow
from pulsoid_rec.recorder.journal.segment import find_segments, remove_stale_locks

_CHECKPOINT_REST_FACTOR = 60
"""Times that a checkpoint took before the next one of a small WAL."""

_ENOUGH_AGAIN = 1.25
"""The disk has enough space again at this many times what is too little, so that it is not logged again and again."""

_T = TypeVar("_T")

log = logging.getLogger(__name__)


class _InternalError(StorageError):
    """An error of ours, whose traceback is logged."""


class Ingester:
    """Ingests a journal's segments into the database.

    With `keep_journal` the segments are kept, compressed. `on_marks` is called with the marks in the database, the
    latest of them, when there are others than before.
    """

    def __init__(
        self,
        database: Path,
        journal: Journal,
        timings: Timings,
        limits: Limits,
        *,
        keep_journal: bool = False,
        on_marks: Callable[[list[MarkRow]], object] = len,
    ) -> None:
        self._database = database
        self._journal = journal
        self._timings = timings
        self._limits = limits
        self._keep = keep_journal
        self._on_marks = on_marks
        self._stored_marks = StoredMarks(self._deliver_marks)
        self._trio_token: trio.lowlevel.TrioToken | None = None
        self._limiter = trio.CapacityLimiter(1)
        self._waiting: list[Path] = []
        self.total = Ingested()
        """What has been ingested of this run so far."""
        self.recovered = Ingested()
        """What has been ingested so far of what others left."""
        self.error: StorageError | None = None
        """Why nothing can be ingested now, if so."""
        self.checkpoint_error: StorageError | None = None
        """Why the last checkpoint failed, if so: rows are only in the WAL, and in the journal still."""
        self._checkpoint_at = self._small_checkpoint_at = -math.inf  # not before
        self._wal_bytes = 0  # the first ingest makes a checkpoint of what a crash left in the WAL
        self.is_disk_low = False
        """Whether the database's disk is nearly full."""
        self._failing_since = 0.0
        self._retry_s = 0.0
        self._logged: set[str] = set()

    @property
    def is_idle(self) -> bool:
        """Whether every closed segment is in the database."""
        return not self._waiting and not self._journal.segments.statistics().current_buffer_used

    def require_complete(self) -> None:
        """Raise `StorageError` unless everything received is in the database."""
        unwritten = self._journal.unwritten_bytes
        if unwritten:
            raise StorageError(
                f"The last {unwritten:,} bytes could not be written to the journal",
                "Free some space on the disk before you try again.",
            )
        if not self.is_idle or self._journal.backlog_bytes:
            why = f" ({self.error.message})" if self.error else ""
            raise StorageError(
                f"Not everything is in the database yet{why}: the rest is safe in the journal",
                "Run `pulsoid-rec recover` to ingest it; the next `record` does so too.",
            )
        if error := self.checkpoint_error:
            raise StorageError(
                f"Not everything is in {self._database} itself yet ({error.message}): "
                f"the rest is safe in its WAL and in the journal",
                error.hint,
            )
        if skipped := self.total.skipped + self.recovered.skipped:
            raise StorageError(
                f"{format_count(len(skipped), 'segment')} of the journal could not be ingested",
                "The reasons are above; the files are unchanged. Run `pulsoid-rec recover` when that is settled.",
            )

    async def run_between(self, work: Callable[..., _T], *arguments: object) -> _T:
        """Run something else on the database in a worker thread, while nothing is ingested."""
        return await self._in_thread(work, *arguments)

    async def run(self, left_by_crashes: Iterable[Path] = ()) -> None:
        """Ingest what crashes left, then the journal's segments until it ends; make a checkpoint at the end.

        Cancelled, it finishes the segment that is being ingested, and leaves the rest in the journal.
        """
        self._trio_token = trio.lowlevel.current_trio_token()
        self._waiting += left_by_crashes
        look_at = trio.current_time()
        with contextlib.suppress(trio.EndOfChannel):
            while True:
                await self._ingest_waiting()
                if trio.current_time() >= look_at:
                    await self._keep_house()
                    look_at = trio.current_time() + self._timings.housekeeping_interval_s
                with trio.move_on_at(look_at):
                    self._waiting.append(await self._journal.segments.receive())
                with contextlib.suppress(trio.WouldBlock):  # ingest together what was closed meanwhile
                    while True:
                        self._waiting.append(self._journal.segments.receive_nowait())
        await self._ingest_waiting()
        await self._make_last_checkpoint()

    async def _keep_house(self) -> None:
        """Find what recorders left that died beside this one, and log a disk that is nearly full."""
        with contextlib.suppress(OSError):  # whoever needs the folder or the disk reports it
            left, free_bytes = await self._in_thread(_look_around, self._database)
            # Never its own: somebody may have removed the lock, which is made again with the next segment.
            known = self.recovered.skipped
            self._waiting += [segment for segment in left if segment not in known and not self._is_own(segment)]
            if self._waiting:
                self._wal_bytes = 0  # or they would be found again until the next checkpoint
            self._report_space(free_bytes)

    def _report_space(self, free_bytes: int) -> None:
        low_bytes = self._limits.low_disk_bytes
        if not self.is_disk_low and free_bytes < low_bytes:
            self.is_disk_low = True
            log.warning(
                "The disk of %s is nearly full: %d MB are free. Free some space before it is full.",
                self._database,
                free_bytes // 10**6,
            )
        elif self.is_disk_low and free_bytes >= _ENOUGH_AGAIN * low_bytes:
            self.is_disk_low = False
            log.warning("The disk of %s has space again: %d MB are free.", self._database, free_bytes // 10**6)

    async def _ingest_waiting(self) -> None:
        while self._waiting:
            is_own, segments = next(groupby(self._waiting, self._is_own))  # counted apart
            batch = next_batch(list(segments), self._limits.batch_bytes)
            total = self.total if is_own else self.recovered
            count, started_at = len(batch), trio.current_time()
            try:
                closing_s = await self._ingest(batch, total, self._least_wal_bytes(started_at))
            except CheckpointError as error:  # all is ingested
                self.error = None
                self._log_error(error, started_at)
                self._checkpoint_at = trio.current_time() + self._timings.longest_error_retry_s
            except StorageError as error:
                await self._wait_for_retry(error, started_at)
            else:
                self.error = None
                if started_at >= self._checkpoint_at:
                    self._log_recovery()
                self._wal_bytes = self._limits.wal_bytes
                # One writes the latest rows of a table anew, up to 122,880 of them: much where they are large.
                self._small_checkpoint_at = trio.current_time() + _CHECKPOINT_REST_FACTOR * closing_s
            finally:
                del self._waiting[: count - len(batch)]
            if self._waiting and self.error is None:
                await trio.sleep(self._timings.readers_turn_s)

    def _least_wal_bytes(self, now: float) -> int:
        """Return the size of the WAL for which a checkpoint is made now."""
        if now < self._checkpoint_at:
            return NO_CHECKPOINT
        return self._limits.large_wal_bytes if now < self._small_checkpoint_at else self._wal_bytes

    async def _make_last_checkpoint(self) -> None:
        """Make the database a single file again, unless a reader holds it: whoever opens it next reads its WAL."""
        with trio.move_on_after(self._timings.last_checkpoint_timeout_s):
            while self._database.exists():  # not if nothing was recorded
                try:
                    await self._ingest([], self.total, 0)
                    self.checkpoint_error = None
                    break
                except DatabaseBusyError:
                    await trio.sleep(self._timings.ingest_retry_s)
                except StorageError as error:
                    if self.checkpoint_error is None:  # the next attempt needs less memory
                        self._log_error(error, -math.inf)
                        self.checkpoint_error = error
                    else:
                        break

    async def _ingest(self, batch: list[Path], total: Ingested, wal_bytes: int) -> float:
        try:
            return await self._in_thread(
                partial(
                    ingest,
                    self._database,
                    batch,
                    total,
                    wal_bytes=wal_bytes,
                    keep=self._keep,
                    check_cancelled=trio.from_thread.check_cancelled,
                    look=self._stored_marks.read,
                )
            )
        except StorageError:
            raise
        except Exception as error:  # an error of ours must not end the recording
            raise _InternalError(
                f"Internal error while ingesting: {type(error).__name__}",
                "Please report it, with the log beside the database.",
            ) from error

    def _deliver_marks(self, marks: list[MarkRow]) -> None:
        """Hand marks from the thread that ingests to trio's, without waiting for it."""
        assert self._trio_token is not None
        with contextlib.suppress(trio.RunFinishedError):
            self._trio_token.run_sync_soon(self._on_marks, marks)

    async def _in_thread(self, work: Callable[..., _T], *arguments: object) -> _T:
        # Not abandoned on cancel: if Python ends while a thread is inside DuckDB, the process crashes.
        return await trio.to_thread.run_sync(work, *arguments, limiter=self._limiter)

    def _is_own(self, segment: Path) -> bool:
        return run_id_of(segment) == self._journal.run_id

    async def _wait_for_retry(self, error: StorageError, now: float) -> None:
        """Wait before the next attempt, longer each time; log the reason once."""
        timings = self._timings
        if self.error is None:
            self._failing_since, self._retry_s = now, timings.ingest_retry_s
        self.error = error
        self._log_error(error, now)
        await trio.sleep(self._retry_s)
        is_busy = isinstance(error, DatabaseBusyError)
        self._retry_s = min(
            2 * self._retry_s, timings.longest_busy_retry_s if is_busy else timings.longest_error_retry_s
        )

    def _log_error(self, error: StorageError, now: float) -> None:
        """Log an error once; readers are brief, so of those only one that stays."""
        is_busy = isinstance(error, DatabaseBusyError)
        kind = DatabaseBusyError.__name__ if is_busy else error.message
        if kind not in self._logged and (not is_busy or now >= self._failing_since + self._timings.report_busy_after_s):
            log.log(
                logging.WARNING if is_busy else logging.ERROR,
                "%s Recording continues in the journal; nothing is lost.",
                error,
                exc_info=error if isinstance(error, _InternalError) else None,
            )
            self._logged.add(kind)

    def _log_recovery(self) -> None:
        if self._logged:
            log.warning("The database is being written again; the backlog in the journal is ingested.")
            self._logged.clear()


def _look_around(database: Path) -> tuple[list[Path], int]:
    """Return the segments of dead recorders, and the free bytes of the database's disk."""
    folder = journal_folder(database)
    remove_stale_locks(folder)
    return find_segments(folder), shutil.disk_usage(folder.parent).free
