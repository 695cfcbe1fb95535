"""`pulsoid-rec forget`: what it prints and asks, its exit codes, and beside a recorder that runs."""

import gzip
import json
import os
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import pytest
import trio
from archives import DAY_US, all_rows, archive_all, files_of
from command import PULSOID_REC, run_command, run_here
from forgettable import ADA, NAMES, Recording, bring_in_rows, files_with
from journal_rows import as_stored, stored
from numbered_server import MEMBERS, occurred_at, open_numbered_server
from recorder_process import end, start_recorder

from pulsoid_rec.recorder.journal.rows import HeartRateRow, MemberEventRow

RECORDING = Recording(1)
DELETE = "Where it means this member, delete it there, and run this again."
OTHER = "3f0c9c1e-6f0b-4a53-9a52-2d5a0c7c3d110"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    bring_in_rows(tmp_path / "t.duckdb", RECORDING.all(), keep=True)
    (tmp_path / "members.toml").write_text(f'# all\n["user-12"]\nhr_max = 190\n\n["{ADA}"]\nname = "Ada B"\n')
    return tmp_path / "t.duckdb"


def test_it_says_what_went_and_that_nothing_is_left(tmp_path: Path, database: Path) -> None:
    gone = RECORDING.left() - RECORDING.left("user-12")
    tables = Counter(row[0] for row in gone.elements())
    done = run_here("forget", "user-12", "--db", database, "--yes")
    assert done.returncode == 0
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0] == "user-12 (user-1)"
    counts = [f"{tables[name]:,} {name}" for name in ("heart_rate", "member_events", "rejected_messages")]
    for line in (lines[1], lines[2]):
        assert all(count in line for count in (*counts, "in the kept journal", "1 in the members file"))
    assert lines[2].startswith("Removed ")
    assert lines[2].endswith(" UTC does not come back.")
    assert lines[3:] == [
        f"Searched every byte of {database}, its archive and the files around it: no id, no name.",
        "Backups, snapshots and copies elsewhere are out of reach: delete them, or run this on each.",
    ]
    assert stored(database) == RECORDING.left("user-12")
    assert (tmp_path / "members.toml").read_text() == f'# all\n["{ADA}"]\nname = "Ada B"\n'
    assert files_with(tmp_path, "user-12") == []


