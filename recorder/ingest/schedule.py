"""When to ingest: as segments come out of the journal, and again and again while the database is not to be had."""

import logging
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import trio

from pulsoid_rec.recorder.contract.errors import DatabaseBusyError, StorageError
from pulsoid_rec.recorder.ingest.ingest import Ingested, ingest, next_batch
from pulsoid_rec.recorder.journal.journal import CLOSE_AFTER_S, Journal
from pulsoid_rec.recorder.journal.segment import Segment

FIRST_RETRY_S = 0.05
LAST_BUSY_RETRY_S = 0.5
LAST_FAULT_RETRY_S = 10.0
TELL_BUSY_AFTER_S = 5.0

# A small segment is at least this many times older, when it is closed, than the last one took to bring in: the recorder
# keeps others out of the database for a sixtieth of the time, or as near as rows that are to be seen soon allow.
_REST_FACTOR = 60
_LONGEST_WAIT_S = 2.0
_READERS_TURN_S = 0.1

log = logging.getLogger(__name__)


class Ingester:
    """Brings a journal's segments into the database.

    Parameters
    ----------
    database
        The DuckDB file.
    journal
        The journal; it is told how often segments are wanted.
    keep_journal
        Keep the segments, compressed.
    """

    def __init__(self, database: Path, journal: Journal, *, keep_journal: bool = False) -> None:
        self._database = database
        self._journal = journal
        self._keep = keep_journal
        self._limiter = trio.CapacityLimiter(1)
        self._waiting: list[Segment] = []
        self.total = Ingested()
        """What has been brought in so far."""
        self.trouble: StorageError | None = None
        """Why nothing comes in at the moment, if so."""
        self._failing_since = 0.0
        self._retry_s = FIRST_RETRY_S
        self._told: set[str] = set()

    @property
    def is_done(self) -> bool:
        """Whether all that came out of the journal is in the database."""
        return not self._waiting and not self._journal.segments.statistics().current_buffer_used

    async def run(self, left_behind: Iterable[Segment] = ()) -> None:
        """Ingest what a crash left behind, then what comes, until the journal ends and all is in.

        Cancelled, it finishes the segment that is on its way in, and leaves the rest in the journal.
        """
        self._waiting += left_behind
        await self._bring_in()
        async for segment in self._journal.segments:
            self._waiting.append(segment)
            while True:  # whatever else came meanwhile goes in together
                try:
                    self._waiting.append(self._journal.segments.receive_nowait())
                except (trio.WouldBlock, trio.EndOfChannel):
                    break
            await self._bring_in()

    async def _bring_in(self) -> None:
        while self._waiting:
            batch = next_batch(self._waiting)
            started_at = trio.current_time()
            try:
                # Not abandoned when cancelled: a thread that is inside DuckDB when Python ends takes the process down.
                await trio.to_thread.run_sync(
                    partial(
                        ingest,
                        self._database,
                        batch,
                        self.total,
                        keep=self._keep,
                        may_go_on=trio.from_thread.check_cancelled,
                    ),
                    limiter=self._limiter,
                )
            except StorageError as error:
                await self._wait_and_tell(error, started_at)
            else:
                self._note_health()
                took_s = trio.current_time() - started_at
                self._journal.close_after_s = min(max(CLOSE_AFTER_S, _REST_FACTOR * took_s), _LONGEST_WAIT_S)
                del self._waiting[: len(batch)]
                if self._waiting:
                    await trio.sleep(_READERS_TURN_S)

    async def _wait_and_tell(self, error: StorageError, now: float) -> None:
        """Wait, longer each time, before the next try; and say once why."""
        if self.trouble is None:
            self._failing_since, self._retry_s = now, FIRST_RETRY_S
        self.trouble = error
        is_busy = isinstance(error, DatabaseBusyError)
        # Readers come and go; only one that stays is worth a word, and so is each other fault, once.
        what = DatabaseBusyError.__name__ if is_busy else error.message
        if what not in self._told and (not is_busy or now >= self._failing_since + TELL_BUSY_AFTER_S):
            log.log(
                logging.WARNING if is_busy else logging.ERROR,
                "%s Recording goes on into the journal; nothing is lost.",
                error,
            )
            self._told.add(what)
        await trio.sleep(self._retry_s)
        self._retry_s = min(2 * self._retry_s, LAST_BUSY_RETRY_S if is_busy else LAST_FAULT_RETRY_S)

    def _note_health(self) -> None:
        self.trouble = None
        if self._told:
            log.warning("The database is being written again; what waited in the journal goes in.")
            self._told.clear()
