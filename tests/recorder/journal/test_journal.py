"""The journal: on disk in an instant, whatever the disk, the threads and the end do."""

import errno
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from journal_rows import reading

from pulsoid_rec.recorder.contract.journal_files import lock_path, segment_name
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.disk.lock_file import is_locked
from pulsoid_rec.recorder.journal.journal import Journal
from pulsoid_rec.recorder.journal.rows import HeartRateRow
from pulsoid_rec.recorder.journal.segment import HEADER, encode_line, find_segments


def lines_on_disk(folder: Path) -> list[bytes]:
    """Return the lines of all segments, in order, without the headers."""
    paths = sorted(folder.glob("*.jsonl*"), key=segment_name)
    return [line for path in paths for line in path.read_bytes().removeprefix(HEADER).splitlines(keepends=True)]


async def until_on_disk(folder: Path, count: int) -> float:
    """Wait until so many lines are in the files."""
    return await until(lambda: len(lines_on_disk(folder)) == count)


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> float:
    """Wait for a condition; return how long it took, in seconds of the real clock."""
    began_at = time.monotonic()
    while not condition():
        assert time.monotonic() < began_at + within_s, "what was waited for did not happen"
        await trio.sleep(0.002)
    return time.monotonic() - began_at


async def test_a_row_is_in_a_file_within_a_tenth_of_a_second(tmp_path: Path, nursery: trio.Nursery) -> None:
    journal = Journal(tmp_path / "journal", "run")
    nursery.start_soon(journal.run)
    took_s = []
    for number in range(10):
        journal.append(reading(number))
        took_s.append(await until_on_disk(tmp_path / "journal", number + 1))
        await trio.sleep(0.01 * number)
    assert min(took_s) < 0.1  # the machine may have other things to do, but not each time
    nursery.cancel_scope.cancel()


async def test_a_disk_that_takes_long_to_sync_does_not_hold_up_the_writing(
    tmp_path: Path, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, asked, fsync = threading.Event(), threading.Event(), os.fsync

    def slow_fsync(file: int) -> None:
        asked.set()
        assert release.wait(10)
        fsync(file)

    journal = Journal(tmp_path / "journal", "run", timings=Timings(sync_every_s=0.1))
    monkeypatch.setattr(os, "fsync", slow_fsync)
    nursery.start_soon(journal.run)
    try:
        for taker_waits in (False, True):
            if taker_waits:  # now it is the closing of a segment that takes long
                journal.close_after_s = 0.0
                nursery.start_soon(journal.segments.receive)
            asked.clear()
            journal.append(reading(0))
            await until(asked.is_set)
            count = len(lines_on_disk(tmp_path / "journal"))
            for number in range(1, 4):
                journal.append(reading(number))
                await until_on_disk(tmp_path / "journal", count + number)
            release.set()
            await trio.sleep(0.2)
            release.clear()
    finally:
        release.set()
        nursery.cancel_scope.cancel()


async def test_name_servers_that_hang_do_not_take_the_threads_that_the_journal_needs(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    release = threading.Event()
    limiter = trio.to_thread.current_default_thread_limiter()
    for _ in range(int(limiter.total_tokens)):
        nursery.start_soon(lambda: trio.to_thread.run_sync(release.wait, 10, abandon_on_cancel=True))
    await trio.testing.wait_all_tasks_blocked()
    journal = Journal(tmp_path / "journal", "run")
    nursery.start_soon(journal.run)
    journal.append(reading(1))
    try:
        await until(lambda: len(lines_on_disk(tmp_path / "journal")) == 1)
    finally:
        release.set()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("instant_s", [0.0, 0.001, 0.049, 0.05, 0.051, 0.053, 0.06, 0.1, 0.11])
async def test_cancelled_at_any_instant_it_has_written_what_it_was_given(tmp_path: Path, instant_s: float) -> None:
    folder = tmp_path / "journal"
    journal = Journal(folder, "run")
    rows: list[HeartRateRow] = []
    with trio.move_on_after(instant_s):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.run)
            while True:
                rows.append(reading(len(rows)))
                journal.append(rows[-1])
                await trio.sleep(0.001)
    assert rows
    assert lines_on_disk(folder) == [encode_line(row) for row in rows]
    assert journal.unwritten_bytes == 0
    journal.release()
    assert [segment.suffix for segment in find_segments(folder)] == [".open"]


async def test_cancelled_while_it_opens_a_file_it_has_written_what_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, asked, open_file = threading.Event(), threading.Event(), os.open

    def slow_open(path: Any, *arguments: Any, **named: Any) -> int:
        if str(path).endswith(".open"):
            asked.set()
            assert release.wait(10)
        return open_file(path, *arguments, **named)

    journal = Journal(tmp_path / "journal", "run")
    monkeypatch.setattr(os, "open", slow_open)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.run)
        journal.append(reading(1))
        await until(asked.is_set)
        nursery.cancel_scope.cancel()
        threading.Timer(0.05, release.set).start()
    assert lines_on_disk(tmp_path / "journal") == [encode_line(reading(1))]


