"""Commands that come before the first rows: they report whether a recorder is running."""

from pathlib import Path

import pytest
from recordings import make_recording

from pulsoid_rec.analysis.cli.recording import open_recording, print_no_match
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.journal_files import journal_folder, lock_path
from pulsoid_rec.recorder.disk.lock_file import LockFile


def test_before_the_first_rows_a_recorder_at_work_is_named(tmp_path: Path) -> None:
    db = tmp_path / "a.duckdb"
    with pytest.raises(StorageError, match="Record a room first"):
        open_recording(db).rooms()
    journal_folder(db).mkdir()
    lock = LockFile(lock_path(journal_folder(db), "run"))
    with pytest.raises(StorageError, match="a recorder is running, but has stored no rows"):
        open_recording(db)
    lock.release()
    with pytest.raises(StorageError, match=r"only its journal.*recover"):
        open_recording(db).rooms()


def test_before_the_first_reading_a_recorder_at_work_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = open_recording(make_recording(tmp_path / "a.duckdb"))
    print_no_match(recording, Filter(), Definitions())
    journal_folder(recording.path).mkdir()
    lock = LockFile(lock_path(journal_folder(recording.path), "run"))
    print_no_match(recording, Filter(), Definitions())
    lock.release()
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("holds no readings yet. Record a room with `pulsoid-rec record ROOM_ID`.")
    assert second.endswith("holds no readings yet. A recorder is running: try again when the room has sent some.")
