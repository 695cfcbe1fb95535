"""Write marks from outside a recorder: to the journal first, synced, and from there to the database.

Killed at any instant, what is in the journal is ingested once, by whoever comes next, as after a crash of a recorder.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.ids import new_id
from pulsoid_rec.recorder.contract.journal_files import journal_folder, open_path, segment_paths
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.paths import require_valid_path
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.disk.sync import sync_folder
from pulsoid_rec.recorder.journal.journal import create_lock
from pulsoid_rec.recorder.journal.rows import MarkRow
from pulsoid_rec.recorder.journal.segment import encode_line, read_lines
from pulsoid_rec.recorder.journal.segment_writer import SegmentWriter

_MARK = b'{"table":"marks"'


def store_marks(
    database: Path, marks: Sequence[MarkRow], *, is_recorded: bool, timings: Timings = DEFAULT_TIMINGS
) -> StorageError | None:
    """Store marks, all or none; return why they are only in the journal yet, if so.

    The database is made if it does not exist; where it `is_recorded`, the recorder makes checkpoints. Raises
    `StorageError` if the journal cannot be written: then nothing is stored.
    """
    require_valid_path(database)
    folder, run_id = journal_folder(database), new_id()
    lock, segment = None, f"{run_id}-{0:08}"
    try:
        lock = create_lock(folder, run_id)
        sync_folder(folder.parent)
        path = _write_segment(folder, segment, marks)
    except OSError as error:
        if lock is not None:
            with contextlib.suppress(OSError):
                open_path(folder, segment).unlink(missing_ok=True)
                lock.release()
        raise StorageError(
            f"Cannot write the journal {folder}: {error.strerror or error}", "Nothing was marked."
        ) from error
    try:
        return _ingest(database, path, timings, is_recorded=is_recorded)
    finally:
        lock.release()
        with contextlib.suppress(OSError):  # it is not empty, or a recorder uses it
            folder.rmdir()


def read_waiting(database: Path) -> list[MarkRow]:
    """Read the marks that are in the journal and perhaps not in the database yet; those of running recorders, too."""
    found = []
    for path in segment_paths(journal_folder(database)):
        with contextlib.suppress(FileNotFoundError):  # it was ingested meanwhile
            for line, is_valid in read_lines(path):
                if is_valid and line.startswith(_MARK):
                    found.append(msgspec.json.decode(line, type=MarkRow))
    return found


def _write_segment(folder: Path, name: str, marks: Sequence[MarkRow]) -> Path:
    writer = SegmentWriter(folder, name)
    try:
        writer.append(b"".join(map(encode_line, marks)))
        path = writer.close()
        sync_folder(folder)
        return path
    finally:
        writer.close_unsynced()


def _ingest(database: Path, segment: Path, timings: Timings, *, is_recorded: bool) -> StorageError | None:
    from pulsoid_rec.recorder.ingest.database import CheckpointError  # noqa: PLC0415 - DuckDB takes 150 ms
    from pulsoid_rec.recorder.ingest.recover import ingest_when_free  # noqa: PLC0415 - as above
    from pulsoid_rec.recorder.ingest.segment_ingest import Ingested  # noqa: PLC0415 - as above

    wal_bytes = DEFAULT_LIMITS.wal_bytes if is_recorded else 0
    keep = (segment.parent / "kept").is_dir()  # as the recorder keeps its own
    try:
        ingest_when_free(
            database, [segment], Ingested(), timings.mark_timeout_s, timings, wal_bytes=wal_bytes, keep=keep
        )
    except CheckpointError:
        return None  # what is committed is in the WAL
    except StorageError as error:
        return error
    return None
