"""A lock file that ends with the process that holds it, however that ends.

It tells the segments of a living recorder from those that a crash left behind.
"""

import contextlib
import os
import sys
import time
from pathlib import Path

_FLAGS = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
_TRIES = 200
_BETWEEN_TRIES_S = 0.005

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int, *, shared: bool = False) -> bool:  # noqa: ARG001 - Windows has no shared locks by this call
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(file: int, *, shared: bool = False) -> bool:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class LockFile:
    """A file that this process has made and holds locked until `release`.

    Raises
    ------
    OSError
        The file cannot be made or locked.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _make(path)

    def renew(self) -> None:
        """Make the file anew if somebody removed it; it is not held in between."""
        if not _same(self._file, self._path):
            removed, self._file = self._file, _make(self._path)
            os.close(removed)

    def release(self) -> None:
        """Remove and unlock the file."""
        try:
            if sys.platform != "win32":
                # While it is locked: somebody who clears up would else take it for dead, and remove its successor.
                self._path.unlink(missing_ok=True)
        finally:
            os.close(self._file)
        if sys.platform == "win32":
            self._path.unlink(missing_ok=True)  # refused there while it is open


def _make(path: Path) -> int:
    for _ in range(_TRIES):
        file = os.open(path, _FLAGS | os.O_CREAT, 0o600)
        # Until it is locked, somebody who clears up after crashes may take it in hand for an instant, or remove it.
        if _lock(file) and _same(file, path):
            return file
        os.close(file)
        time.sleep(_BETWEEN_TRIES_S)
    raise BlockingIOError(f"another process holds {path}")


def _same(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def is_locked(path: Path) -> bool:
    """Tell whether a living process holds a lock file. One that is not there is not held."""
    try:
        file = os.open(path, _FLAGS)
    except FileNotFoundError:
        return False
    try:
        return not _lock(file, shared=True)  # shared, so that two who ask at once do not take each other for alive
    finally:
        os.close(file)


def remove_dead_lock(path: Path) -> None:
    """Remove a lock file that a crash left behind; one that is held stays."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        file = os.open(path, _FLAGS)
        try:
            if _lock(file) and _same(file, path) and sys.platform != "win32":
                path.unlink()  # while it is locked, so that nobody can have taken it meanwhile
        finally:
            os.close(file)
        if sys.platform == "win32":
            path.unlink()  # refused there while somebody has it open
