"""The log: a file of its own for each run, which stays small, and stops nothing when it cannot be written."""

import errno
import logging
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulsoid_rec.recorder.cli.recording_log import logs_folder, open_log
from pulsoid_rec.recorder.contract.journal_files import journal_folder, lock_path
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits
from pulsoid_rec.recorder.disk.lock_file import LockFile
from pulsoid_rec.recorder.pulsoid.known_secrets import add_secrets

log = logging.getLogger("pulsoid_rec.recorder.room")
REPORT = "Cannot write the log"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "t.duckdb"


@pytest.fixture(autouse=True)
def _restore_level() -> Iterator[None]:
    root = logging.getLogger("pulsoid_rec.recorder")
    before = root.level
    yield
    root.setLevel(before)


def log_of(database: Path, run_id: str = "run") -> str:
    return (logs_folder(database) / f"{run_id}.log").read_text(encoding="utf-8")


def record(database: Path, run_id: str, *messages: str, limits: Limits = DEFAULT_LIMITS) -> None:
    with open_log(database, run_id, None, limits):
        for message in messages:
            log.warning("%s", message)


def test_each_run_has_its_own_log_with_every_message_in_order(database: Path) -> None:
    messages = [f"{number} of the first" for number in range(2000)]
    record(database, "first", *messages)
    record(database, "second", "of the second")
    assert [line.partition(" WARNING ")[2] for line in log_of(database, "first").splitlines()] == messages
    assert "of the second" in log_of(database, "second")
    assert "first" not in log_of(database, "second")


def test_a_run_that_logs_nothing_makes_no_file(database: Path) -> None:
    record(database, "run")
    assert not list(database.parent.iterdir())


def test_no_secret_is_logged_also_in_a_traceback(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_secrets("t0ken-nobody-may-see")
    with open_log(database, "run", None):
        fault = ValueError("it has T0KEN-nobody-may-see")
        log.error("%s: it sent t0ken%%2Dnobody-may-see", "demo", exc_info=fault)
    assert "it sent [secret]" in capsys.readouterr().err
    assert log_of(database).count("[secret]") == 2
    assert "ValueError: it has [secret]" in log_of(database)


def test_any_text_is_logged_as_utf_8_and_for_the_owner_alone(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("pulsoid_rec.recorder"), "propagate", False)  # pytest-xdist has no such text
    before = os.umask(0)
    try:
        record(database, "run", "Zoë \N{SNOWMAN} \N{GRINNING FACE}", "half \ud83d of one", "\x00\udcff")
    finally:
        os.umask(before)
    found = log_of(database)
    assert "Zoë \N{SNOWMAN} \N{GRINNING FACE}\n" in found
    assert "half \\ud83d of one\n" in found
    if os.name == "posix":
        assert stat.S_IMODE((logs_folder(database) / "run.log").stat().st_mode) == 0o600
        assert stat.S_IMODE(logs_folder(database).stat().st_mode) == 0o700


def test_a_log_is_begun_anew_while_the_run_goes_on_and_one_old_part_is_kept(database: Path) -> None:
    record(database, "run", *(f"message {number:04}" for number in range(1000)), limits=Limits(log_bytes=2000))
    sizes = {path.name: path.stat().st_size for path in logs_folder(database).iterdir()}
    assert set(sizes) == {"run.log", "run.log.1"}
    assert max(sizes.values()) < 2100
    assert "message 0999" in log_of(database)


def test_the_oldest_logs_are_removed_but_not_that_of_a_run_that_still_records(database: Path) -> None:
    folder = logs_folder(database)
    journal = journal_folder(database)
    folder.mkdir()
    journal.mkdir()
    for number in range(6):
        (folder / f"2026010{number}T000000-aa.log").touch()
        (folder / f"2026010{number}T000000-aa.log.1").touch()
    (folder / "notes.txt").touch()
    lock = LockFile(lock_path(journal, "20260101T000000-aa"))
    record(database, "20260109T000000-aa", "hello", limits=Limits(logs_kept=3))
    lock.release()
    assert sorted(path.name for path in folder.iterdir()) == [
        *("20260101T000000-aa.log", "20260101T000000-aa.log.1"),
        *("20260104T000000-aa.log", "20260104T000000-aa.log.1"),
        *("20260105T000000-aa.log", "20260105T000000-aa.log.1"),
        "20260109T000000-aa.log",
        "notes.txt",
    ]


def test_a_log_that_cannot_be_made_is_reported_once_on_the_screen(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs_folder(database).write_text("a file in its place", encoding="utf-8")
    record(database, "run", *(f"message {number}" for number in range(20)))
    screen = capsys.readouterr().err
    assert screen.count(REPORT) == 1
    assert str(logs_folder(database)) in screen
    assert "message 19" in screen


def test_a_disk_that_fills_up_is_reported_once_and_logged_to_again_when_there_is_space(
    database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = os.write

    def fail(file: int, data: bytes) -> int:
        if b"WARNING" in data and b"lost" in data:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data)

    monkeypatch.setattr(os, "write", fail)
    record(database, "run", "before", "lost 1", "lost 2", "after")
    assert "before" in log_of(database)
    assert "after" in log_of(database)
    screen = capsys.readouterr().err
    assert screen.count(REPORT) == 1
    assert "No space left on device" in screen


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such pipes in a folder there")
def test_a_disk_that_hangs_blocks_neither_who_logs_nor_the_end(database: Path) -> None:
    path = logs_folder(database) / "run.log"
    path.parent.mkdir()
    os.mkfifo(path)  # opening it for writing waits for a reader
    began_at = time.monotonic()
    with open_log(database, "run", None):
        for number in range(20_000):
            log.debug("message %d", number)
            log.info("message %d", number) if number % 100 == 0 else None
        assert time.monotonic() - began_at < 2
    assert time.monotonic() - began_at < 5
    os.close(os.open(path, os.O_RDONLY))  # the thread ends


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_in_place_of_the_log_is_not_followed(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    precious = database.with_name("precious.txt")
    precious.write_text("mine", encoding="utf-8")
    logs_folder(database).mkdir()
    (logs_folder(database) / "run.log").symlink_to(precious)
    record(database, "run", "message")
    assert precious.read_text(encoding="utf-8") == "mine"
    assert REPORT in capsys.readouterr().err