async def test_a_large_segment_does_not_wait_as_long_as_a_small_one(tmp_path: Path, nursery: trio.Nursery) -> None:
    journal = Journal(tmp_path / "journal", "run", timings=Timings(large_segment_age_s=0.1))
    journal.close_after_s = 3600
    nursery.start_soon(journal.run)
    journal.append(reading(0))
    with trio.move_on_after(0.5):
        await journal.segments.receive()
        raise AssertionError("a small segment was closed early")
    count = DEFAULT_LIMITS.large_segment_bytes // len(encode_line(reading(0))) + 1
    for number in range(1, count):
        journal.append(reading(number))
    with trio.fail_after(5):
        segment = await journal.segments.receive()
    assert len(segment.read_bytes().splitlines()) == 1 + count
    nursery.cancel_scope.cancel()


class StepCounter(trio.abc.Instrument):
    """Counts how often a task is given its turn."""

    def __init__(self) -> None:
        self.steps = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002 - trio names it
        self.steps += 1


async def test_a_segment_that_waits_costs_nothing(tmp_path: Path, nursery: trio.Nursery) -> None:
    """A room of a few people is recorded beside a game: nothing may run twenty times a second for it."""
    journal = Journal(tmp_path / "journal", "run")
    journal.close_after_s = 10.0
    nursery.start_soon(journal.run)
    journal.append(reading(0))
    await trio.sleep(1.5)  # it is written and synced, and not due to be closed
    counter = StepCounter()
    trio.lowlevel.add_instrument(counter)
    await trio.sleep(1.0)
    trio.lowlevel.remove_instrument(counter)
    assert counter.steps <= 3
    nursery.cancel_scope.cancel()


async def test_segments_come_out_in_order_and_hold_every_row_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", "run")
    journal.close_after_s = 0.05
    received: list[bytes] = []

    async def take() -> None:
        async for segment in journal.segments:
            assert segment.read_bytes().startswith(HEADER)
            received.extend(segment.read_bytes().splitlines(keepends=True)[1:])
            segment.unlink()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.run)
        nursery.start_soon(take)
        for number in range(300):
            journal.append(reading(number))
            await trio.sleep(0.001)
        journal.finish()
    assert received == [encode_line(reading(number)) for number in range(300)]
    assert journal.backlog_bytes == journal.unwritten_bytes == 0
    journal.release()
    assert not (tmp_path / "journal").exists(), "an empty journal leaves nothing behind"


