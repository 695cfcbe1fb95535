"""Bringing in what a crash left in the journal; `record` does the same at its start."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from pulsoid_rec.recorder.contract.errors import DatabaseBusyError, UsageError
from pulsoid_rec.recorder.contract.journal_files import LOCK_SUFFIX, journal_folder
from pulsoid_rec.recorder.ingest.database import translate_errors
from pulsoid_rec.recorder.ingest.ingest import Ingested, ingest, next_batch
from pulsoid_rec.recorder.journal.segment import Segment, clear_dead_locks, find_segments

LOCK_TIMEOUT_S = 10.0
_RETRY_S = 0.05


@dataclass(frozen=True)
class Recovered:
    """What was brought in, and whether a living recorder has a journal of its own there."""

    ingested: Ingested
    is_recording: bool


def recover(database: Path) -> Recovered:
    """Bring what crashed recorders left into the database, and leave what living ones are writing.

    Parameters
    ----------
    database
        The DuckDB file; made where there is none and a journal has something for it.

    Raises
    ------
    UsageError
        There is neither such a database nor a journal.
    DatabaseBusyError
        Another process has kept the database open for 10 s.
    StorageError
        The database or the journal cannot be used.
    """
    folder = journal_folder(database)
    if not database.exists() and not folder.exists():
        raise UsageError(f"There is no recording {database}, nor a journal of it", "Name the database with --db.")
    total = Ingested()
    with translate_errors(folder):
        waiting = find_segments(folder)
        while waiting:
            batch = next_batch(waiting)
            _ingest_patiently(database, batch, total)
            del waiting[: len(batch)]
        clear_dead_locks(folder)
        is_recording = any(folder.glob(f"*{LOCK_SUFFIX}"))
        with contextlib.suppress(OSError):  # something is left there
            folder.rmdir()
    return Recovered(total, is_recording)


def _ingest_patiently(database: Path, batch: list[Segment], total: Ingested) -> None:
    give_up_at = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            return ingest(database, batch, total)
        except DatabaseBusyError:
            if time.monotonic() > give_up_at:
                raise
        time.sleep(_RETRY_S)
