"""Ingest what crashed recorders left in the journal; `record` does the same at its start."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from pulsoid_rec.recorder.contract.errors import DatabaseBusyError, UsageError
from pulsoid_rec.recorder.contract.journal_files import LOCK_SUFFIX, journal_folder
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.ingest.database import open_database, translate_errors
from pulsoid_rec.recorder.ingest.ingest import ingest, next_batch
from pulsoid_rec.recorder.ingest.segment_ingest import Ingested
from pulsoid_rec.recorder.journal.segment import find_segments, remove_stale_locks, remove_stale_statuses


@dataclass(frozen=True)
class Recovered:
    """What was ingested, and whether a running recorder has a journal there."""

    ingested: Ingested
    is_recording: bool


def recover(database: Path, timings: Timings = DEFAULT_TIMINGS) -> Recovered:
    """Ingest what crashed recorders left, but not what running ones are writing; create the database if necessary.

    Raises `UsageError` if there is neither the database nor its journal, `DatabaseBusyError` if another process keeps
    it open, `StorageError` if it or the journal cannot be used.
    """
    folder = journal_folder(database)
    if not database.exists() and not folder.exists():
        raise UsageError(f"There is no recording {database}, nor a journal of it", "Name the database with --db.")
    total = Ingested()
    with translate_errors(folder):
        waiting = find_segments(folder)
        if not waiting and database.exists():
            with contextlib.suppress(DatabaseBusyError), open_database(database):
                pass  # it is checked, and an older one migrated
        while waiting:
            batch = next_batch(waiting)
            del waiting[: len(batch)]
            try:
                ingest_when_free(database, batch, total, timings.recover_timeout_s, timings)
            except DatabaseBusyError as error:
                raise DatabaseBusyError(error.message, "Try again when that process has ended.") from error
        remove_stale_statuses(folder)
        remove_stale_locks(folder)
        is_recording = any(folder.glob(f"*{LOCK_SUFFIX}"))
        with contextlib.suppress(OSError):  # it is not empty
            folder.rmdir()
    return Recovered(total, is_recording)


def ingest_when_free(
    database: Path,
    segments: list[Path],
    total: Ingested,
    timeout_s: float,
    timings: Timings,
    *,
    wal_bytes: int = 0,
    keep: bool = False,
) -> None:
    """Ingest as `ingest` does; wait up to `timeout_s` while another process has the database open."""
    give_up_at = time.monotonic() + timeout_s
    while True:
        try:
            ingest(database, segments, total, wal_bytes=wal_bytes, keep=keep)
        except DatabaseBusyError:
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(timings.ingest_retry_s)
        else:
            return
