"""The journal's files: what a segment is called, how it is written, and which ones wait to be brought in.

A segment is a text file of JSON lines: one that names the format, then one row a line (`recorder.rows`). It is called
`RUN-NUMBER.jsonl.open` while it is written, and `RUN-NUMBER.jsonl` from when it is closed. A recorder holds `RUN.lock`
as long as it lives; one that is killed leaves its last segment open, with a last line that may be cut off.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from recorder.file_lock import is_locked, remove_dead_lock

FORMAT_VERSION = 1
HEADER = b'{"table":"journal","version":%d}\n' % FORMAT_VERSION

_CLOSED = ".jsonl"
_OPEN = ".jsonl.open"
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)


KEPT = "kept"
"""The folder, inside the journal, for segments kept although they are in the database."""


def journal_folder(database: Path) -> Path:
    """Name the folder of a database's journal."""
    return database.with_name(database.name + ".journal")


def lock_path(folder: Path, run_id: str) -> Path:
    """Name the lock file of a recorder's run."""
    return folder / f"{run_id}.lock"


@dataclass(frozen=True)
class Segment:
    """A segment that nobody writes any more."""

    path: Path

    @property
    def name(self) -> str:
        """What `ingested_segments` notes, whether it was closed or left open."""
        return self.path.name.removesuffix(".open").removesuffix(_CLOSED)


class SegmentWriter:
    """Writes a new segment. Each call may block and raise `OSError`; what it was given is then kept, to try again.

    Parameters
    ----------
    folder
        The journal's folder.
    name
        Name of the segment, unique for ever: `RUN-NUMBER`.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / (name + _OPEN)
        self._file = os.open(self._path, _FLAGS, 0o600)
        self._is_closed = False
        self._safe = 0  # bytes known to be on the disk
        self._unsafe = bytearray(HEADER)  # bytes not synced yet, kept to be written anew should the sync fail
        self._written = 0  # how many of those are in the file

    @property
    def size(self) -> int:
        """Bytes of the segment so far."""
        return self._safe + len(self._unsafe)

    @property
    def unwritten_bytes(self) -> int:
        """Bytes taken that the file does not have, since writing failed."""
        return len(self._unsafe) - self._written

    @property
    def is_synced(self) -> bool:
        """Whether the disk has all of it."""
        return not self._unsafe

    def write(self, lines: bytes | bytearray) -> None:
        """Take whole lines, and write all that is not in the file yet."""
        self._unsafe += lines
        self._write_rest()

    def _write_rest(self) -> None:
        with memoryview(self._unsafe) as unsafe:
            while self._written < len(unsafe):
                self._written += os.write(self._file, unsafe[self._written :])

    def sync(self) -> None:
        """See to it that the disk has all of it."""
        if self.is_synced:
            return
        self._write_rest()
        try:
            os.fsync(self._file)
        except OSError:
            # The system may have dropped what it could not write, and say nothing the next time: write it anew.
            os.ftruncate(self._file, self._safe)
            os.lseek(self._file, self._safe, os.SEEK_SET)
            self._written = 0
            raise
        self._safe += len(self._unsafe)
        self._unsafe = bytearray()
        self._written = 0

    def close(self) -> Segment:
        """Sync and close.

        Raises
        ------
        FileNotFoundError
            Somebody removed the file meanwhile; what it held is lost.
        """
        self.sync()
        if not self._is_closed:
            os.close(self._file)
            self._is_closed = True
        closed = self._path.with_name(self._path.name.removesuffix(".open"))
        self._path.rename(closed)
        return Segment(closed)


def find_segments(folder: Path) -> list[Segment]:
    """List the segments of recorders that are no more, oldest first; a folder that is not there has none."""
    if not folder.is_dir():
        return []
    paths = sorted(path for path in folder.iterdir() if path.name.endswith((_CLOSED, _OPEN)))
    living = {run for run in map(_run_id, paths) if is_locked(lock_path(folder, run))}
    return [Segment(path) for path in paths if _run_id(path) not in living]


def clear_dead_locks(folder: Path) -> None:
    """Remove the lock files that crashes left behind."""
    for path in folder.glob("*.lock"):
        with contextlib.suppress(OSError):
            remove_dead_lock(path)


def _run_id(path: Path) -> str:
    return Segment(path).name.rpartition("-")[0]
