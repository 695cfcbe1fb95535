"""When to ingest: as soon as the journal closes a segment, and with retries while the database cannot be used."""

import logging
from collections.abc import Iterable
from functools import partial
from itertools import groupby
from pathlib import Path

import trio

from pulsoid_rec.recorder.contract.errors import DatabaseBusyError, StorageError
from pulsoid_rec.recorder.contract.journal_files import run_id_of
from pulsoid_rec.recorder.contract.limits import Limits
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.ingest.ingest import Ingested, ingest, next_batch
from pulsoid_rec.recorder.journal.journal import Journal

# A small segment is closed once it is this many times as old as the last ingest took, but before it is older than
# `longest_segment_age_s`: so others can open the database most of the time, and rows are still readable soon.
_REST_FACTOR = 60

log = logging.getLogger(__name__)


class Ingester:
    """Ingests a journal's segments into the database, and sets how often the journal closes one.

    With `keep_journal` the segments are kept, compressed.
    """

    def __init__(
        self, database: Path, journal: Journal, timings: Timings, limits: Limits, *, keep_journal: bool = False
    ) -> None:
        self._database = database
        self._journal = journal
        self._timings = timings
        self._limits = limits
        self._keep = keep_journal
        self._limiter = trio.CapacityLimiter(1)
        self._waiting: list[Path] = []
        self.total = Ingested()
        """What has been ingested of this run so far."""
        self.recovered = Ingested()
        """What has been ingested so far of what others left."""
        self.error: StorageError | None = None
        """Why nothing can be ingested now, if so."""
        self._failing_since = 0.0
        self._retry_s = 0.0
        self._logged: set[str] = set()

    @property
    def is_idle(self) -> bool:
        """Whether every closed segment is in the database."""
        return not self._waiting and not self._journal.segments.statistics().current_buffer_used

    async def run(self, left_by_crashes: Iterable[Path] = ()) -> None:
        """Ingest what crashes left, then the journal's segments until it ends.

        Cancelled, it finishes the segment that is being ingested, and leaves the rest in the journal.
        """
        self._waiting += left_by_crashes
        await self._ingest_waiting()
        async for segment in self._journal.segments:
            self._waiting.append(segment)
            while True:  # ingest together what was closed meanwhile
                try:
                    self._waiting.append(self._journal.segments.receive_nowait())
                except (trio.WouldBlock, trio.EndOfChannel):
                    break
            await self._ingest_waiting()

    async def _ingest_waiting(self) -> None:
        timings = self._timings
        while self._waiting:
            is_own, segments = next(groupby(self._waiting, self._is_own))  # counted apart
            batch = next_batch(list(segments), self._limits.batch_bytes)
            total = self.total if is_own else self.recovered
            check_cancelled = trio.from_thread.check_cancelled
            work = partial(ingest, self._database, batch, total, keep=self._keep, check_cancelled=check_cancelled)
            started_at = trio.current_time()
            try:
                # Not abandoned on cancel: if Python ends while a thread is inside DuckDB, the process crashes.
                await trio.to_thread.run_sync(work, limiter=self._limiter)
            except StorageError as error:
                await self._wait_for_retry(error, started_at)
            else:
                self._log_recovery()
                took_s = trio.current_time() - started_at
                age_s = max(timings.segment_age_s, _REST_FACTOR * took_s)
                self._journal.close_after_s = min(age_s, timings.longest_segment_age_s)
                del self._waiting[: len(batch)]
                if self._waiting:
                    await trio.sleep(timings.readers_turn_s)

    def _is_own(self, segment: Path) -> bool:
        return run_id_of(segment) == self._journal.run_id

    async def _wait_for_retry(self, error: StorageError, now: float) -> None:
        """Wait before the next attempt, longer each time; log the reason once."""
        timings = self._timings
        if self.error is None:
            self._failing_since, self._retry_s = now, timings.ingest_retry_s
        self.error = error
        is_busy = isinstance(error, DatabaseBusyError)
        # Readers are brief; only one that stays is logged. Any other error is logged at once.
        kind = DatabaseBusyError.__name__ if is_busy else error.message
        if kind not in self._logged and (not is_busy or now >= self._failing_since + timings.report_busy_after_s):
            log.log(
                logging.WARNING if is_busy else logging.ERROR,
                "%s Recording continues in the journal; nothing is lost.",
                error,
            )
            self._logged.add(kind)
        await trio.sleep(self._retry_s)
        self._retry_s = min(
            2 * self._retry_s, timings.longest_busy_retry_s if is_busy else timings.longest_error_retry_s
        )

    def _log_recovery(self) -> None:
        self.error = None
        if self._logged:
            log.warning("The database is being written again; the backlog in the journal is ingested.")
            self._logged.clear()
