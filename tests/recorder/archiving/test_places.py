"""Where an archive can be, and what happens when it is not there."""

import os
import random
import resource
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from archives import all_rows, append_rows, archive_all, files_of, some_rows
from journal_rows import as_stored, stored

from pulsoid_rec.recorder.archiving.access import only_run
from pulsoid_rec.recorder.archiving.archive import Archived, archive
from pulsoid_rec.recorder.archiving.store import open_store
from pulsoid_rec.recorder.contract.archive_place import open_place
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.journal.rows import RejectedMessageRow

ROWS = Counter(map(as_stored, some_rows()))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    append_rows(tmp_path / "t.duckdb", some_rows())
    return tmp_path / "t.duckdb"


def test_an_archive_that_was_moved_is_found_by_its_new_name(tmp_path: Path, database: Path) -> None:
    archive_all(database, tmp_path / "old")
    shutil.move(tmp_path / "old", tmp_path / "new")
    append_rows(database, some_rows(100), "a-1")
    archive_all(database, tmp_path / "new")
    assert all_rows(database, tmp_path / "new") == ROWS + Counter(map(as_stored, some_rows(100)))
    with duckdb.connect(database, read_only=True) as connection:
        places = connection.execute("SELECT place FROM archive_identity ORDER BY noted_at").fetchall()
    assert [place for (place,) in places][-2:] == [str(tmp_path / "old"), str(tmp_path / "new")]


def test_an_archive_without_a_name_is_not_the_folder_that_one_is_in(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="Name a folder"):
        archive_all(database, "")
    assert [path.name for path in tmp_path.iterdir()] == ["t.duckdb"]


def test_another_place_that_is_not_there_is_refused_and_the_noted_one_is_named(tmp_path: Path, database: Path) -> None:
    archive_all(database, tmp_path / "old")
    with pytest.raises(
        StorageError, match=r"new is not there\. This database archives to .*old\. Archive to that place"
    ):
        archive_all(database, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_another_place_is_refused_while_the_archive_is_elsewhere(tmp_path: Path, database: Path) -> None:
    archive_all(database, tmp_path / "old")
    append_rows(database, some_rows(100), "a-1")
    (tmp_path / "new").mkdir()
    with pytest.raises(StorageError, match=r"archives to .*old: of its .* files there .* are not in .*new\. .*move"):
        archive_all(database, tmp_path / "new")
    assert not files_of(tmp_path / "new")
    assert sum(stored(database).values()) == len(some_rows(100))


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
def test_an_archive_whose_disk_is_not_there_is_not_begun_anew(tmp_path: Path, database: Path, left: str) -> None:
    archive_all(database, tmp_path / "disk" / "archive")
    shutil.rmtree(tmp_path / "disk" / "archive")
    if left == "an empty folder":
        (tmp_path / "disk" / "archive").mkdir()
    append_rows(database, some_rows(100), "a-1")
    with pytest.raises(StorageError, match="Connect its disk"):
        archive_all(database, tmp_path / "disk" / "archive")
    assert sum(stored(database).values()) == len(some_rows(100))
    assert (tmp_path / "disk" / "archive").exists() == (left == "an empty folder")


def test_a_folder_in_the_journal_is_refused(tmp_path: Path, database: Path) -> None:
    journal = tmp_path / "t.duckdb.journal"
    journal.mkdir(exist_ok=True)
    (tmp_path / "link").symlink_to(journal)
    for folder in (journal, journal / "archive", tmp_path / "link" / "archive"):
        with pytest.raises(StorageError, match="in the journal"):
            archive_all(database, folder)
    assert stored(database) == ROWS


def test_a_file_is_refused(database: Path) -> None:
    with pytest.raises(StorageError, match="not a folder"):
        archive_all(database, database)
    with pytest.raises(StorageError, match="not a directory"):
        archive_all(database, database / "archive")
    assert stored(database) == ROWS


def test_an_archive_of_a_newer_version_is_left_alone(tmp_path: Path, database: Path) -> None:
    (tmp_path / "archive" / "v2").mkdir(parents=True)
    with pytest.raises(StorageError, match="written by a newer pulsoid-rec"):
        archive_all(database, tmp_path / "archive")
    assert stored(database) == ROWS


@contextmanager
def file_size_limit(most: int) -> Iterator[None]:
    """Let files grow no further, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_loses_nothing_and_leaves_no_half_file(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    large = random.Random(1).randbytes(30_000).hex()
    rows = [*some_rows(), *(RejectedMessageRow("r", "c", number, "odd", large[number:]) for number in range(8))]
    append_rows(database, rows)
    with file_size_limit(2**14), pytest.raises(StorageError, match=r"no space left .*archive.*safe in the database"):
        archive_all(database, tmp_path / "archive")
    assert all_rows(database, tmp_path / "archive") == Counter(map(as_stored, rows))
    assert all(path.suffix == ".parquet" for path in (tmp_path / "archive").rglob("*") if path.is_file())
    archive_all(database, tmp_path / "archive")
    assert all_rows(database, tmp_path / "archive") == Counter(map(as_stored, rows))
    assert not stored(database)


def test_a_file_where_a_folder_should_be_stops_it_and_nothing_is_lost(tmp_path: Path, database: Path) -> None:
    archive_all(database, tmp_path / "archive")
    append_rows(database, some_rows(100), "a-1")
    shutil.rmtree(tmp_path / "archive/v1/member_events/day=1970-01-02")
    (tmp_path / "archive/v1/member_events/day=1970-01-02").write_text("in the way")
    with pytest.raises(StorageError, match=r"not a (folder|directory)"):
        archive_all(database, tmp_path / "archive")
    assert sum(stored(database).values()) > 0


@pytest.mark.skipif(os.geteuid() == 0, reason="the user may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path, database: Path) -> None:
    (tmp_path / "archive").mkdir(mode=0o500)
    with pytest.raises(StorageError, match=r"archive: permission denied"):
        archive_all(database, tmp_path / "archive")
    assert stored(database) == ROWS


def test_an_archive_that_goes_away_in_the_middle_is_not_begun_anew(tmp_path: Path, database: Path) -> None:
    def move_away(done: int, to_do: int, archived: Archived) -> None:
        if done == 3:
            assert to_do > 3
            (tmp_path / "disk").rename(tmp_path / "gone")

    (tmp_path / "disk").mkdir()
    store = open_store(open_place(tmp_path / "disk" / "archive"), database, tmp_path)
    one_at_a_time = Timings(archive_turn_s=0, readers_turn_s=0, longest_busy_retry_s=0)
    with only_run(database), pytest.raises(StorageError, match=r"disk/archive is not there\. .*(Connect|safe in the)"):
        archive(database, store, datetime.now(UTC).date(), report=move_away, timings=one_at_a_time)
    assert not (tmp_path / "disk").exists()
    assert all_rows(database, tmp_path / "gone" / "archive") == ROWS
    (tmp_path / "gone").rename(tmp_path / "disk")
    archive_all(database, tmp_path / "disk" / "archive")
    assert all_rows(database, tmp_path / "disk" / "archive") == ROWS
    assert not stored(database)
