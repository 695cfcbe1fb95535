"""What `--check` finds in an archive."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import duckdb
import pytest
from archives import append_rows, archive_all, files_of, some_rows

from pulsoid_rec.recorder.archiving.access import open_when_free
from pulsoid_rec.recorder.archiving.check import check_archive
from pulsoid_rec.recorder.archiving.notes import read_notes
from pulsoid_rec.recorder.archiving.store import open_store
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile
from pulsoid_rec.recorder.contract.archive_place import open_place


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two databases, and an archive of both."""
    made = tmp_path_factory.mktemp("made")
    for name in ("t.duckdb", "other.duckdb"):
        append_rows(made / name, some_rows())
        archive_all(made / name, made / "archive")
    return made


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of the archive of `t.duckdb` and of `other.duckdb`, which lie beside it."""
    return copytree(made, tmp_path / "copy") / "archive"


def faults_of(folder: Path) -> dict[ArchiveFile, str]:
    database = folder.parent / "t.duckdb"
    with open_when_free(database) as connection:
        notes = read_notes(connection)
    found = list(check_archive(notes, open_store(open_place(folder), database, folder)))
    assert {file for file, _ in found} == set(files_of(folder)) | notes.noted.keys()
    return {file: fault for file, fault in found if fault}


def one_of(folder: Path, database: str) -> ArchiveFile:
    """Return a file of readings of 1970-01-01 that a database wrote."""
    with duckdb.connect(folder.parent / database, read_only=True) as connection:
        [(recorder,)] = connection.execute("SELECT DISTINCT recorder FROM archive_batches").fetchall()
    files = [file for file in files_of(folder) if file.recorder == recorder and file.table == "heart_rate"]
    return next(file for file in files if file.day.year == 1970)


def rewrite(path: Path, query: str, *, keeps_metadata: bool = True) -> None:
    """Write a file anew, with the rows of a query of `old`."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute(f"SELECT key, value FROM parquet_kv_metadata('{path}')").fetchall()
        pairs = ", ".join(f"$${k.decode()}$$: $${v.decode()}$$" for k, v in found if keeps_metadata)
        connection.execute(f"CREATE TABLE old AS FROM read_parquet('{path}', hive_partitioning = false)")
        metadata = f", KV_METADATA {{{pairs}}}" if pairs else ""
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet{metadata})")


def test_an_archive_as_it_was_written_has_no_fault(folder: Path) -> None:
    assert faults_of(folder) == {}


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (Path.unlink, "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes, and not"),
        (_damage, "checksum differs"),
    ],
)
def test_a_noted_file_that_is_not_as_it_was_is_named(
    folder: Path, change: Callable[[Path], object], fault: str
) -> None:
    file = one_of(folder, "t.duckdb")
    change(folder / file.path)
    faults = faults_of(folder)
    assert list(faults) == [file]
    assert fault in faults[file]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is damaged"),
        (lambda path: path.write_bytes(b""), "is damaged"),
        (lambda path: rewrite(path, "SELECT * EXCLUDE (bpm) FROM old"), "lacks the column bpm INTEGER"),
        (lambda path: rewrite(path, "SELECT * REPLACE (bpm::BIGINT AS bpm) FROM old"), "has a column bpm BIGINT"),
        (
            lambda path: rewrite(path, "SELECT * REPLACE (occurred_at + INTERVAL 1 DAY AS occurred_at) FROM old"),
            "has rows of 1970-01-02",
        ),
        (lambda path: rewrite(path, "FROM old", keeps_metadata=False), "has no table in its metadata"),
        (lambda path: rewrite(path, "SELECT *, 7 AS later FROM old"), "has a column later INTEGER"),  # never null
        (lambda path: rewrite(path, "SELECT * REPLACE (NULL::VARCHAR AS room_id) FROM old"), "without a value of room"),
    ],
)
def test_a_file_of_another_database_has_to_be_whole_and_what_its_name_says(
    folder: Path, change: Callable[[Path], object], fault: str
) -> None:
    file = one_of(folder, "other.duckdb")
    change(folder / file.path)
    faults = faults_of(folder)
    assert list(faults) == [file]
    assert fault in faults[file]


def test_a_column_that_a_later_program_may_leave_empty_is_no_fault(folder: Path) -> None:
    rewrite(folder / one_of(folder, "other.duckdb").path, "SELECT *, if(bpm > 500, 1, NULL) AS later FROM old")
    assert faults_of(folder) == {}


@pytest.mark.parametrize("database", ["t.duckdb", "other.duckdb"])
def test_a_file_that_was_moved_to_another_day_is_named(folder: Path, database: str) -> None:
    file = one_of(folder, database)
    moved = folder / file.path.replace("1970", "1980")
    moved.parent.mkdir()
    (folder / file.path).rename(moved)
    assert "is of the day 1970-01-01, by its metadata" in faults_of(folder).values()


def test_a_file_of_this_name_that_is_not_noted_is_named(folder: Path) -> None:
    file = one_of(folder, "t.duckdb")
    (folder / file.path).with_name(f"{file.recorder}-x.parquet").write_bytes((folder / file.path).read_bytes())
    assert list(faults_of(folder).values()) == ["has this database's name, and is not noted in it"]
