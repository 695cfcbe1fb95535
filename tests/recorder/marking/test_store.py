"""Tests of marks that are written from outside a recorder."""

from pathlib import Path

import duckdb
import pytest
from journal_rows import as_stored, reading, stored, write_segment

from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.journal_files import journal_folder, segment_paths
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.ingest.recover import recover
from pulsoid_rec.recorder.journal.journal import create_lock
from pulsoid_rec.recorder.journal.rows import MarkRow
from pulsoid_rec.recorder.journal.segment_writer import SegmentWriter
from pulsoid_rec.recorder.marking.recorded_rooms import find_recorded_rooms
from pulsoid_rec.recorder.marking.store import store_marks

MARKS = [
    MarkRow("r", None, "goal", "mark", 5, "m1", "cli"),
    MarkRow("s", "ann", "\U0001f3c6", "phase", 6, "m2", "import"),
]
SHORT = Timings(mark_timeout_s=0.1)


def test_marks_are_in_the_database_at_once_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    assert store_marks(database, MARKS, is_recorded=False) is None
    assert sorted(stored(database)) == sorted(map(as_stored, MARKS))
    assert [path.name for path in tmp_path.iterdir()] == [database.name]
    assert store_marks(database, MARKS[:1], is_recorded=False) is None
    assert stored(database)[as_stored(MARKS[0])] == 2


def test_while_a_reader_holds_the_database_they_are_in_the_journal_and_ingested_once(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    store_marks(database, MARKS[:1], is_recorded=False)
    with duckdb.connect(database, read_only=True):
        why = store_marks(database, MARKS[1:], is_recorded=False, timings=SHORT)
        assert isinstance(why, StorageError)
        [segment] = segment_paths(journal_folder(database))
        assert segment.name.endswith(".jsonl")
        assert segment.stat().st_mode & 0o077 == 0
    recover(database)
    recover(database)
    assert sorted(stored(database)) == sorted(map(as_stored, MARKS))


def test_what_a_running_recorder_is_writing_is_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    folder = journal_folder(database)
    lock = create_lock(folder, "run", ["r", "\u00e4 b"])
    write_segment(folder, "run-00000000", [reading(1)], is_open=True)
    assert find_recorded_rooms(folder) == ["r", "\u00e4 b"]
    assert store_marks(database, MARKS, is_recorded=True) is None
    assert sorted(stored(database)) == sorted(map(as_stored, MARKS))
    assert "run-00000000.jsonl.open" in {path.name for path in segment_paths(folder)}
    lock.release()
    assert find_recorded_rooms(folder) == []


def test_locks_that_name_no_rooms_and_those_that_a_crash_left_are_of_no_room(tmp_path: Path) -> None:
    lock = create_lock(tmp_path / "j", "import")
    (tmp_path / "j" / "dead.lock").write_bytes(b'\n["r"]')
    assert find_recorded_rooms(tmp_path / "j") == []
    lock.release()
    assert find_recorded_rooms(tmp_path / "missing") == []


def test_where_the_journal_is_kept_marks_are_kept_too(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    kept = journal_folder(database) / "kept"
    kept.mkdir(mode=0o700, parents=True)
    kept.parent.chmod(0o700)
    store_marks(database, MARKS, is_recorded=False)
    assert len(list(kept.iterdir())) == 1


def test_a_full_disk_stores_nothing_and_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: SegmentWriter) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SegmentWriter, "write", full)
    with pytest.raises(StorageError, match=r"No space left on device\. Nothing was marked\."):
        store_marks(tmp_path / "t.duckdb", MARKS, is_recorded=False)
    assert segment_paths(journal_folder(tmp_path / "t.duckdb")) == []


def test_a_damaged_database_costs_no_mark(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    database.write_bytes(b"no database" * 1000)
    assert isinstance(store_marks(database, MARKS, is_recorded=False), StorageError)
    database.unlink()
    recover(database)
    assert sorted(stored(database)) == sorted(map(as_stored, MARKS))
