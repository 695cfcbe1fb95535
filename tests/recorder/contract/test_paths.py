"""Paths: what a user writes, and that recorder, DuckDB and analysis take it for the same file."""

import json
import os
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import trio
from command import run_command, run_here
from journal_rows import reading, stored, write_segment
from recorder_process import journal_of

from pulsoid_rec.analysis.cli.app import COMMANDS
from pulsoid_rec.analysis.notebook.explore import explore
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.contract.paths import parse_path
from pulsoid_rec.recorder.ingest.database import open_database
from pulsoid_rec.recorder.ingest.ingest import ingest
from pulsoid_rec.recorder.ingest.recover import recover
from pulsoid_rec.recorder.ingest.segment_ingest import Ingested
from pulsoid_rec.recorder.journal.segment import find_segments
from pulsoid_rec.recorder.simulator.simulator import open_simulator
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

not_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no such names")

# Each has a meaning of its own for DuckDB, where it begins a relative path, or is a pattern.
NAMES = [
    *(
        "~",
        "~x",
        "~/x",
        "s3:/x/y",
        "md:x/y",
        "[a]/b*c/d",
        ":memory:",
        ":memory:x",
        "md:x",
        "motherduck:x",
        "s3:x",
        "https:x",
        "hf:x",
        "file:x",
    ),
    *("sqlite:x", "postgres:x", "duckdb:x", "ducklake:x", "x.sqlite", "x.csv", "x.parquet", "x.gz"),
    *("it's", 'a"b', "a;b --", "a*b", "a[b]", "[^a]", "a{b,c}", "%41", "a#b", "mit Ümläuten ☃"),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in an empty folder, with another for a home."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    return home


def bring_in(database: Path) -> None:
    """Put a reading into the database, by way of the journal beside it."""
    write_segment(journal_of(database), "run-0", [reading(1)])
    ingest(database, find_segments(journal_of(database)), Ingested())


def test_a_tilde_is_home_and_everything_else_is_taken_as_it_is(home: Path) -> None:
    assert parse_path("~/x.duckdb") == home / "x.duckdb"
    assert parse_path("~") == home
    for text in ("~nobody-of-that-name/x", "x~", "a/~/b", "/a/b", "md:x"):
        assert str(parse_path(text)) == str(Path(text))
    assert parse_path("./~/x").absolute() == Path.cwd() / "~" / "x"
    assert parse_path(Path("~/x")).absolute() == Path.cwd() / "~" / "x"


@pytest.mark.skipif(os.name != "posix", reason="users are found in another way")
def test_a_tilde_with_a_user_is_the_home_of_that_user() -> None:
    import pwd  # noqa: PLC0415 - Windows has none

    user = pwd.getpwuid(os.getuid())
    assert parse_path(f"~{user.pw_name}/x") == Path(user.pw_dir) / "x"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_every_option_that_is_a_path_knows_the_home_folder(command: object) -> None:
    for name, hint in get_type_hints(command, include_extras=True).items():
        kind, *annotations = get_args(hint) or (hint,)
        if kind is Path or Path in get_args(kind):
            assert annotations[0].parser is parse_path, name


@not_on_windows
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_name_whatever_it_would_mean_to_duckdb(home: Path, name: str) -> None:
    database = Path(name)
    bring_in(database)
    assert stored(database.absolute()).total() == 1
    assert Recording(database).rooms().height == 1
    assert {path.name for path in database.absolute().parent.iterdir()} <= {database.name, f"{database.name}.journal"}
    assert list(home.iterdir()) == []


@not_on_windows
@pytest.mark.parametrize(
    ("name", "other"), [("a*b", "aXb"), ("a[X]b", "aXb"), ("a[!X]b", "aYb"), ("**", "a"), ("[[]]", "[]")]
)
def test_a_journal_in_a_folder_named_like_a_pattern_is_not_taken_for_another(
    tmp_path: Path, name: str, other: str
) -> None:
    write_segment(journal_of(tmp_path / other / "x.duckdb"), "run-0", [reading(7), reading(8)])
    bring_in(tmp_path / name / "x.duckdb")
    assert stored(tmp_path / name / "x.duckdb").total() == 1


@not_on_windows
@pytest.mark.parametrize("exists", [False, True])
def test_a_database_has_one_journal_by_whatever_link_it_is_named(tmp_path: Path, exists: bool) -> None:
    database, link = tmp_path / "disk" / "x.duckdb", tmp_path / "data" / "link.duckdb"
    database.parent.mkdir()
    link.parent.mkdir()
    link.symlink_to(Path("..", "disk", "x.duckdb"))
    if exists:
        bring_in(database)
    assert journal_folder(link).resolve() == journal_folder(database)
    write_segment(journal_folder(database), "run-1", [reading(2)])
    recover(link)
    assert stored(database).total() == 1 + exists
    assert list(link.parent.iterdir()) == [link]
    assert link.is_symlink()


@not_on_windows
def test_a_link_to_itself_is_reported(tmp_path: Path) -> None:
    link = tmp_path / "x.duckdb"
    link.symlink_to(link)
    with pytest.raises(StorageError, match="symbolic links"), open_database(link):
        pass
    assert journal_folder(link).parent == tmp_path


@not_on_windows
@pytest.mark.parametrize(("name", "words"), [("what?", "question mark"), ("a\\b", "backslash")])
def test_a_path_that_duckdb_would_change_is_refused(tmp_path: Path, name: str, words: str) -> None:
    database = tmp_path / name / "x.duckdb"
    with pytest.raises(StorageError, match=words), open_database(database):
        pass
    assert list(tmp_path.iterdir()) == []
    database.parent.mkdir()
    database.touch()
    with pytest.raises(StorageError, match=words):
        Recording(database).rooms()


@pytest.mark.parametrize("name", ["x.duckdb.wal", "x.duckdb.WAL"])
def test_the_wal_of_a_database_is_no_database(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(StorageError, match="where DuckDB keeps the newest rows of x"),
        open_database(tmp_path / name),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
@not_on_windows
@pytest.mark.parametrize("name", ["what?.duckdb", "a\\b.duckdb", "folder?/x.duckdb"])
def test_record_refuses_such_a_path_in_one_line_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    done = run_here("record", "x", "--server", "ws://127.0.0.1:1", "--db", name, cwd=tmp_path, PULSOID_TOKEN="t")
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert "which DuckDB does not support" in done.stderr
    assert list(tmp_path.rglob("*")) == []


def test_a_notebook_knows_the_home_folder(home: Path) -> None:
    bring_in(home / "hr.duckdb")
    (home / "m.toml").write_text('[p1]\nname = "Ada"\n', encoding="utf-8")
    recording = explore("~/hr.duckdb", members="~/m.toml")
    assert recording.members()["name"].to_list() == ["Ada"]


@pytest.mark.process
async def test_every_command_takes_a_tilde_for_the_same_home(home: Path) -> None:
    (home / "m.toml").write_text("", encoding="utf-8")
    of_environment = "~/hr.duckdb"
    async with open_simulator() as simulator:
        token = {"access_token": DEMO_TOKEN, "server": simulator.url}
        (home / "token").write_text(json.dumps(token), encoding="utf-8")
        options = ("--server", simulator.url, "--duration", "0.5", "--token-file", "~/token")
        done = await trio.to_thread.run_sync(
            lambda: run_command("record", "demo", *options, PULSOID_REC_DB=of_environment)
        )
    assert done.returncode == 0, done.stderr
    write_segment(journal_of(home / "hr.duckdb"), "run-0", [reading(1)])
    for arguments in (
        ("recover",),
        ("recover", "--db=~/hr.duckdb"),
        ("report", "--members", "~/m.toml", "-o", "~/report.json"),
        ("export", "-o", "~/readings.csv"),
        ("sessions",),
    ):
        done = run_here(*arguments, PULSOID_REC_DB=of_environment)
        assert done.returncode == 0, done.stderr
    assert list(Path.cwd().iterdir()) == []
    made = {path.name for path in home.iterdir()}
    assert made == {"token", "m.toml", "hr.duckdb", "hr.duckdb.logs", "report.json", "readings.csv"}
