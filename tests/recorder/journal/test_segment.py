"""The journal's files: lines whose damage is detected, and a writer that loses no line on a failing disk."""

import contextlib
import errno
import json
import os
import random
import shutil
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_rows import reading, rows, write_segment

from pulsoid_rec.recorder.contract.journal_files import lock_path, segment_name
from pulsoid_rec.recorder.disk.lock_file import LockFile
from pulsoid_rec.recorder.journal.rows import AnyRow
from pulsoid_rec.recorder.journal.segment import (
    FORMAT_VERSION,
    HEADER,
    Header,
    encode_line,
    find_segments,
    has_valid_checksum,
    scan,
)
from pulsoid_rec.recorder.journal.segment_writer import SegmentRemovedError, SegmentWriter


@given(rows)
def test_a_line_is_json_and_holds_the_row(row: AnyRow) -> None:
    line = encode_line(row)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert has_valid_checksum(line)
    content = json.loads(line)
    for field in row.__struct_fields__:
        assert content[field] == getattr(row, field)


@given(rows, st.data())
def test_no_bit_of_a_line_changes_unnoticed(row: AnyRow, data: st.DataObject) -> None:
    line = bytearray(encode_line(row))
    line[data.draw(st.integers(0, len(line) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert not has_valid_checksum(bytes(line))


@given(rows, st.data())
def test_no_part_of_a_line_goes_missing_unnoticed(row: AnyRow, data: st.DataObject) -> None:
    line = encode_line(row)
    assert not has_valid_checksum(line[: data.draw(st.integers(0, len(line) - 1))])


def test_segments_of_the_living_are_left_alone_and_those_of_the_dead_found(tmp_path: Path) -> None:
    assert find_segments(tmp_path / "nowhere") == []
    running = LockFile(lock_path(tmp_path, "20240102T000000-aa"))
    lock_path(tmp_path, "20240103T000000-bb").touch()  # left by a crash
    for name in ("20240102T000000-aa-00000000.jsonl", "20240102T000000-aa-00000001.jsonl.open"):
        (tmp_path / name).touch()
    dead = ["20240101T000000-cc-00000007.jsonl.open", "20240103T000000-bb-00000000.jsonl"]
    for name in dead:
        (tmp_path / name).touch()
    (tmp_path / "readme.txt").touch()
    assert [segment.name for segment in find_segments(tmp_path)] == dead
    running.release()
    assert len(find_segments(tmp_path)) == 4


def test_a_segment_has_one_name_open_and_closed() -> None:
    assert segment_name(Path("j/run-1.jsonl.open")) == segment_name(Path("j/run-1.jsonl")) == "run-1"


def test_a_scan_counts_valid_and_damaged_lines(tmp_path: Path) -> None:
    path = tmp_path / "run-0.jsonl"
    lines = [encode_line(reading(n)) for n in range(5)]
    path.write_bytes(HEADER + b"".join(lines[:3]) + b"\xff garbage \x00\n" + lines[3] + b"\n" + lines[4][:-20])
    found = scan(path)
    assert (found.version, found.has_header, found.rows, found.damaged) == (FORMAT_VERSION, True, 4, 2)
    assert found.longest_bytes == max(map(len, lines))


@pytest.mark.parametrize("version", [1, FORMAT_VERSION])
@pytest.mark.parametrize("kept", [0, 1, 10, len(HEADER) - 1])
def test_a_header_that_a_crash_cut_off_is_no_damage(tmp_path: Path, kept: int, version: int) -> None:
    path = tmp_path / "run-0.jsonl.open"
    path.write_bytes(encode_line(Header(version))[:kept])
    found = scan(path)
    assert (found.has_header, found.rows, found.damaged) == (False, 0, 0)


def test_a_header_with_a_flipped_bit_is_not_taken_for_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "run-0.jsonl"
    path.write_bytes(HEADER.replace(b'"version":2', b'"version":9') + encode_line(reading(1)))
    found = scan(path)
    assert (found.version, found.rows, found.damaged) == (FORMAT_VERSION, 1, 1)
    path.write_bytes(encode_line(Header(9)) + encode_line(reading(1)))
    assert scan(path).version == 9


def test_a_scan_needs_little_memory_however_large_the_segment(tmp_path: Path) -> None:
    path = write_segment(tmp_path, "run-0", [])
    with path.open("ab") as file:
        for number in range(100):
            file.write(encode_line(reading(number)) * 1000)
    assert path.stat().st_size > 10 * 2**20
    tracemalloc.start()
    try:
        assert scan(path).rows == 100_000
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


class Disk:
    """A disk that can refuse: the system's `write` and `fsync`, with a bound on what is taken and faults on request."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free_bytes = 10**9
        self.sync_fails = False
        self._write, self._fsync = os.write, os.fsync
        monkeypatch.setattr(os, "write", self.write)
        monkeypatch.setattr(os, "fsync", self.fsync)

    def write(self, file: int, data: bytes) -> int:
        if not self.free_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._write(file, bytes(data[: self.free_bytes]))
        self.free_bytes -= written
        return written

    def fsync(self, file: int) -> None:
        if self.sync_fails:
            # As Linux does: what was not on the disk yet is dropped, and reported once.
            safe = getattr(self, "safe_bytes", 0)
            size = os.fstat(file).st_size
            os.lseek(file, safe, os.SEEK_SET)
            self._write(file, b"\0" * (size - safe))
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._fsync(file)
        self.safe_bytes = os.fstat(file).st_size


def test_a_disk_that_fills_up_in_the_middle_of_a_line_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    writer = SegmentWriter(tmp_path, "run-0")
    lines = [encode_line(reading(n)) for n in range(30)]
    for number, line in enumerate(lines):
        writer.append(line)
        disk.free_bytes = (0, 7, 40, 1000)[number % 4]
        with contextlib.suppress(OSError):
            writer.write()
            continue
        assert writer.unwritten_bytes > 0
    disk.free_bytes = 0
    with pytest.raises(OSError, match="No space"):
        writer.close()
    disk.free_bytes = 10**6
    assert writer.close().read_bytes() == HEADER + b"".join(lines)
    assert writer.unwritten_bytes == writer.unsynced_bytes == 0


def test_what_a_failed_sync_dropped_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    writer = SegmentWriter(tmp_path, "run-0")
    lines = [encode_line(reading(n)) for n in range(12)]
    for number, line in enumerate(lines):
        writer.append(line)
        writer.write()
        disk.sync_fails = number % 3 != 0
        if disk.sync_fails:
            with pytest.raises(OSError, match="Input/output"):
                writer.sync()
        else:
            writer.sync()
            assert writer.unsynced_bytes == 0
    disk.sync_fails = False
    assert writer.close().read_bytes() == HEADER + b"".join(lines)


def test_writing_goes_on_while_the_disk_takes_its_time_to_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release, asked, fsync = threading.Event(), threading.Event(), os.fsync

    def slow_fsync(file: int) -> None:
        asked.set()
        assert release.wait(10)
        fsync(file)

    monkeypatch.setattr(os, "fsync", slow_fsync)
    writer = SegmentWriter(tmp_path, "run-0")
    first, second = encode_line(reading(1)), encode_line(reading(2))
    writer.append(first)
    syncing = threading.Thread(target=writer.sync)
    syncing.start()
    try:
        assert asked.wait(10)
        writer.append(second)
        writer.write()
        assert (tmp_path / "run-0.jsonl.open").read_bytes() == HEADER + first + second
    finally:
        release.set()
        syncing.join()
    assert writer.unsynced_bytes == len(second), "what came during the sync is not known to be on the disk"
    writer.sync()
    assert writer.unsynced_bytes == 0


def test_writes_and_syncs_at_once_keep_the_order(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "run-0")
    stop = threading.Event()

    def sync() -> None:
        while not stop.is_set():
            writer.sync()

    syncing = threading.Thread(target=sync)
    syncing.start()
    rng, expected = random.Random(1), bytearray(HEADER)
    for number in range(2000):
        line = encode_line(reading(number))
        expected += line
        writer.append(line)
        if rng.random() < 0.3:
            writer.write()
    stop.set()
    syncing.join()
    assert writer.close().read_bytes() == expected


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be removed there")
def test_a_segment_that_somebody_removes_is_written_again(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    writer = SegmentWriter(folder, "run-0")
    lines = encode_line(reading(1)) + encode_line(reading(2))
    writer.append(lines)
    writer.sync()
    shutil.rmtree(folder)
    assert writer.close().read_bytes() == HEADER + lines


def test_a_segment_that_is_gone_for_good_is_reported_so(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "run-0")
    writer.sync()
    writer.close_unsynced()
    (tmp_path / "run-0.jsonl.open").unlink()
    with pytest.raises(SegmentRemovedError):
        writer.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_segments_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        writer = SegmentWriter(tmp_path / "journal", "run-0")
    finally:
        os.umask(before)
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o700
    assert writer.close().stat().st_mode & 0o777 == 0o600
