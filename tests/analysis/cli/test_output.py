"""Files that commands write: never over a recording, its journal, its logs or the members file, however named."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pulsoid_rec.analysis.cli.output import NewFile, write_text
from pulsoid_rec.recorder.contract.errors import UsageError

RECORDED = {
    "data/a.duckdb": "the recording itself",
    "data/a.duckdb.wal": "the file of the recording's newest rows",
    "data/members.toml": "the members file",
    "data/team.toml": "the members file",
    "data/a.duckdb.journal/20260301T180000Z-ab-000007.jsonl": "in the recording's journal",
    "data/a.duckdb.journal/kept/2026-03-01.jsonl.gz": "in the recording's journal",
    "data/a.duckdb.logs/20260301T180000Z-ab.log": "among the recording's logs",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in RECORDED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    return tmp_path


def output(path: Path, folder: Path, *, force: bool = True) -> NewFile:
    data = folder / "data"
    return NewFile(path=path, force=force, database=data / "a.duckdb", members=data / "team.toml")


def as_it_is(path: Path, _folder: Path) -> Path:
    return path


def other_spelling(path: Path, _folder: Path) -> Path:
    return path.parent / ".." / path.parent.name / path.name


def link_to(path: Path, folder: Path) -> Path:
    (folder / "link").symlink_to(path)
    return folder / "link"


def hard_link_to(path: Path, folder: Path) -> Path:
    os.link(path, folder / "link")
    return folder / "link"


def through_a_linked_folder(path: Path, folder: Path) -> Path:
    (folder / "linked").symlink_to(path.parent, target_is_directory=True)
    return folder / "linked" / path.name


NAMED = [as_it_is, other_spelling, link_to, hard_link_to, through_a_linked_folder]


@pytest.mark.parametrize("named", NAMED)
@pytest.mark.parametrize("name", RECORDED)
def test_what_was_recorded_is_never_overwritten_however_it_is_named(
    folder: Path, name: str, named: Callable[[Path, Path], Path]
) -> None:
    path = named(folder / name, folder)
    for force in (True, False):
        with pytest.raises(UsageError, match=RECORDED[name]):
            write_text("mine", output(path, folder, force=force))
    assert (folder / name).read_text(encoding="utf-8") == name


@pytest.mark.parametrize("name", ["A.DuckDB", "a.duckdb.WAL", "Members.toml"])
def test_names_count_in_any_case_as_on_a_file_system_that_ignores_it(folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match="never overwritten"):
        output(folder / "data" / name, folder).check()


@pytest.mark.parametrize("name", ["a.duckdb.wal", "members.toml"])
def test_what_may_be_recorded_later_is_no_output_either(folder: Path, name: str) -> None:
    (folder / "data" / name).unlink()
    with pytest.raises(UsageError, match="never overwritten"):
        output(folder / "data" / name, folder).check()


@pytest.mark.parametrize("place", ["a.duckdb.journal", "a.duckdb.journal/kept", "a.duckdb.logs"])
def test_nothing_new_is_put_among_the_files_of_a_recording(folder: Path, place: str) -> None:
    with pytest.raises(UsageError, match="Choose another file"):
        output(folder / "data" / place / "new.csv", folder).check()
    link = folder / "data" / place / "link.csv"
    link.symlink_to(folder / "elsewhere.csv")
    with pytest.raises(UsageError, match="Choose another file"):
        output(link, folder).check()


def test_a_database_that_is_named_by_a_link_is_the_one_it_leads_to(folder: Path) -> None:
    link = folder / "link.duckdb"
    link.symlink_to(folder / "data" / "a.duckdb")
    for name in list(RECORDED)[:2]:
        with pytest.raises(UsageError, match="never overwritten"):
            NewFile(path=folder / name, force=True, database=link).check()


def test_other_files_are_overwritten_with_force_alone(folder: Path) -> None:
    other = folder / "data" / "readings.csv"
    other.write_text("old", encoding="utf-8")
    with pytest.raises(UsageError, match="already exists"):
        write_text("new", output(other, folder, force=False))
    write_text("new", output(other, folder))
    assert other.read_text(encoding="utf-8") == "new"
