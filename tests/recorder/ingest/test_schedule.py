"""When the recorder ingests, and what it looks after meanwhile: dead recorders beside it, a disk that gets full."""

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trio
from journal_rows import as_stored, reading, stored, write_segment
from recorder_process import journal_of
from recording_run import until

from pulsoid_rec.recorder.contract.journal_files import lock_path
from pulsoid_rec.recorder.contract.limits import Limits
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.disk.lock_file import LockFile
from pulsoid_rec.recorder.ingest.database import CheckpointError, wal_path
from pulsoid_rec.recorder.ingest.ingest import ingest
from pulsoid_rec.recorder.ingest.schedule import Ingester
from pulsoid_rec.recorder.journal.journal import Journal
from pulsoid_rec.recorder.journal.segment import find_segments

QUICK = Timings(segment_age_s=0.05, housekeeping_interval_s=0.05)


class Usage(NamedTuple):
    """What `shutil.disk_usage` returns."""

    total: int
    used: int
    free: int


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "t.duckdb"


@asynccontextmanager
async def ingesting(
    database: Path, timings: Timings = QUICK, limits: Limits | None = None
) -> AsyncIterator[tuple[Journal, Ingester]]:
    """Run a journal and its ingester while the block runs, then end both in good order."""
    limits = limits or Limits()
    journal = Journal(journal_of(database), "living", timings, limits)
    ingester = Ingester(database, journal, timings, limits)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.run)
        nursery.start_soon(ingester.run)
        yield journal, ingester
        journal.finish()
    journal.release()


async def test_what_dies_beside_a_living_recorder_is_ingested_by_it_even_if_its_rooms_are_silent(
    database: Path,
) -> None:
    async with ingesting(database) as (_, ingester):
        other = LockFile(lock_path(journal_of(database), "other"))
        write_segment(journal_of(database), "other-0", [reading(1)])
        write_segment(journal_of(database), "other-1", [reading(2)], is_open=True)
        await trio.sleep(0.3)
        assert ingester.recovered.segments == 0, "it is still writing"
        other.release()
        await until(lambda: ingester.recovered.segments == 2)
    assert stored(database) == {as_stored(reading(number)): 1 for number in (1, 2)}
    assert not journal_of(database).exists()


async def test_a_lock_that_somebody_removes_makes_no_segment_of_its_own_a_dead_recorders(database: Path) -> None:
    async with ingesting(database, Timings(housekeeping_interval_s=0.05)) as (journal, ingester):
        journal.append(reading(1))
        await until(lambda: not journal.unwritten_bytes)
        lock_path(journal_of(database), "living").unlink()
        await trio.sleep(0.3)
        assert not ingester.recovered.segments, "it is still being written"
        journal.append(reading(2))
    assert stored(database) == {as_stored(reading(number)): 1 for number in (1, 2)}


async def test_rows_stay_in_the_wal_while_recording_and_the_end_leaves_one_file(database: Path) -> None:
    async with ingesting(database) as (journal, ingester):
        for number in range(4):
            journal.append(reading(number))
            await until(lambda: ingester.total.segments > number)  # noqa: B023 - it is called at once
        assert wal_path(database).exists()
        assert find_segments(journal_of(database)) == [], "those of a living recorder are nobody else's"
        assert len(list(journal_of(database).glob("*.jsonl"))) == 3, "the first ingest made a checkpoint"
    assert not wal_path(database).exists()
    assert not journal_of(database).exists()
    assert len(stored(database)) == 4


async def test_a_disk_that_gets_full_is_logged_before_it_is_and_when_it_has_space_again(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    free = [300]
    looks = 0
    disk = database.parent / "disk"
    disk.mkdir()
    if sys.platform != "win32":  # it lets few people make links
        database.symlink_to(disk / "t.duckdb")

    def disk_usage(folder: Path) -> Usage:
        nonlocal looks
        assert folder == database.resolve().parent, "the disk is that of the file itself"
        looks += 1
        return Usage(1000, 0, free[0])

    async def look(*free_bytes: int) -> None:
        for free[0] in free_bytes:
            enough = looks + 3
            await until(lambda: looks >= enough)  # noqa: B023 - it is called at once

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    async with ingesting(database, limits=Limits(low_disk_bytes=100)):
        await look(300, 100)
        assert not caplog.messages
        await look(99, 50, 110, 99)
        [message] = caplog.messages
        assert "is nearly full" in message
        await look(125, 300)
        [_, message] = caplog.messages
        assert "has space again" in message
        await look(10)
        assert len(caplog.messages) == 3


async def test_an_error_of_ours_in_ingest_is_logged_once_and_stops_nothing(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    attempts: list[int] = []

    def fail_twice(*arguments: Any, **options: Any) -> float:
        attempts.append(1)
        return 1 / 0 if len(attempts) < 3 else ingest(*arguments, **options)

    monkeypatch.setattr("pulsoid_rec.recorder.ingest.schedule.ingest", fail_twice)
    async with ingesting(database) as (journal, ingester):
        journal.append(reading(1))
        await until(lambda: ingester.total.segments == 1)
    assert caplog.text.count("Internal error while ingesting: ZeroDivisionError. Please report it") == 2  # and its end
    assert caplog.text.count("ZeroDivisionError: division by zero") == 1
    assert stored(database) == {as_stored(reading(1)): 1}


async def test_a_checkpoint_that_fails_is_logged_once_and_does_not_stop_ingest(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    attempts: list[int] = []

    def fail_if_due(database: Path, segments: list[Path], *arguments: Any, wal_bytes: int, **options: Any) -> float:
        closing_s = ingest(database, segments, *arguments, wal_bytes=2**40, **options)
        if wal_bytes < 2**40:
            attempts.append(wal_bytes)
            raise CheckpointError("There is no space left on the disk for t.duckdb", "Free some space.")
        return closing_s

    monkeypatch.setattr("pulsoid_rec.recorder.ingest.schedule.ingest", fail_if_due)
    timings = Timings(segment_age_s=0.05, longest_error_retry_s=0.5)
    async with ingesting(database, timings) as (journal, ingester):
        for number in range(5):
            journal.append(reading(number))
            await until(lambda: ingester.total.segments > number)  # noqa: B023 - it is called at once
        assert len(attempts) < 4, "it is not tried at every ingest"
        assert [message.partition(" on")[0] for message in caplog.messages] == ["There is no space left"]
        assert ingester.error is None
        await trio.sleep(0.5)
        monkeypatch.undo()
        journal.append(reading(5))
        await until(lambda: "is being written again" in caplog.text)
    assert len(stored(database)) == 6
    assert not journal_of(database).exists()
