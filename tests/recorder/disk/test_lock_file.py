"""The lock file of a run: it lives exactly as long as its process."""

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pulsoid_rec.recorder.disk.lock_file import LockFile, is_locked, read_locked, remove_stale_lock

_HOLD = (
    "import sys, pathlib; from pulsoid_rec.recorder.disk.lock_file import LockFile;"
    "lock = LockFile(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
)


@pytest.mark.process
def test_a_lock_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    command = [sys.executable, "-c", _HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert is_locked(path)
        remove_stale_lock(path)
        assert is_locked(path), "a lock that is held must not be taken away"
        holder.kill()
        holder.wait()
    assert path.exists()
    assert not is_locked(path)
    remove_stale_lock(path)
    assert not path.exists()


def test_a_lock_that_is_not_there_is_not_held_and_nothing_to_remove(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "run.lock")
    remove_stale_lock(tmp_path / "run.lock")


def test_release_removes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    lock = LockFile(path)
    assert is_locked(path)
    lock.release()
    assert not path.exists()


def test_a_lock_that_another_holds_is_not_waited_for_where_that_is_not_wanted(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    lock = LockFile(path)
    began_at = time.monotonic()
    with pytest.raises(BlockingIOError, match="another process holds"):
        LockFile(path, wait=False)
    assert time.monotonic() - began_at < 0.1
    lock.release()
    LockFile(path, wait=False).release()


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be removed there")
def test_a_lock_file_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    lock = LockFile(path)
    lock.renew()
    assert is_locked(path)
    path.unlink()
    assert not is_locked(path)
    lock.renew()
    assert is_locked(path)
    lock.release()
    assert not path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="it is the race of flock")
def test_who_asks_does_not_keep_a_starting_recorder_from_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    stop = threading.Event()

    def ask_and_clear_up() -> None:
        while not stop.is_set():
            is_locked(path)
            remove_stale_lock(path)

    askers = [threading.Thread(target=ask_and_clear_up) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(200):
            lock = LockFile(path)
            assert os.path.samestat(path.stat(), os.fstat(lock._file))
            lock.release()
    finally:
        stop.set()
        for asker in askers:
            asker.join()


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be removed there")
def test_who_clears_up_does_not_remove_a_lock_that_was_made_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.lock"
    path.touch()  # left by a crash
    open_file, locks = os.open, []

    def be_slow(*arguments: Any, **named: Any) -> int:
        file = open_file(*arguments, **named)
        monkeypatch.setattr(os, "open", open_file)
        path.unlink()  # somebody else clears up, and a recorder takes the name
        locks.append(LockFile(path))
        return file

    monkeypatch.setattr(os, "open", be_slow)
    remove_stale_lock(path)
    assert path.exists()
    assert is_locked(path)
    locks[0].release()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no shared locks there")
def test_two_who_ask_at_once_do_not_take_each_other_for_alive(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    path.touch()
    seen_alive: list[bool] = []

    def ask() -> None:
        seen_alive.extend(is_locked(path) for _ in range(3000))

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert not any(seen_alive)


def test_on_a_full_disk_it_is_locked_at_once_and_has_its_content_once_there_is_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "a.lock"
    with monkeypatch.context() as full:
        full.setattr(os, "write", refuse)
        lock = LockFile(path, content=b"rooms")
        lock.renew()
        assert is_locked(path)
        assert read_locked(path) == b""
    lock.renew()
    assert read_locked(path) == b"rooms"
    lock.release()
