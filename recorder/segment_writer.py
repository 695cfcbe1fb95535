"""Writing a segment so that neither a crash nor a disk that refuses for a while costs a line."""

import contextlib
import os
import shutil
import sys
import threading
from collections import deque
from pathlib import Path

from recorder.segment import HEADER, Segment, closed_path, open_path

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)

if sys.platform == "darwin":
    import fcntl

    def _flush(file: int) -> None:
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)  # fsync stops at the drive's own cache there

else:

    def _flush(file: int) -> None:
        os.fsync(file)


def sync_folder(folder: Path) -> None:
    """See to it that a power failure does not take the names of new files in a folder, where the system can."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # some network drives cannot
            file = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(file)
            finally:
                os.close(file)


class SegmentRemovedError(Exception):
    """Somebody removed the file of a segment that was being written."""


class SegmentWriter:
    """Writes a new segment.

    `take` is for the task that has the lines, and never waits. All else may block and raise `OSError`, and is for
    worker threads: one may `write` while another waits for the disk in `sync`. After a failure nothing is lost: what
    the disk is not known to have is kept, and the next `write`, `sync` or `close` writes it.

    Parameters
    ----------
    folder
        The journal's folder; made, for its owner alone, where it is not there.
    name
        Name of the segment, unique for ever: `RUN-NUMBER`.
    """

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = open_path(folder, name)
        self._closed_path = closed_path(folder, name)
        self._file: int | None = os.open(self._path, _FLAGS, 0o600)
        self._writing = threading.Lock()
        self._unsafe: deque[bytes | bytearray] = deque([HEADER])  # what the disk is not known to have, oldest first
        # Positions in the file: what the disk has for sure <= what the file has <= what was taken.
        self._safe = self._written = 0
        self.size = len(HEADER)
        """Bytes of the segment so far."""

    @property
    def unwritten_bytes(self) -> int:
        """Bytes taken that the file does not have yet."""
        return self.size - self._written

    @property
    def unsafe_bytes(self) -> int:
        """Bytes taken that the disk is not known to have; memory has them."""
        return self.size - self._safe

    def take(self, lines: bytes | bytearray) -> None:
        """Take whole lines, to be written by the next `write`; they must not change any more."""
        self._unsafe.append(lines)
        self.size += len(lines)

    def write(self) -> None:
        """Write all that is not in the file yet."""
        with self._writing:
            assert self._file is not None
            start = self._safe
            for lines in tuple(self._unsafe):
                while self._written < start + len(lines):
                    os.lseek(self._file, self._written, os.SEEK_SET)
                    self._written += os.write(self._file, memoryview(lines)[self._written - start :])
                start += len(lines)

    def sync(self) -> None:
        """Write, and see to it that the disk has all that was taken before."""
        self.write()
        assert self._file is not None
        reached = self._written
        is_first = self._safe == 0
        try:
            _flush(self._file)
        except OSError:
            # The system may have dropped what it could not write, and say nothing the next time: it is written anew.
            with self._writing:
                self._written = self._safe
            raise
        if is_first:
            sync_folder(self._path.parent)
        with self._writing:
            while self._unsafe and self._safe + len(self._unsafe[0]) <= reached:
                self._safe += len(self._unsafe.popleft())

    def close(self) -> Segment:
        """Sync and close. To be called once all was taken; and again, if it fails.

        Raises
        ------
        SegmentRemovedError
            Somebody removed the file, and what it held could not be saved.
        """
        if self._file is not None:
            self.sync()
            if not self._path.exists():
                self._restore()
            self.leave()
        try:
            self._path.rename(self._closed_path)
        except FileNotFoundError as error:
            raise SegmentRemovedError from error
        return Segment(self._closed_path)

    def leave(self) -> None:
        """Close the file as it is, as a crash would."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _restore(self) -> None:
        """Write anew a file that somebody removed: as long as it is open, its content is still there."""
        assert self._file is not None
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        restored = os.open(self._path, _FLAGS, 0o600)
        try:
            os.lseek(self._file, 0, os.SEEK_SET)
            with open(self._file, "rb", closefd=False) as removed, open(restored, "wb", closefd=False) as copy:
                shutil.copyfileobj(removed, copy)
            _flush(restored)
        except BaseException:
            os.close(restored)
            self._path.unlink()
            raise
        os.close(self._file)
        self._file = restored
        sync_folder(self._path.parent)
