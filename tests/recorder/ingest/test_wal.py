"""What is committed stays in the WAL beside the database, which everybody reads, until a checkpoint is worth it."""

import os
import random
import sys
from pathlib import Path

import duckdb
import pytest
from journal_rows import as_stored, reading, stored, write_segment
from recorder_process import journal_of

from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.ingest import database as database_module
from pulsoid_rec.recorder.ingest.database import CheckpointError, open_database, stop_engines, wal_path
from pulsoid_rec.recorder.ingest.ingest import ingest
from pulsoid_rec.recorder.ingest.recover import recover
from pulsoid_rec.recorder.ingest.segment_ingest import Ingested
from pulsoid_rec.recorder.journal.rows import MemberEventRow
from pulsoid_rec.recorder.journal.segment import find_segments
from pulsoid_rec.recorder.recorder import check_database

MANY_BYTES = 2**40


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "t.duckdb"
    with open_database(path):
        pass
    return path


def add(database: Path, number: int, wal_bytes: int = MANY_BYTES) -> Path:
    path = write_segment(journal_of(database), f"run-{number}", [reading(number)])
    ingest(database, [path], Ingested(), wal_bytes=wal_bytes)
    return path


def names(database: Path) -> list[str]:
    with duckdb.connect(database, read_only=True) as connection:
        return [name for (name,) in connection.execute("SELECT segment FROM ingested_segments ORDER BY 1").fetchall()]


def test_an_ingest_leaves_the_database_file_as_it_was_until_its_wal_is_long(database: Path) -> None:
    before = database.read_bytes()
    add(database, 1)
    add(database, 2)
    assert database.read_bytes() == before
    assert set(stored(database)) == {as_stored(reading(1)), as_stored(reading(2))}, "whoever reads it reads its WAL"
    assert database.read_bytes() == before
    add(database, 3, wal_bytes=wal_path(database).stat().st_size)
    assert not wal_path(database).exists()
    assert len(stored(database)) == 3


