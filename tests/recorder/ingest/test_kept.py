"""`--keep-journal`: each segment once in the file of its day, word for word, whatever a crash leaves."""

import gzip
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from journal_rows import as_stored, reading, stored, write_segment
from recorder_process import journal_of

from pulsoid_rec.recorder.ingest import kept as kept_module
from pulsoid_rec.recorder.ingest.database import open_database, wal_path
from pulsoid_rec.recorder.ingest.ingest import ingest
from pulsoid_rec.recorder.ingest.segment_ingest import Ingested
from pulsoid_rec.recorder.journal.segment import find_segments

DAYS = [datetime(2026, 11, 30, 23, 59, tzinfo=UTC).timestamp(), datetime(2026, 12, 1, tzinfo=UTC).timestamp()]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "t.duckdb"


def write(database: Path, number: int, day: int = 0) -> bytes:
    path = write_segment(journal_of(database), f"run-{number}", [reading(number)])
    os.utime(path, (DAYS[day], DAYS[day]))
    return path.read_bytes()


def keep_all(database: Path) -> None:
    ingest(database, find_segments(journal_of(database)), Ingested(), keep=True)


def kept(database: Path) -> dict[str, bytes]:
    folder = journal_of(database) / "kept"
    return {path.name: gzip.decompress(path.read_bytes()) for path in folder.iterdir()}


@pytest.mark.process
def test_segments_of_a_day_are_in_one_file_in_order_and_word_for_word(database: Path) -> None:
    first, second = write(database, 1), write(database, 2)
    keep_all(database)
    third, fourth = write(database, 3), write(database, 4, day=1)
    keep_all(database)
    assert kept(database) == {"2026-11-30.jsonl.gz": first + second + third, "2026-12-01.jsonl.gz": fourth}
    assert find_segments(journal_of(database)) == []
    folder = journal_of(database) / "kept"
    if sys.platform != "win32":
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
        shown = subprocess.run(["zcat", folder / "2026-11-30.jsonl.gz"], capture_output=True, check=True).stdout
        assert shown == first + second + third


@pytest.mark.parametrize("is_new_process", [True, False])
def test_a_segment_kept_before_a_crash_is_not_kept_again(
    database: Path, monkeypatch: pytest.MonkeyPatch, is_new_process: bool
) -> None:
    content = [write(database, number) for number in range(3)]

    def crash(path: Path, *_: object, **__: object) -> None:
        if path.name == "run-1.jsonl":
            raise KeyboardInterrupt
        unlink(path, missing_ok=True)

    unlink = Path.unlink
    monkeypatch.setattr(Path, "unlink", crash)
    with pytest.raises(KeyboardInterrupt):
        keep_all(database)
    monkeypatch.setattr(Path, "unlink", unlink)
    if is_new_process:
        monkeypatch.setattr(kept_module, "_known", {})
    keep_all(database)
    assert kept(database) == {"2026-11-30.jsonl.gz": b"".join(content)}
    assert stored(database) == {as_stored(reading(number)): 1 for number in range(3)}


def test_a_segment_whose_rows_went_with_the_wal_is_ingested_again_but_not_kept_again(database: Path) -> None:
    with open_database(database):
        pass
    content = write(database, 1)
    segments = find_segments(journal_of(database))
    ingest(database, segments, Ingested(), keep=True, wal_bytes=2**40)
    wal_path(database).unlink()
    keep_all(database)
    assert kept(database) == {"2026-11-30.jsonl.gz": content}
    assert stored(database) == {as_stored(reading(1)): 1}


@pytest.mark.parametrize("is_new_process", [True, False])
def test_what_a_crash_cut_off_is_removed_and_kept_whole(
    database: Path, monkeypatch: pytest.MonkeyPatch, is_new_process: bool
) -> None:
    first = write(database, 1)
    keep_all(database)
    path = journal_of(database) / "kept" / "2026-11-30.jsonl.gz"
    whole = path.read_bytes()
    for cut in range(1, len(whole)):
        path.write_bytes(whole + whole[:cut])
        if is_new_process:
            monkeypatch.setattr(kept_module, "_known", {})
        segment = write_segment(journal_of(database), "run-2", [reading(2)])
        os.utime(segment, (DAYS[0], DAYS[0]))
        second = segment.read_bytes()
        kept_module.keep_segment(segment, path.parent)
        assert kept(database) == {path.name: first + second}
        path.write_bytes(whole)
        kept_module._known[path] = kept_module._Known(len(whole), {"run-1"}, path.stat().st_ino)


def test_two_recorders_share_a_file(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = []
    for number in range(4):
        monkeypatch.setattr(kept_module, "_known", {} if number % 2 else kept_module._known)
        content.append(write(database, number))
        keep_all(database)
    assert kept(database) == {"2026-11-30.jsonl.gz": b"".join(content)}


def test_a_file_that_somebody_moved_away_is_begun_anew(database: Path) -> None:
    write(database, 1)
    keep_all(database)
    (journal_of(database) / "kept" / "2026-11-30.jsonl.gz").unlink()
    content = write(database, 2)
    keep_all(database)
    assert kept(database) == {"2026-11-30.jsonl.gz": content}


def test_a_file_that_somebody_packed_anew_is_continued(database: Path) -> None:
    first = write(database, 1)
    keep_all(database)
    path = journal_of(database) / "kept" / "2026-11-30.jsonl.gz"
    path.write_bytes(gzip.compress(first))
    kept_module._known.clear()
    second = write(database, 2)
    keep_all(database)
    assert kept(database) == {path.name: first + second}