async def test_nothing_recorded_leaves_nothing_behind(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", "run")
    assert is_locked(lock_path(tmp_path / "journal", "run"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.run)
        await trio.lowlevel.checkpoint()
        journal.finish()
    journal.release()
    assert list(tmp_path.iterdir()) == []


async def test_a_segment_nobody_takes_grows_to_its_bound_and_no_further(tmp_path: Path, nursery: trio.Nursery) -> None:
    journal = Journal(tmp_path / "journal", "run", limits=Limits(segment_bytes=2000))
    journal.close_after_s = 0.0
    nursery.start_soon(journal.run)
    for number in range(10):
        journal.append(reading(number))
    await until(lambda: len(lines_on_disk(tmp_path / "journal")) == 10)
    await trio.sleep(0.15)
    assert [path.suffix for path in (tmp_path / "journal").glob("*.jsonl*")] == [".open"]
    for number in range(10, 20):
        journal.append(reading(number))
    await until(lambda: len(list((tmp_path / "journal").glob("*.jsonl"))) == 1)
    nursery.cancel_scope.cancel()


class FullDisk:
    """A file system without space, until `free` is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._write = os.write
        monkeypatch.setattr(os, "write", self.refuse)

    def refuse(self, file: int, data: bytes) -> int:  # noqa: ARG002 - it is os.write
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def free(self) -> None:
        self._monkeypatch.setattr(os, "write", self._write)


async def test_a_full_disk_is_reported_once_and_costs_nothing_once_there_is_room(
    tmp_path: Path, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pulsoid_rec.recorder")
    journal = Journal(tmp_path / "journal", "run", timings=Timings(rewrite_after_s=0.05, sync_every_s=0.1))
    nursery.start_soon(journal.run)
    disk = FullDisk(monkeypatch)
    for number in range(50):
        journal.append(reading(number))
        await trio.sleep(0.01)
    assert journal.unwritten_bytes > 50 * 50
    [output] = caplog.messages
    assert "No space left on device" in output
    assert "free some space" in output
    disk.free()
    await until(lambda: len(lines_on_disk(tmp_path / "journal")) == 50)
    await until(lambda: len(caplog.messages) == 2)
    assert "is being written again; nothing was lost" in caplog.messages[1]
    assert lines_on_disk(tmp_path / "journal") == [encode_line(reading(number)) for number in range(50)]
    nursery.cancel_scope.cancel()


async def test_too_many_open_files_cost_nothing(
    tmp_path: Path, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    journal = Journal(tmp_path / "journal", "run", timings=Timings(rewrite_after_s=0.02))
    nursery.start_soon(journal.run)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        journal.append(reading(1))
        await until(lambda: bool(caplog.messages))
        journal.append(reading(2))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    await until(lambda: len(lines_on_disk(tmp_path / "journal")) == 2)
    assert "Too many open files" in caplog.messages[0]
    nursery.cancel_scope.cancel()


async def test_memory_is_bounded_and_nothing_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timings = Timings(rewrite_after_s=0.05, sync_every_s=0.05)
    journal = Journal(tmp_path / "journal", "run", timings, Limits(memory_bytes=10_000))
    disk = FullDisk(monkeypatch)
    most = 0

    async def receive() -> None:
        nonlocal most
        for number in range(300):
            journal.append(reading(number))
            most = max(most, journal.unwritten_bytes)
            await trio.sleep(0.001)
            await journal.wait_for_space()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.run)
            async with trio.open_nursery() as receiver:
                receiver.start_soon(receive)
                while not journal.is_full:
                    await trio.sleep(0.01)
                await trio.sleep(0.3)
                disk.free()
            journal.finish()
    assert 10_000 < most < 10_000 + 500
    assert lines_on_disk(tmp_path / "journal") == [encode_line(reading(number)) for number in range(300)]


async def test_syncs_that_fail_count_against_the_bound_too(
    tmp_path: Path, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:

    def refuse(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    timings = Timings(rewrite_after_s=0.05, sync_every_s=0.05)
    journal = Journal(tmp_path / "journal", "run", timings, Limits(memory_bytes=10_000))
    monkeypatch.setattr(os, "fsync", refuse)
    nursery.start_soon(journal.run)
    with trio.move_on_after(3) as scope:
        while not journal.is_full:
            journal.append(reading(1))
            await trio.sleep(0.005)
    assert not scope.cancelled_caught, "what is not synced must be kept, and count"
    nursery.cancel_scope.cancel()


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be removed there")
async def test_a_journal_that_somebody_removes_goes_on_and_keeps_its_lock(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    folder = tmp_path / "journal"
    journal = Journal(folder, "run")
    journal.close_after_s = 0.1
    nursery.start_soon(journal.run)
    journal.append(reading(1))
    await until(lambda: len(lines_on_disk(folder)) == 1)
    shutil.rmtree(folder)
    segment = await journal.segments.receive()
    assert segment.read_bytes() == HEADER + encode_line(reading(1))
    journal.append(reading(2))
    await until(lambda: len(lines_on_disk(folder)) == 2)
    assert is_locked(lock_path(folder, "run")), "without its lock, another recorder would take its segments"
    assert find_segments(folder) == []
    nursery.cancel_scope.cancel()


async def test_recorders_that_come_and_go_do_not_trip_over_the_folder(tmp_path: Path) -> None:
    """One that ends removes the empty folder, at the instant at which another one begins."""
    folder = tmp_path / "journal"

    def come_and_go(name: str) -> None:
        for number in range(100):
            trio.run(_make_and_release, folder, f"{name}{number}")

    async with trio.open_nursery() as nursery:
        for name in "abc":
            nursery.start_soon(trio.to_thread.run_sync, come_and_go, name)
    assert not folder.exists()


async def _make_and_release(folder: Path, run_id: str) -> None:
    Journal(folder, run_id).release()


async def test_a_folder_that_cannot_be_made_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("a file in its place")
    with pytest.raises(OSError, match="exists"):
        Journal(tmp_path / "journal", "run")
