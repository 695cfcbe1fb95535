"""The place of an archive: which files it lists, and what it refuses."""

import os
from datetime import date
from pathlib import Path

import duckdb
import pytest

from pulsoid_rec.recorder.contract.archive_files import ArchiveFile
from pulsoid_rec.recorder.contract.archive_place import open_place
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError

FILE = ArchiveFile("heart_rate", date(9999, 12, 31), "c0ffee", "20240501T000000x1")


def put(folder: Path, name: str, content: bytes = b"12345") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_only_an_archives_own_files_are_listed(tmp_path: Path) -> None:
    put(tmp_path, FILE.path)
    other = ArchiveFile("marks", date(1, 1, 1), "0", "a")
    put(tmp_path, other.path, b"")
    for name in (
        "v1/heart_rate/day=2024-05-01/.c0ffee-1.parquet.part",
        "v1/heart_rate/day=2024-05-01/_c0ffee-1.parquet",
        "v1/heart_rate/day=2024-05-01/room=7/c0ffee-1.parquet",
        "v1/heart_rate/day=2024-05-01/notes.txt",
        "v1/heart_rate/day=2024-13-01/c0ffee-1.parquet",
        "v1/heart_rate/day=2024-05-02",
        "v1/heart_rate/c0ffee-1.parquet",
        "v1/other/day=2024-05-01/c0ffee-1.parquet",
        "v0/heart_rate/day=2024-05-01/c0ffee-1.parquet",
        "v2.txt",
    ):
        put(tmp_path, name)
    (tmp_path / "v1/heart_rate/day=2024-05-03/c0ffee-1.parquet").mkdir(parents=True)
    place = open_place(tmp_path)
    assert place.list_files() == {FILE: 5, other: 0}
    assert place.list_files("heart_rate") == {FILE: 5}
    assert place.list_files("room_events") == {}


def test_an_empty_folder_is_an_archive_without_files(tmp_path: Path) -> None:
    assert open_place(str(tmp_path)).list_files() == {}


def test_the_place_is_noted_as_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_place("there").text == open_place("~/there").text == str(tmp_path / "there")


def test_duckdb_reads_a_file_in_a_folder_with_wildcards(tmp_path: Path) -> None:
    place = open_place(tmp_path / "a[b]*?")
    path = tmp_path / "a[b]*?" / FILE.path
    path.parent.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.sql("SELECT 7 AS bpm").write_parquet(str(path))
        found = connection.execute("FROM read_parquet(?)", [place.duckdb_path(FILE)]).fetchall()
    assert found[0][0] == 7


def test_a_place_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"archive .*gone is not there\. Connect its disk"):
        open_place(tmp_path / "gone").list_files()


def test_a_file_is_no_place(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not a folder"):
        open_place(put(tmp_path, "file")).list_files()


@pytest.mark.parametrize("name", ["v2", "v10"])
def test_an_archive_of_a_newer_version_is_refused(tmp_path: Path, name: str) -> None:
    put(tmp_path, FILE.path)
    (tmp_path / name).mkdir()
    with pytest.raises(StorageError, match=rf"newer pulsoid-rec \(it has version {name[1:]}"):
        open_place(tmp_path).list_files()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the user may read everything")
def test_a_folder_that_cannot_be_read_is_an_error_and_not_an_empty_archive(tmp_path: Path) -> None:
    day = put(tmp_path, FILE.path).parent
    day.chmod(0)
    try:
        with pytest.raises(StorageError, match="permission denied"):
            open_place(tmp_path).list_files()
    finally:
        day.chmod(0o700)


def test_a_url_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="is no place for an archive"):
        open_place("s4://bucket/archive")
