"""A lock file that is released when its process ends, however it ends.

It marks the segments of a running recorder; those without one were left by a crash.
"""

import contextlib
import os
import sys
import time
from pathlib import Path

from pulsoid_rec.recorder.contract.owned_files import open_own

_ATTEMPTS = 200
_RETRY_S = 0.005
_LOCKED = b"\n"  # the byte that Windows locks: no other process can read it there

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
    """A file that this process makes and keeps locked until `release`; `OSError` if that cannot be done.

    `BlockingIOError` if another process holds it: after a second, spent on those that only look whether it is locked,
    or at once with `wait=False`. Others can read its `content` with `read_locked`; on a full disk it has none until
    `renew` finds space for it.
    """

    def __init__(self, path: Path, *, wait: bool = True, content: bytes = b"") -> None:
        self._path = path
        self._content, self._is_written = content, False
        self._file = _make(path, _ATTEMPTS if wait else 1)
        self._write()

    def renew(self) -> None:
        """Make the file again if it was removed; it is not locked in between."""
        if not _is_same_file(self._file, self._path):
            removed, self._file = self._file, _make(self._path, _ATTEMPTS)
            os.close(removed)
            self._is_written = False
        if not self._is_written:
            self._write()

    def _write(self) -> None:
        if self._content:
            os.lseek(self._file, 0, os.SEEK_SET)
            with contextlib.suppress(OSError):
                written = os.write(self._file, _LOCKED + self._content)
                self._is_written = written == len(_LOCKED + self._content)

    def release(self) -> None:
        """Remove and unlock the file."""
        try:
            if sys.platform != "win32":
                # While it is locked: otherwise `remove_stale_lock` could remove a new one of the same name.
                self._path.unlink(missing_ok=True)
        finally:
            os.close(self._file)
        if sys.platform == "win32":
            with contextlib.suppress(PermissionError):  # impossible there while any process has it open
                self._path.unlink(missing_ok=True)


def _make(path: Path, attempts: int) -> int:
    for left in range(attempts, 0, -1):
        file = open_own(path, os.O_RDWR | os.O_CREAT)
        # Before it is locked, `remove_stale_lock` of another process may lock or remove it.
        if _lock(file) and _is_same_file(file, path):
            return file
        os.close(file)
        if left > 1:
            time.sleep(_RETRY_S)
    raise BlockingIOError(f"another process holds {path}")


def _is_same_file(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def is_locked(path: Path) -> bool:
    """Return whether a process holds a lock file; False if there is no such file."""
    try:
        file = open_own(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _lock(file, shared=True)  # shared, so that simultaneous checks do not see each other
    finally:
        os.close(file)


def read_locked(path: Path) -> bytes:
    """Return the content of a lock file that a process holds; nothing if none does, or there is no such file."""
    try:
        file = open_own(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    with os.fdopen(file, "rb", buffering=0) as opened:
        opened.seek(len(_LOCKED))
        content = opened.read()
    return content if is_locked(path) else b""


def remove_stale_lock(path: Path) -> None:
    """Remove a lock file that a crash left, unless a process holds it."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        file = open_own(path, os.O_RDWR)
        try:
            if _lock(file) and _is_same_file(file, path) and sys.platform != "win32":
                path.unlink()  # while it is locked, so that no other process can lock it
        finally:
            os.close(file)
        if sys.platform == "win32":
            path.unlink()  # impossible there while a process has it open
