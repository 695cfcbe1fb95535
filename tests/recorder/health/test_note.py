"""What a run writes about itself, and how it is judged from outside, by its lock and what it wrote last."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from command import run_here

from pulsoid_rec.recorder.contract.journal_files import journal_folder, lock_path, status_path
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS
from pulsoid_rec.recorder.disk.lock_file import LockFile
from pulsoid_rec.recorder.health.judge import judge
from pulsoid_rec.recorder.health.note import MemberNote, Note, RoomNote, Trouble, read_note, write_note
from pulsoid_rec.recorder.journal.journal import create_lock
from pulsoid_rec.recorder.journal.segment import remove_stale_statuses

NOW = datetime.now(UTC)


def room(**changes: Any) -> RoomNote:
    fields: dict[str, Any] = {"room_id": "gym", "state": "live", "since": NOW, "why": None, "last_reading_at": NOW}
    return RoomNote(**fields | {"members": 1, "reconnects": 0, "deaf_s": 12.5} | changes)


def member(profile_id: str = "0123456789-ada", **changes: Any) -> MemberNote:
    fields: dict[str, Any] = {"room_id": "gym", "name": "Ada", "last_reading_at": NOW, "lag_s": 0.25, "expected": False}
    return MemberNote(profile_id=profile_id, **fields | changes)


def note(run_id: str = "run", **changes: Any) -> Note:
    fields: dict[str, Any] = {"pid": 4711, "started_at": NOW - timedelta(hours=2), "written_at": datetime.now(UTC)}
    fields |= {"is_ending": False, "rooms": [room()], "members": [member()], "more_members": 0, "journal_bytes": 2048}
    fields |= {"database_behind_s": 0.0, "database_error": None, "token_ends_at": None, "troubles": []}
    return Note(run_id=run_id, **fields | changes)


WRITTEN = msgspec.json.encode(note())
ODD = [
    WRITTEN.replace(b'"pid":', b'"new":' + b"[" * 30_000 + b"]" * 30_000 + b',"pid":'),
    WRITTEN.replace(b"gym", b"\xff"),
    WRITTEN.replace(b'Z"', b'"'),
]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "a.duckdb"


def lock(database: Path, run_id: str = "run", rooms: tuple[str, ...] = ("gym",)) -> LockFile:
    return create_lock(journal_folder(database), run_id, rooms)


def write(database: Path, written: Note) -> Path:
    write_note(journal_folder(database), written)
    return status_path(journal_folder(database), written.run_id)


def states(database: Path) -> list[tuple[str, str]]:
    return [(judged.run_id, judged.state) for judged in judge(database)]


def test_a_run_records_while_its_lock_is_held_and_it_writes(database: Path) -> None:
    assert states(database) == []
    held = lock(database)
    assert states(database) == [("run", "starting")]
    path = write(database, note())
    assert path.stat().st_mode & 0o077 == 0
    assert states(database) == [("run", "recording")]
    write(database, note(is_ending=True))
    assert states(database) == [("run", "stopping")]
    write(database, note(written_at=datetime.now(UTC) + timedelta(seconds=DEFAULT_TIMINGS.stale_status_s + 9)))
    assert states(database) == [("run", "unresponsive")], "the clock was set back"
    _silent(write(database, note()), DEFAULT_TIMINGS.stale_status_s + 1)
    assert states(database) == [("run", "unresponsive")]
    held.release()
    assert states(database) == [("run", "killed")]
    remove_stale_statuses(journal_folder(database))
    assert states(database) == []


def test_several_runs_are_judged_each_and_an_import_is_none(database: Path) -> None:
    held = [lock(database, "a"), lock(database, "b"), lock(database, "import", ())]
    write(database, note("a"))
    write(database, note("c"))
    assert states(database) == [("a", "recording"), ("b", "starting"), ("c", "killed")]
    for each in held:
        each.release()


def test_a_killed_run_was_last_alive_when_its_last_file_was_written_and_says_what_it_left(database: Path) -> None:
    write_note(_made(journal_folder(database)), note(written_at=NOW - timedelta(hours=1)))
    segment = journal_folder(database) / "run-00000001.jsonl.open"
    segment.write_bytes(b"x" * 1234)
    [killed] = judge(database)
    assert killed.last_alive_at is not None
    assert killed.last_alive_at.timestamp() == pytest.approx(segment.stat().st_mtime, abs=0.01)
    assert "stores the 1,234 bytes that it left in the journal." in killed.troubles[0].text
    assert [each.state for each in killed.rooms] == ["unknown"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"run_id": "run"}', b"\xff" * 99, *ODD])
def test_a_note_that_is_none_is_as_if_it_was_not_there(database: Path, content: bytes) -> None:
    status_path(_made(journal_folder(database)), "run").write_bytes(content)
    assert states(database) == []
    held = lock(database)
    assert states(database) == [("run", "starting")]
    held.release()


def test_what_is_wrong_is_shown_in_80_columns_and_in_the_exit_code(database: Path) -> None:
    held = lock(database)
    write(database, note())
    well = run_here("status", "--db", database, TZ="Europe/Berlin")
    assert well.returncode == 0, well.stderr
    lines = well.stdout.splitlines()
    assert lines[1].startswith("Recording since ")
    assert lines[1].endswith("), process 4711")
    assert " (2 h" in lines[1]
    assert NOW.astimezone(ZoneInfo("Europe/Berlin")).strftime("%H:%M:%S, ") in well.stdout, "local time"
    assert lines[-1].strip() == "All is well."
    named = [member(f"id-{n}", name="\x1b[31m" + "wide" * 30, room_id="r" * 99) for n in range(3)]
    silent = member(name=None, last_reading_at=None, lag_s=None, room_id=None, expected=True)
    wrong = [Trouble("member", "x", "No reading of Ada for 6 min.")]
    write(database, note(rooms=[room(), room(room_id="r" * 99)], members=[*named, silent], troubles=wrong))
    shown = run_here("status", "--db", database)
    assert (shown.returncode, shown.stdout.splitlines()[-1].strip()) == (3, "No reading of Ada for 6 min.")
    assert all(len(line) <= 80 for line in shown.stdout.splitlines()[1:])
    assert "\x1b" not in shown.stdout
    assert re.search(r"^  01234567 +none yet +- +-", shown.stdout, re.MULTILINE)
    assert shown.stdout.startswith(f"{database}\n"), "a path is one line"
    write(
        database, note(troubles=[*wrong, Trouble("database", None, "The database is 2 min behind. Nothing is lost.")])
    )
    assert run_here("status", "--db", database).returncode == 4
    held.release()


def test_json_is_an_array_with_an_object_a_run_and_instants_with_z(database: Path) -> None:
    held = lock(database)
    write(database, note())
    done = run_here("status", "--db", database, "--format", "json")
    [run] = msgspec.json.decode(done.stdout)
    assert done.returncode == 0
    assert (run["state"], run["pid"], run["troubles"]) == ("recording", 4711, [])
    assert run["members"][0]["last_reading_at"] == NOW.isoformat().replace("+00:00", "Z")
    assert run["disk_free_bytes"] > 0
    assert "bpm" not in done.stdout
    held.release()
    empty = run_here("status", "--db", database.with_name("none.duckdb"), "--format", "json")
    assert (empty.returncode, empty.stdout) == (3, "[]\n")
    assert re.fullmatch(
        "pulsoid-rec: No recorder is running on .*, which does not exist: choose another with --db.\n", empty.stderr
    )


def test_a_recorder_that_does_not_respond_is_looked_at_twice(database: Path) -> None:
    held = lock(database)
    _silent(write(database, note()), 180)
    done = run_here("status", "--db", database)
    assert done.returncode == 3
    assert "has not responded for 3 min" in " ".join(done.stdout.split())
    held.release()


@pytest.mark.skipif(os.name != "posix" or not os.path.exists("/dev/full"), reason="it stands for a full disk")  # noqa: PTH110 - no path yet
def test_a_recorder_that_cannot_write_its_status_is_seen_to_live(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = lock(database)
    _silent(write(database, note(troubles=[Trouble("member", "x", "It was so.")])), 180)
    monkeypatch.setattr("pulsoid_rec.recorder.health.note.open_replacement", _open_full)
    with pytest.raises(OSError, match="No space left"):
        write(database, note())
    [run] = judge(database)
    assert (run.state, [each.state for each in run.rooms]) == ("recording", ["unknown"])
    assert [trouble.kind for trouble in run.troubles] == ["journal"]
    assert run.troubles[0].text.startswith("The recorder could not write its status for 3 min")
    assert run_here("status", "--db", database).returncode == 4
    held.release()


@contextmanager
def _open_full(_: Path, *, sync: bool) -> Iterator[Path]:
    assert not sync
    yield Path("/dev/full")


def _silent(path: Path, seconds: float) -> None:
    """Let a note be as if it had been written so long ago."""
    at = datetime.now(UTC) - timedelta(seconds=seconds)
    written = read_note(path)
    assert written is not None
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(written, written_at=at)))
    os.utime(path, (at.timestamp(), at.timestamp()))


def test_a_journal_of_others_is_not_believed(database: Path) -> None:
    folder = _made(journal_folder(database))
    write(database, note())
    folder.chmod(0o777)
    done = run_here("status", "--db", database)
    assert (done.returncode, done.stdout) == (4, "")
    assert "Cannot read the journal of" in done.stderr


def test_a_link_in_the_place_of_a_note_is_not_followed(database: Path, tmp_path: Path) -> None:
    folder = _made(journal_folder(database))
    (tmp_path / "elsewhere").write_bytes(msgspec.json.encode(note()))
    status_path(folder, "run").symlink_to(tmp_path / "elsewhere")
    assert run_here("status", "--db", database).returncode == 4
    assert not lock_path(folder, "run").exists()


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