def test_a_dry_run_changes_nothing_and_says_what_else_a_name_could_mean(tmp_path: Path, database: Path) -> None:
    archive_all(database, tmp_path / "archive")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path != database}
    done = run_here("forget", "ada b", "--db", database, "--dry-run")
    assert done.returncode == 0
    assert done.stderr.splitlines()[0] == f"{ADA} (Ada B, Ada Lovelace)"
    assert "archived_activity" not in done.stderr
    assert done.stderr.splitlines()[-1] == "Nothing was changed."
    done = run_here("forget", "Adele", "--db", database, "--dry-run")
    assert done.stderr.startswith(f"{OTHER} (Adele)\n")
    assert before == {path: path.read_bytes() for path in before}
    assert all_rows(database, tmp_path / "archive") == RECORDING.left()
    bring_in_rows(database, [MemberEventRow("r", "c", "bo", "updated", "Adele Two", "{}", 1, 2, "raw")], "b-0")
    done = run_here("forget", "Adele", "--db", database, "--dry-run")
    assert "'Adele' is also a part of names of bo, who stay." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "Name either members or --older-than."),
        (["x", "--older-than", "1d"], 2, "Name either members or --older-than, not both."),
        (["Nobody", "--yes"], 2, "Nobody in the recording is 'Nobody'"),
        (["Ada Lovelac", "--yes"], 2, f"Did you mean 'Ada Lovelace' ({ADA})?"),
        (["3f0c9c1e", "--yes"], 2, f"'3f0c9c1e' may mean 2 members: {ADA} (Ada B, Ada Lovelace), {OTHER} (Adele)"),
        (["Adele"], 2, "Add --yes"),
        (["--older-than", "soon", "--yes"], 2, "--older-than cannot be 'soon'"),
        (["--older-than", "3000-01-01", "--yes"], 2, "in the future"),
        (["Adele", "--yes", "--db", "none.duckdb"], 2, "There is no recording none.duckdb"),
        (["Adele", "--yes", "--members", "none.toml"], 2, "Cannot read none.toml"),
        (["Adele", "--yes", "--archive", "none"], 4, "none is not there"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    tmp_path: Path, database: Path, arguments: list[str], code: int, words: str
) -> None:
    done = run_here("forget", "--db", database, *arguments, cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (code, 1), done.stderr
    assert words in done.stderr
    assert stored(database) == RECORDING.left()


def test_what_is_left_is_listed_with_exit_code_4(tmp_path: Path, database: Path) -> None:
    (tmp_path / "report.html").write_text("<p>user-12</p>")
    done = run_here("forget", "user-12", "--db", database, "--yes")
    assert done.returncode == 4
    assert done.stderr.splitlines()[-2:] == [
        f"{tmp_path}/report.html: an id or a name",
        f"pulsoid-rec: An id or a name is still in 1 place. {DELETE}",
    ]
    assert "no id, no name" not in done.stderr
    (tmp_path / "report.html").unlink()
    assert run_here("forget", "user-12", "--db", database, "--yes").returncode == 0


def test_an_import_does_not_bring_them_back(tmp_path: Path, database: Path) -> None:
    run_here("forget", "user-12", "--db", database, "--yes")
    before = stored(database)
    rows = [
        f"{at},{member},60" for member in ("user-12", "bo") for at in ("2024-01-01T10:00:00Z", "2024-01-01T10:00:01Z")
    ]
    (tmp_path / "old.csv").write_text("\n".join(["time,member,bpm", *rows]))
    done = run_here("import", tmp_path / "old.csv", "--room", "r", "--db", database)
    assert (done.returncode, done.stderr.splitlines()[-2:]) == (
        0,
        [f"Imported 2 readings into {database}.", "2 rows of forgotten members left out."],
    )
    assert {row[2] for row in stored(database) - before if row[0] == "heart_rate"} == {"bo"}


def test_all_that_is_older_goes(tmp_path: Path, database: Path) -> None:
    now = datetime.now(UTC)
    start = int(datetime(now.year, now.month, now.day, tzinfo=UTC).timestamp()) * 10**6
    rows = [HeartRateRow("r", "c", "bo", 60, start - days * DAY_US + 5, start + 6, "raw") for days in range(1, 6)]
    bring_in_rows(database, rows, "b-0", keep=True)
    archive_all(database, tmp_path / "archive")
    bring_in_rows(database, rows, "b-1")
    logs = tmp_path / "t.duckdb.logs"
    logs.mkdir()
    for name, age in (("old.log", 10), ("new.log", 1)):
        (logs / name).touch()
        os.utime(logs / name, 2 * ((now - timedelta(days=age)).timestamp(),))
    kept = tmp_path / "t.duckdb.journal" / "kept"
    (kept / "2020-01-01.jsonl.gz").write_bytes(gzip.compress(b"old"))
    done = run_here("forget", "--older-than", "3d", "--db", database, "--dry-run")
    assert done.stderr.splitlines()[-1] == "Nothing was changed."
    assert (kept / "2020-01-01.jsonl.gz").exists()
    day = (now - timedelta(days=3)).date()
    done = run_here("forget", "--older-than", "3d", "--db", database, "--yes")
    assert done.returncode == 0, done.stderr
    assert f"Before {day} (UTC), {database} has " in done.stderr
    expected = Counter(map(as_stored, rows[:3]))
    assert all_rows(database, tmp_path / "archive") == expected + expected
    assert all(file.day >= day for file in files_of(tmp_path / "archive"))
    assert [path.name for path in logs.iterdir()] == ["new.log"]
    assert not (kept / "2020-01-01.jsonl.gz").exists()
    assert run_here("archive", tmp_path / "archive", "--db", database, "--check").returncode == 0
    with duckdb.connect(database, read_only=True) as connection:
        [(hashed, before, removed)] = connection.execute(
            "SELECT hash, before::VARCHAR, removed FROM forgotten"
        ).fetchall()
        assert connection.execute("SELECT count(DISTINCT profile_id) FROM archived_activity").fetchall() == [(1,)]
    assert (hashed, before) == (None, day.isoformat())
    assert json.loads(removed)["files of journal and logs"] == 2
    before_bytes = database.read_bytes()
    done = run_here("forget", "--older-than", "3d", "--db", database, "--yes")
    assert done.stderr.endswith("has nothing.\nNothing was changed.\n")
    assert database.read_bytes() == before_bytes


@pytest.mark.process
def test_on_a_terminal_it_asks(database: Path) -> None:
    import pty

    for answer, code in ((b"n\n", 130), (b"y\n", 0)):
        terminal, stdin = pty.openpty()
        with subprocess.Popen(
            [*PULSOID_REC, "forget", "Adele", "--db", str(database)], stdin=stdin, stderr=subprocess.PIPE
        ) as process:
            os.write(terminal, answer)
            _, errors = process.communicate(timeout=60)
        os.close(terminal)
        os.close(stdin)
        assert (process.returncode, b"Remove this for good? [y/N]" in errors) == (code, True)
        assert stored(database) == RECORDING.left(*([OTHER] if code == 0 else []))


@pytest.mark.process
@pytest.mark.slow
async def test_beside_a_recorder_nothing_of_others_is_lost_and_what_came_before_stays_away(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    async with open_numbered_server(300) as server:
        process = start_recorder(database, server, options=["--keep-journal"])
        with trio.fail_after(20):
            while not (server.live and database.exists() and server.sent > 300):
                await trio.sleep(0.05)
        done = await trio.to_thread.run_sync(partial(run_command, "forget", "p3", "--db", database, "--yes"))
        with trio.fail_after(20):
            sent = server.sent
            while server.sent < sent + 300:
                await trio.sleep(0.05)
        server.is_sending = False
        await trio.sleep(0.2)
        ended = await end(process)
    assert (done.returncode, ended.code) == (0, 0), done.stderr
    assert "A recorder receives this member again" in done.stderr
    with duckdb.connect(database, read_only=True) as connection:
        [(at_us,)] = connection.execute("SELECT epoch_us(forgotten_at) FROM forgotten").fetchall()
    rows = [row for row in stored(database).elements() if row[0] == "heart_rate"]
    found = Counter(row[4] for row in rows)
    sent_at = [occurred_at(number).timestamp() * 10**6 for each in server.connections for number in each.numbers]
    theirs = [at for number, at in enumerate(sent_at) if number % MEMBERS == 3]
    since = {row[4] for row in rows if row[2] == "p3"}
    assert found - Counter(since) == Counter(sent_at) - Counter(theirs), "something of others is lost"
    assert len(since) > 30, "what came later is not stored"
    assert since == {at for at in theirs if at >= min(since)}
    assert all(row[5] > at_us for row in rows if row[2] == "p3")
    lines = [
        json.loads(line) for path in tmp_path.rglob("*.gz") for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    kept = [line for line in lines if line.get("profile_id") == "p3"]
    assert len(kept) == len(since)
    assert all(line["received_at"] > at_us for line in kept)


def test_the_names_of_all_are_known(database: Path) -> None:
    for name in NAMES.values():
        assert run_here("forget", name, "--db", database, "--dry-run").returncode == 0, name