def test_wal_is_for_its_owner_alone(database: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no such permissions")
    before = os.umask(0o022)
    try:
        add(database, 1)
    finally:
        os.umask(before)
    assert wal_path(database).stat().st_mode & 0o777 == 0o600


def test_an_ordinary_ingest_writes_kilobytes(database: Path) -> None:
    for number in range(20):
        add(database, number, DEFAULT_LIMITS.wal_bytes)
    assert wal_path(database).stat().st_size < 20 * 2000


def test_a_segment_leaves_the_journal_once_it_is_in_the_file_itself_and_then_its_name(database: Path) -> None:
    first, second = add(database, 1), add(database, 2)
    assert names(database) == ["run-1", "run-2"]
    assert find_segments(journal_of(database)) == [first, second]
    third = add(database, 3, wal_bytes=0)
    assert find_segments(journal_of(database)) == []
    content = write_segment(journal_of(database), "run-2", [reading(2)]).read_bytes()
    third.write_bytes(content)  # as if a crash had come before they were removed
    add(database, 4)
    assert names(database) == ["run-1", "run-2", "run-3", "run-4"]
    ingest(database, [second, third], Ingested(), wal_bytes=0)
    assert find_segments(journal_of(database)) == []
    assert names(database) == ["run-2", "run-3", "run-4"]
    assert len(stored(database)) == 4


@pytest.mark.parametrize("what", ["removed", "cut off", "lost in the middle"])
def test_rows_of_a_wal_that_is_gone_or_cut_are_ingested_again_from_the_journal(database: Path, what: str) -> None:
    for number in range(5):
        add(database, number)
    wal = wal_path(database)
    content = wal.read_bytes()
    if what == "removed":
        wal.unlink()
    elif what == "cut off":
        wal.write_bytes(content[: len(content) // 2])
    else:
        wal.write_bytes(content[: len(content) // 2] + b"\xff" * 8 + content[len(content) // 2 + 8 :])
    try:
        recover(database)
    except StorageError as error:
        assert "damaged" in error.message  # noqa: PT017 - it may be reported, or be taken for cut off
        wal.unlink()
        recover(database)
    assert stored(database) == {as_stored(reading(number)): 1 for number in range(5)}
    assert find_segments(journal_of(database)) == []


def test_a_million_names_of_an_older_version_are_forgotten_within_the_memory_there_is(database: Path) -> None:
    with open_database(database) as connection:
        connection.execute(
            "INSERT INTO ingested_segments SELECT '20260101T000000-deadbeef-' || lpad(i::VARCHAR, 8, '0'), 10, now() "
            "FROM range(1000000) t(i)"
        )
    left = write_segment(journal_of(database), "20260101T000000-deadbeef-00999999", [reading(1)])
    add(database, 2, wal_bytes=0)
    assert names(database) == [left.name.removesuffix(".jsonl"), "run-2"]
    assert set(stored(database)) == {as_stored(reading(2))}


def test_damage_anywhere_in_a_wal_costs_no_row(database: Path) -> None:
    """DuckDB reports most damage, and takes the rest for a WAL that a crash cut off."""
    for number in range(3):
        add(database, number)
    wal, before = wal_path(database), database.read_bytes()
    sound = wal.read_bytes()
    journal = {path: path.read_bytes() for path in find_segments(journal_of(database))}
    reported = 0
    for at in range(0, len(sound), 53):
        database.write_bytes(before)
        wal.write_bytes(sound[:at] + bytes([sound[at] ^ 255]) + sound[at + 1 :])
        for path, content in journal.items():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        try:
            recover(database)
        except StorageError:
            reported += 1
            assert all(path.exists() for path in journal)
            wal.unlink()
            recover(database)
        assert stored(database) == {as_stored(reading(number)): 1 for number in range(3)}
    assert reported > 5


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets few people make links")
def test_rows_in_the_wal_are_read_by_whatever_link_the_database_is_named(database: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    link = tmp_path / "other" / "link.duckdb"
    link.symlink_to(database)
    add(database, 1)
    with open_database(link, MANY_BYTES) as connection:
        assert connection.execute("SELECT count(*) FROM heart_rate").fetchall() == [(1,)]
        connection.execute("INSERT INTO heart_rate VALUES ('r', 'p', 60, now(), now(), 'c')")
    assert [path.name for path in link.parent.iterdir()] == ["link.duckdb"]
    assert len(stored(database)) == 2
    assert Recording(link).sessions()["readings"].sum() == 2


def test_wal_without_its_database_is_neither_used_nor_removed(database: Path) -> None:
    add(database, 1)
    database.unlink()
    left = wal_path(database).read_bytes()
    with pytest.raises(StorageError, match=r"is gone, but not t\.duckdb\.wal"), open_database(database):
        pass
    assert wal_path(database).read_bytes() == left
    assert not database.exists()


def test_wal_of_another_copy_is_reported(database: Path, tmp_path: Path) -> None:
    add(database, 1)
    with open_database(tmp_path / "other.duckdb"):
        pass
    (tmp_path / "other.duckdb").replace(database)
    with pytest.raises(StorageError, match="does not belong to"), open_database(database):
        pass


@pytest.mark.slow
def test_after_a_checkpoint_that_lacked_memory_groups_of_rows_are_small(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = [f'{{"n":{number},"blob":"{random.Random(number).randbytes(30_000).hex()}"}}' for number in range(800)]
    large = [MemberEventRow("room", "c", "p", "updated", None, config, 0, 0, "") for config in configs]
    ingest(database, [write_segment(journal_of(database), "large-0", large)], Ingested())
    stop_engines()
    with monkeypatch.context() as little:
        little.setitem(database_module.CONFIG, "memory_limit", "44MB")
        with pytest.raises(CheckpointError):
            ingest(database, [write_segment(journal_of(database), "large-1", large[:1])], Ingested())
        segment = write_segment(journal_of(database), "large-2", large[:1])
        ingest(database, [segment], Ingested(), wal_bytes=MANY_BYTES)
        check_database(database)  # as at the start of a recorder
    stop_engines()
    many = [reading(number) for number in range(5000)]
    ingest(database, [write_segment(journal_of(database), "run-0", many)], Ingested())
    with duckdb.connect(database, read_only=True) as connection:
        groups = connection.execute("SELECT max(count) FROM pragma_storage_info('heart_rate') GROUP BY row_group_id")
        assert max(count for (count,) in groups.fetchall()) <= 2048
        counts = "SELECT (SELECT count(*) FROM heart_rate), (SELECT count(*) FROM member_events)"
        assert connection.execute(counts).fetchall() == [(5000, 802)]
