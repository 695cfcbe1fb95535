"""Write a segment so that neither a crash nor a temporary disk failure loses a line."""

import os
import shutil
import threading
from collections import deque
from pathlib import Path

from pulsoid_rec.recorder.contract.journal_files import closed_path, open_path
from pulsoid_rec.recorder.disk.sync import sync_file, sync_folder
from pulsoid_rec.recorder.journal.segment import HEADER

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)


class SegmentRemovedError(Exception):
    """The file of a segment was removed while it was written."""


class SegmentWriter:
    """Writes a new segment called `name`, `RUN-NUMBER`.

    `append` never waits. Everything else may block and raise `OSError`, and is for worker threads: one may `write`
    while another waits for the disk in `sync`. What is not known to be on the disk is kept in memory, and after a
    failure written by the next `write`, `sync` or `close`.
    """

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = open_path(folder, name)
        self._closed_path = closed_path(folder, name)
        self._file: int | None = os.open(self._path, _FLAGS, 0o600)
        self._writing = threading.Lock()
        self._unsynced: deque[bytes | bytearray] = deque([HEADER])  # not known to be on the disk, oldest first
        # Positions in the file: synced <= written <= size.
        self._synced = self._written = 0
        self.size = len(HEADER)
        """Bytes of the segment so far."""

    @property
    def unwritten_bytes(self) -> int:
        """Bytes appended that the file does not have yet."""
        return self.size - self._written

    @property
    def unsynced_bytes(self) -> int:
        """Bytes appended that are not known to be on the disk."""
        return self.size - self._synced

    def append(self, lines: bytes | bytearray) -> None:
        """Append whole lines, for the next `write`; they must not change any more."""
        self._unsynced.append(lines)
        self.size += len(lines)

    def write(self) -> None:
        """Write everything that is not in the file yet."""
        with self._writing:
            assert self._file is not None
            start = self._synced
            for lines in tuple(self._unsynced):
                while self._written < start + len(lines):
                    os.lseek(self._file, self._written, os.SEEK_SET)
                    self._written += os.write(self._file, memoryview(lines)[self._written - start :])
                start += len(lines)

    def sync(self) -> None:
        """Write everything appended so far and sync it to the disk."""
        self.write()
        assert self._file is not None
        reached = self._written
        is_first = self._synced == 0
        try:
            sync_file(self._file)
        except OSError:
            # The system may drop what it could not write and report success the next time: write it again.
            with self._writing:
                self._written = self._synced
            raise
        if is_first:
            sync_folder(self._path.parent)
        with self._writing:
            while self._unsynced and self._synced + len(self._unsynced[0]) <= reached:
                self._synced += len(self._unsynced.popleft())

    def close(self) -> Path:
        """Sync and close; return the closed file. Call it again if it fails.

        Raises `SegmentRemovedError` if the file was removed and could not be restored.
        """
        if self._file is not None:
            self.sync()
            if not self._path.exists():
                self._restore()
            self.close_unsynced()
        try:
            self._path.rename(self._closed_path)
        except FileNotFoundError as error:
            raise SegmentRemovedError from error
        return self._closed_path

    def close_unsynced(self) -> None:
        """Close the file without syncing it, as a crash would."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _restore(self) -> None:
        """Write a removed file again: while it is open, its content can still be read."""
        assert self._file is not None
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        restored = os.open(self._path, _FLAGS, 0o600)
        try:
            os.lseek(self._file, 0, os.SEEK_SET)
            with open(self._file, "rb", closefd=False) as removed, open(restored, "wb", closefd=False) as copy:
                shutil.copyfileobj(removed, copy)
            sync_file(restored)
        except BaseException:
            os.close(restored)
            self._path.unlink()
            raise
        os.close(self._file)
        self._file = restored
        sync_folder(self._path.parent)
