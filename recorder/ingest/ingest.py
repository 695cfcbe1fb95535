"""Ingest segments: each exactly once, and remove their files.

The name of a segment is noted in the transaction that stores its rows. Its file stays until a checkpoint has moved them
from the WAL into the database file: should the WAL be damaged or removed, they are ingested again. Then the file is
removed, and at the next checkpoint its name. After a crash the same code runs as at any other time.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.journal_files import (
    KEPT,
    journal_folder,
    lock_path,
    run_id_of,
    segment_name,
    segment_paths,
)
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.tables import INGESTED_SEGMENTS
from pulsoid_rec.recorder.disk.lock_file import is_locked
from pulsoid_rec.recorder.disk.sync import sync_folder
from pulsoid_rec.recorder.ingest.database import (
    forgotten_in,
    is_checkpoint_due,
    open_database,
    stop_engines,
    translate_errors,
    wal_path,
)
from pulsoid_rec.recorder.ingest.forgotten_lines import without_forgotten
from pulsoid_rec.recorder.ingest.kept import keep_segment
from pulsoid_rec.recorder.ingest.segment_ingest import PIECE, Ingested, NotStoredError, SegmentIngest

_MANY_ROWS = 20_000
_MANY_BYTES = 4 * 2**20
"""Rows, or bytes of segments, at once after which DuckDB would keep 100 MB and more."""

log = logging.getLogger(__name__)
# Only one thread can have the file open; waiting is better than retrying.
_ingesting = threading.Lock()


def next_batch(segments: Sequence[Path], most_bytes: int = DEFAULT_LIMITS.batch_bytes) -> list[Path]:
    """Return the first segments, up to some size: readers may open the database after them."""
    size = 0
    for count, segment in enumerate(segments, 1):
        size += _size_of([segment])
        if size >= most_bytes:
            return list(segments[:count])
    return list(segments)


def ingest(
    database: Path,
    segments: list[Path],
    total: Ingested,
    *,
    wal_bytes: int = 0,
    keep: bool = False,
    check_cancelled: Callable[[], object] = bool,
    look: Callable[[duckdb.DuckDBPyConnection], object] = bool,
) -> float:
    """Ingest segments into the database; with a checkpoint, remove the files of all that were ingested since the last.

    The database is made if it does not exist. The segments are no longer written; see `next_batch`. Each is removed
    from the list when it is done with, and with `keep` kept, compressed, in the journal's folder `kept`. `total` counts
    what is committed; segments that were in the database already count nothing. A checkpoint is made if the WAL has
    `wal_bytes` afterwards. `check_cancelled` is called before each segment, and raises to stop; `look` with the open
    database when all is ingested.

    Returns the seconds that the checkpoint took; 0 if there was none.

    Raises
    ------
    DatabaseBusyError
        Another process has the database open: try again.
    CheckpointError
        Everything is ingested; what is in the WAL stays there.
    StorageError
        The database cannot be used. Whatever is raised, each segment is either ingested or unchanged.
    """
    segment_ingest = SegmentIngest(total)
    with _ingesting:
        before, size = total.count, _size_of(segments)
        is_done, closing_s = False, 0.0
        while not is_done:
            # After some errors DuckDB refuses all further work, so that the file is opened anew after each.
            with contextlib.suppress(NotStoredError):
                removable: list[Path] = []
                with open_database(database, wal_bytes) as connection:
                    segment_ingest.forgotten = forgotten_in(database)
                    while segments:
                        check_cancelled()
                        _ingest_segment(connection, segments[0], segment_ingest, keep=keep)
                        del segments[0]
                    look(connection)
                    if is_checkpoint_due(database, wal_bytes) or not wal_path(database).exists():
                        removable = _forget_removed(connection, journal_folder(database))
                    closing_at = time.monotonic()
                closing_s = time.monotonic() - closing_at
                with translate_errors(database):
                    for segment in removable:
                        segment.with_suffix(".repaired").unlink(missing_ok=True)
                        segment.unlink(missing_ok=True)  # another recorder may be doing the same
                is_done = True
        if total.count - before > _MANY_ROWS or size > _MANY_BYTES:
            stop_engines()
    return 0.0 if wal_path(database).exists() else closing_s


def _size_of(segments: Sequence[Path]) -> int:
    size = 0
    for segment in segments:
        with contextlib.suppress(FileNotFoundError):  # another recorder has ingested it
            size += segment.stat().st_size
    return size


def _ingest_segment(
    connection: duckdb.DuckDBPyConnection, segment: Path, segment_ingest: SegmentIngest, *, keep: bool
) -> None:
    name = segment_name(segment)
    notes = _find_notes(connection, name)
    try:
        is_stored = name in notes or segment_ingest.ingest(connection, segment, notes)
    except FileNotFoundError:
        # What a crash left may have been ingested by another recorder, and its name forgotten.
        if is_locked(lock_path(segment.parent, run_id_of(segment))):
            log.error("%s was removed before it was in the database: its content is lost.", segment)
    else:
        if keep and is_stored:
            with contextlib.suppress(FileNotFoundError):  # another recorder, or a person, was faster
                keep_segment(segment, segment.parent / KEPT, without_forgotten(segment, segment_ingest.forgotten))


def _find_notes(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    """Return the notes on a segment: its name if all of it is in the database, else how far its pieces reach."""
    query = f"SELECT segment FROM {INGESTED_SEGMENTS.name} WHERE segment BETWEEN ? AND ?"
    found = connection.execute(query, [name, f"{name}{PIECE}~"]).fetchall()
    return [note for (note,) in found if note.partition(PIECE)[0] == name]


def _forget_removed(connection: duckdb.DuckDBPyConnection, folder: Path) -> list[Path]:
    """Remove the notes on segments whose files are gone; return the files of the others."""
    try:
        there = {segment_name(path): path for path in segment_paths(folder)}
        sync_folder(folder)  # or a power failure could bring a removed file back
    except OSError:
        return []
    names = f"split_part(segment, '{PIECE}', 1)"
    connection.execute(
        f"DELETE FROM {INGESTED_SEGMENTS.name} WHERE {names} NOT IN (SELECT unnest(?::VARCHAR[]))", [list(there)]
    )
    noted = connection.execute(f"SELECT segment FROM {INGESTED_SEGMENTS.name}").fetchall()
    return [there[name] for (name,) in noted if name in there]
