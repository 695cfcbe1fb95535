"""A copy of a database is told from the one that archives, before its rows are archived twice."""

import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from archives import all_rows, append_rows, archive_all, archived_rows, files_of, noted_files, some_rows
from journal_rows import as_stored, stored

from pulsoid_rec.recorder.archiving.access import only_run
from pulsoid_rec.recorder.archiving.archive import archive
from pulsoid_rec.recorder.archiving.store import FolderStore
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile
from pulsoid_rec.recorder.contract.archive_place import ArchiveFolder
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.ingest.database import stop_engines

IS_COPY = "the database is a copy, or an older state, of the one that wrote them"


@pytest.fixture
def original(tmp_path: Path) -> Path:
    append_rows(tmp_path / "t.duckdb", some_rows())
    return tmp_path / "t.duckdb"


def test_a_copy_from_before_the_archiving_is_refused_and_nothing_changed(tmp_path: Path, original: Path) -> None:
    copy = shutil.copy(original, tmp_path / "copy.duckdb")
    archive_all(original, tmp_path / "archive")
    files, rows = files_of(tmp_path / "archive"), stored(Path(copy))
    for _ in range(2):
        with pytest.raises(StorageError, match=rf"{IS_COPY}.*--new-identity"):
            archive_all(Path(copy), tmp_path / "archive")
    assert files_of(tmp_path / "archive") == files
    assert stored(Path(copy)) == rows


def test_an_older_state_that_was_restored_is_refused(tmp_path: Path, original: Path) -> None:
    archive_all(original, tmp_path / "archive")
    backup = shutil.copy(original, tmp_path / "backup.duckdb")
    append_rows(original, some_rows(100), "a-1")
    archive_all(original, tmp_path / "archive")
    shutil.copy(backup, original)
    with pytest.raises(StorageError, match=IS_COPY):
        archive_all(original, tmp_path / "archive")


def test_the_original_archives_on_after_a_copy_was_refused(tmp_path: Path, original: Path) -> None:
    copy = shutil.copy(original, tmp_path / "copy.duckdb")
    archive_all(original, tmp_path / "archive")
    with pytest.raises(StorageError):
        archive_all(Path(copy), tmp_path / "archive")
    append_rows(original, some_rows(100), "a-1")
    archive_all(original, tmp_path / "archive")
    assert not stored(original)


def test_a_copy_with_a_new_identity_archives_beside_the_original(tmp_path: Path, original: Path) -> None:
    copy = Path(shutil.copy(original, tmp_path / "copy.duckdb"))
    archive_all(original, tmp_path / "archive")
    archive_all(copy, tmp_path / "archive", new_identity=True)
    rows = Counter(map(as_stored, some_rows()))
    assert all_rows(original, tmp_path / "archive") == all_rows(copy, tmp_path / "archive") == rows
    assert archived_rows(tmp_path / "archive", files_of(tmp_path / "archive")) == rows + rows
    for database in (original, copy):
        append_rows(database, some_rows(100), "a-1")
        archive_all(database, tmp_path / "archive")


def _leave_intents(database: Path, folder: Path) -> None:
    """Make it as a kill between the last rename and its note leaves it."""
    before = shutil.copy(database, database.with_suffix(".before"))
    archive_all(database, folder)
    columns = "recorder, batch, table_name, day, begun_at"
    with duckdb.connect(before) as connection:
        connection.execute(f"ATTACH '{database}' AS done (READ_ONLY)")
        connection.execute("DELETE FROM archive_identity")
        connection.execute("INSERT INTO archive_identity FROM done.archive_identity")
        connection.execute(f"INSERT INTO archive_batches ({columns}) SELECT {columns} FROM done.archive_batches")
    shutil.move(before, database)


def test_what_was_written_and_not_noted_is_written_again_with_what_came_late(tmp_path: Path, original: Path) -> None:
    _leave_intents(original, tmp_path / "archive")
    files = files_of(tmp_path / "archive")
    append_rows(original, some_rows(100), "a-1")
    archive_all(original, tmp_path / "archive")
    assert files_of(tmp_path / "archive") == files == sorted(noted_files(original))
    assert all_rows(original, tmp_path / "archive") == Counter(map(as_stored, (*some_rows(), *some_rows(100))))


def test_a_copy_with_the_same_intents_does_not_replace_what_the_original_wrote(tmp_path: Path, original: Path) -> None:
    _leave_intents(original, tmp_path / "archive")
    copy = Path(shutil.copy(original, tmp_path / "copy.duckdb"))
    append_rows(original, some_rows(100), "a-1")
    archive_all(original, tmp_path / "archive")
    with pytest.raises(StorageError, match=IS_COPY):
        archive_all(copy, tmp_path / "archive")
    assert all_rows(original, tmp_path / "archive") == Counter(map(as_stored, (*some_rows(), *some_rows(100))))
    archive_all(copy, tmp_path / "archive", new_identity=True)
    assert all_rows(copy, tmp_path / "archive") == Counter(map(as_stored, some_rows()))


def test_an_intent_of_which_neither_rows_nor_a_file_are_left_is_forgotten(tmp_path: Path, original: Path) -> None:
    with duckdb.connect(original) as connection:
        intent = "SELECT recorder, 'b1', 'marks', DATE '2020-01-01', now() FROM archive_identity"
        connection.execute(f"INSERT INTO archive_batches (recorder, batch, table_name, day, begun_at) {intent}")
    archive_all(original, tmp_path / "archive")
    assert sorted(noted_files(original)) == files_of(tmp_path / "archive")
    with duckdb.connect(original, read_only=True) as connection:
        assert not connection.execute("FROM archive_batches WHERE noted_at IS NULL").fetchall()


class _SlowStore(FolderStore):
    """The archive of a copy: before its first file is put, the original archives all it has."""

    def __init__(self, folder: Path, original: Path) -> None:
        super().__init__(ArchiveFolder(folder))
        self._original: Path | None = original

    def put(self, file: ArchiveFile, write: Callable[[Path], object]) -> tuple[int, str]:
        if self._original:
            stop_engines()  # the original is in another process
            archive_all(self._original, self.place.text)
            self._original = None
        return super().put(file, write)


def test_of_two_copies_that_archive_at_the_same_time_the_later_one_is_refused(tmp_path: Path, original: Path) -> None:
    copy = Path(shutil.copy(original, tmp_path / "copy.duckdb"))
    with only_run(copy), pytest.raises(StorageError, match=IS_COPY):
        archive(copy, _SlowStore(tmp_path / "archive", original), datetime.now(UTC).date())
    rows = Counter(map(as_stored, some_rows()))
    assert sorted(noted_files(original)) == files_of(tmp_path / "archive")
    assert all_rows(original, tmp_path / "archive") == stored(copy) == rows
    append_rows(original, some_rows(100), "a-1")
    archive_all(original, tmp_path / "archive")


def test_a_damaged_file_of_what_was_intended_is_not_replaced(tmp_path: Path, original: Path) -> None:
    _leave_intents(original, tmp_path / "archive")
    path = tmp_path / "archive" / files_of(tmp_path / "archive")[0].path
    path.write_bytes(b"PAR1")
    with pytest.raises(StorageError, match=rf"{path.name} is damaged.*Move it away"):
        archive_all(original, tmp_path / "archive")
    path.unlink()
    archive_all(original, tmp_path / "archive")
    assert all_rows(original, tmp_path / "archive") == Counter(map(as_stored, some_rows()))
