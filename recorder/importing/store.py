"""Write what was gathered to the journal, and ingest it, as a recorder does, and beside others of the same database.

Killed at any instant, what is in the journal is ingested once, by whoever comes next.
"""

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from time import time_ns

import duckdb
import msgspec
import trio

from pulsoid_rec.recorder.contract.errors import DatabaseBusyError, StorageError
from pulsoid_rec.recorder.contract.ids import IMPORT_PREFIX, new_id
from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS
from pulsoid_rec.recorder.importing.gather import Gathered
from pulsoid_rec.recorder.ingest.database import NO_CHECKPOINT, open_database
from pulsoid_rec.recorder.ingest.schedule import Ingester
from pulsoid_rec.recorder.journal.journal import Journal
from pulsoid_rec.recorder.journal.rows import HeartRateRow, MemberEventRow, MessageRow, reject
from pulsoid_rec.recorder.journal.segment import find_segments

_ROWS_AT_ONCE = 5_000  # rows encoded before other tasks have their turn
_MOST_SEGMENTS = 4  # segments that may wait to be ingested: the journal stays small, whatever the size of the file
_LIMITS = replace(DEFAULT_LIMITS, memory_bytes=8 * 2**20, segment_bytes=4 * 2**20, batch_bytes=8 * 2**20)


def imported_rows(gathered: Gathered, file: str, room_id: str | None, run_id: str) -> Iterator[MessageRow]:
    """Make the rows of an import: its members' names, its readings in the order of time, and the lines it rejects.

    `file` is the file's name, for the reasons; `room_id` the room of all of it, None if the file says. Rows are
    stamped a microsecond apart from now on, which is faster than any are written.
    """
    connection_id = IMPORT_PREFIX + run_id
    stamps = count(time_ns() // 1000)
    for (room, profile_id, name), at in gathered.members():
        if name is not None:
            config = msgspec.json.encode({"name": name}).decode()
            yield MemberEventRow(room, connection_id, profile_id, "updated", name, config, at, next(stamps), "")
    for (room, profile_id, _), bpm, at in gathered.in_order():
        yield HeartRateRow(room, connection_id, profile_id, bpm, at, next(stamps), "")
    for line, reason, raw in gathered.read_faults():
        yield reject(room_id, connection_id, next(stamps), f"line {line} of {file}: {reason}", raw)


class Import:
    """Writes rows to a database, inside trio.

    Raises `StorageError` if the database cannot be used, or its journal cannot be written.
    """

    def __init__(self, database: Path) -> None:
        self.run_id = new_id()
        self._folder = journal_folder(database)
        if database.exists():
            with contextlib.suppress(DatabaseBusyError), open_database(database, NO_CHECKPOINT):
                pass  # else ingest would wait until it can be used
        try:
            self._left_by_crashes = find_segments(self._folder)
            self._journal = Journal(self._folder, self.run_id, limits=_LIMITS)
        except OSError as error:
            raise StorageError(
                f"Cannot write the journal {self._folder}: {error.strerror or error}",
                "Choose another database with --db.",
            ) from error
        self.ingester = Ingester(database, self._journal, DEFAULT_TIMINGS, _LIMITS)
        self.is_stopped = False

    async def run(self, rows: Iterator[MessageRow]) -> None:
        """Write rows until there are no more, or a signal arrives; what was written is in the database then.

        Raises `StorageError` if not all of it is. A second signal ends at once, and leaves the rest in the journal.
        """
        failed: duckdb.Error | None = None
        try:
            async with trio.open_nursery() as signals:
                await signals.start(self._watch_signals, signals.cancel_scope)
                async with trio.open_nursery() as storage:
                    storage.start_soon(self._journal.run)
                    storage.start_soon(self.ingester.run, self._left_by_crashes)
                    try:
                        await self._append(rows)
                    except duckdb.Error as error:  # raised below: here it would come in a group of exceptions
                        failed = error
                    self._journal.finish()
                    if self.is_stopped:
                        storage.cancel_scope.deadline = trio.current_time() + DEFAULT_TIMINGS.shutdown_timeout_s
                signals.cancel_scope.cancel()
        finally:
            self._journal.release()
        if failed is not None:
            raise failed
        self.ingester.require_complete()

    async def _append(self, rows: Iterator[MessageRow]) -> None:
        while batch := await trio.to_thread.run_sync(lambda: list(islice(rows, _ROWS_AT_ONCE))):
            for row in batch:
                self._journal.append(row)
            await self._journal.wait_for_space()
            while self._is_behind and not self.is_stopped:  # noqa: ASYNC110 - no event says when it has caught up
                await trio.sleep(DEFAULT_TIMINGS.write_every_s)
            if self.is_stopped:
                return

    @property
    def _is_behind(self) -> bool:
        return self._journal.segments.statistics().current_buffer_used >= _MOST_SEGMENTS

    async def _watch_signals(
        self, everything: trio.CancelScope, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for _ in signals:
                if self.is_stopped:
                    everything.cancel()
                self.is_stopped = True
