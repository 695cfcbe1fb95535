"""The lock of a credentials file: recorders that share it, `login` and `logout` change it in turn."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.disk.lock_file import LockFile


class TokenLockedError(Exception):
    """Another process keeps the lock, and does not release it."""


def try_token_lock(token_file: Path) -> LockFile | None:
    """Lock a credentials file without waiting; return None if another process or room has locked it."""
    try:
        return LockFile(_lock_path(token_file), wait=False)
    except BlockingIOError:
        return None


@asynccontextmanager
async def token_lock(token_file: Path, timings: Timings, on_wait: Callable[[Path], None]) -> AsyncIterator[None]:
    """Hold the lock of a credentials file while the block runs.

    `on_wait` is called, with the lock's path, while another process keeps it for longer than a refresh takes; after
    `token_lock_timeout_s` `TokenLockedError` is raised.
    """
    path = _lock_path(token_file)
    began_at = trio.current_time()
    while (lock := try_token_lock(token_file)) is None:
        waited_s = trio.current_time() - began_at
        if waited_s >= timings.token_lock_timeout_s:
            raise TokenLockedError(f"another process keeps {path} locked. End that process")
        if waited_s >= timings.token_lock_report_s:
            on_wait(path)
        await trio.sleep(timings.token_lock_retry_s)
    try:
        yield
    finally:
        lock.release()


def _lock_path(token_file: Path) -> Path:
    return token_file.with_name(f".{token_file.name}.lock")
