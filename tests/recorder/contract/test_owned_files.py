"""In a folder where others may write, nothing of theirs is followed, waited for or believed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from command import run_here
from journal_rows import reading, stored, write_segment

from pulsoid_rec.recorder.contract.errors import ExitCode, StorageError
from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.contract.owned_files import open_own, require_own_folder
from pulsoid_rec.recorder.contract.paths import duckdb_path
from pulsoid_rec.recorder.disk.lock_file import LockFile
from pulsoid_rec.recorder.ingest.database import open_database
from pulsoid_rec.recorder.ingest.recover import recover
from pulsoid_rec.recorder.journal.journal import Journal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX alone has modes, owners and pipes with names")
needs_root = pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root gives files away")
NOBODY = 65534


def _give_away(path: Path) -> None:
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def _open_up(path: Path) -> None:
    path.chmod(0o770)


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        pytest.param(_give_away, "it belongs to another user", marks=needs_root),
        (_open_up, "others can write to it"),
        (_link, "it is a link"),
    ],
)
def test_a_journal_that_may_be_somebody_elses_is_refused(
    tmp_path: Path, harm: Callable[[Path], None], fault: str
) -> None:
    database = tmp_path / "t.duckdb"
    segment = write_segment(journal_folder(database), "run-0", [reading(1)])
    harm(journal_folder(database))
    with pytest.raises(StorageError, match=fault):
        recover(database)
    with pytest.raises(PermissionError, match=fault):
        Journal(journal_folder(database), "run")
    assert not database.exists()
    assert segment.exists()


def test_what_is_only_mine_is_used(tmp_path: Path) -> None:
    require_own_folder(tmp_path)
    require_own_folder(tmp_path / "missing")


@needs_root
def test_a_database_behind_a_link_of_another_user_is_not_opened(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    with open_database(database):
        pass
    link = tmp_path / "link.duckdb"
    link.symlink_to(database)
    assert duckdb_path(link) == str(database)
    _give_away(link)
    with pytest.raises(StorageError, match="a link that another user made"):
        duckdb_path(link)


@pytest.mark.parametrize("name", ["t.duckdb", "t.duckdb.wal"])
@pytest.mark.parametrize("command", ["sessions", "recover"])
def test_a_pipe_in_place_of_a_file_of_the_database_is_refused(tmp_path: Path, name: str, command: str) -> None:
    database = tmp_path / "t.duckdb"
    if name != database.name:
        with open_database(database):
            pass
    write_segment(journal_folder(database), "run-0", [reading(1)])
    os.mkfifo(tmp_path / name)
    assert run_here(command, "--db", database).returncode == ExitCode.STORAGE


def test_newest_rows_are_not_written_through_a_link(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    with open_database(database):
        pass
    (tmp_path / "precious").write_bytes(b"")
    (tmp_path / "t.duckdb.wal").symlink_to(tmp_path / "precious")
    write_segment(journal_folder(database), "run-0", [reading(1)])
    with pytest.raises(StorageError, match="is no file"):
        recover(database)
    assert (tmp_path / "precious").read_bytes() == b""


def test_a_lock_file_is_no_link_and_no_pipe(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "made")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(OSError, match=r"link|not a file"):
            LockFile(tmp_path / name)
        with pytest.raises(OSError, match=r"link|not a file"):
            open_own(tmp_path / name, os.O_RDONLY)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "--db", "t.duckdb", "--room", "r"),
        ("report", "--db", "t.duckdb", "--members"),
        ("simulate", "--replay"),
    ],
)
def test_a_pipe_is_not_waited_for(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with open_database(tmp_path / "t.duckdb"):
        pass
    os.mkfifo(tmp_path / "pipe")
    done = run_here(*arguments, "pipe", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "pipe: not a file." in done.stderr


@pytest.mark.parametrize(("mode", "warnings"), [(0o600, 0), (0o644, 1), (0o640, 1)])
def test_a_database_that_others_can_read_is_warned_about_once(
    tmp_path: Path, mode: int, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    database = tmp_path / "t.duckdb"
    with open_database(tmp_path / "made.duckdb"):
        pass
    shutil.copy(tmp_path / "made.duckdb", database)
    database.chmod(mode)
    for count in (1, 2):
        write_segment(journal_folder(database), f"run-{count}", [reading(count)])
        recover(database)
    assert sum("Others can read" in message for message in caplog.messages) == warnings
    assert stored(database).total() == 2
