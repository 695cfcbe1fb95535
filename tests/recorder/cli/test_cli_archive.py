"""`pulsoid-rec archive`: what it prints, its exit codes, and beside a recorder that runs."""

import shutil
import signal
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import pytest
import trio
from archives import all_rows, append_rows, archived_rows, files_of, noted_files, some_rows
from command import PULSOID_REC, run_command, run_here
from journal_rows import as_stored, stored
from numbered_server import occurred_at, open_numbered_server
from recorder_process import end, start_recorder

ROWS = Counter(map(as_stored, some_rows()))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    append_rows(tmp_path / "t.duckdb", some_rows())
    return tmp_path / "t.duckdb"


def test_it_says_what_was_archived_and_how_large_the_file_is_now(tmp_path: Path, database: Path) -> None:
    done = run_here("archive", "archive", "--db", database, cwd=tmp_path)
    size = sum(path.stat().st_size for path in (tmp_path / "archive").rglob("*.parquet"))
    assert done.returncode == 0
    assert done.stdout == ""
    assert done.stderr == (
        "Archived 28 rows (13 heart_rate, 12 member_events, 1 room_events, 1 connection_events, 1 rejected_messages)"
        f" of 4 days to {tmp_path}/archive: 10 files, {size:,} bytes.\n"
        f"{database} has {database.stat().st_size:,} bytes. --compact makes it smaller.\n"
    )
    done = run_here("archive", tmp_path / "archive", "--db", database, "--check")
    assert (done.returncode, done.stderr) == (0, f"Checked 10 files in {tmp_path}/archive: no faults.\n")
    before, yesterday = database.stat().st_size, datetime.now(UTC).date() - timedelta(days=1)
    done = run_here("archive", tmp_path / "archive", "--db", database, "--compact")
    lines = done.stderr.splitlines()
    assert done.returncode == 0
    assert lines[0] == (
        f"Nothing was archived to {tmp_path}/archive: the database has no rows of days before {yesterday} (UTC)."
    )
    assert lines[1] == f"{database} had {before:,} bytes, and has {database.stat().st_size:,} bytes now."
    assert len(lines) == 2
    assert all_rows(database, tmp_path / "archive") == ROWS


def test_what_is_wrong_with_an_archive_is_listed(tmp_path: Path, database: Path) -> None:
    run_here("archive", tmp_path / "archive", "--db", database)
    paths = [tmp_path / "archive" / file.path for file in files_of(tmp_path / "archive")[:2]]
    for path in paths:
        path.write_bytes(b"PAR1")
    done = run_here("archive", tmp_path / "archive", "--db", database, "--check")
    assert done.returncode == 4
    lines = done.stderr.splitlines()
    assert [line.partition(" has ")[0] for line in lines[:2]] == list(map(str, paths))
    assert lines[2] == (
        f"pulsoid-rec: Checked 10 files in {tmp_path}/archive: 2 faults. Put these files back from a backup."
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--before", "-1d"], 2, "--before cannot be '-1d'"),
        (["--before", "3000-01-01"], 2, "in the future"),
        (["--check", "--compact"], 2, "--check changes nothing"),
        (["--check"], 4, "archive is not there"),
        (["--db", "none.duckdb"], 2, "There is no recording none.duckdb"),
        (["--db", "a.txt"], 4, "a.txt is not a DuckDB file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    tmp_path: Path, database: Path, arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "a.txt").write_text("no database" * 1000)
    done = run_here("archive", "archive", "--db", database, *arguments, cwd=tmp_path)
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert stored(database) == ROWS


def test_a_url_is_no_place(database: Path) -> None:
    done = run_here("archive", "ftp://host/archive", "--db", database)
    assert (done.returncode, done.stderr) == (
        2,
        "pulsoid-rec: ftp://host/archive is no place for an archive. Name a folder, or a bucket as s3://BUCKET/FOLDER.\n",
    )


def test_a_copy_is_told_what_to_do(tmp_path: Path, database: Path) -> None:
    copy = shutil.copy(database, tmp_path / "copy.duckdb")
    run_here("archive", tmp_path / "archive", "--db", database)
    done = run_here("archive", tmp_path / "archive", "--db", copy)
    assert done.returncode == 4
    assert "add --new-identity once" in done.stderr
    assert run_here("archive", tmp_path / "archive", "--db", copy, "--new-identity").returncode == 0
    assert run_here("archive", tmp_path / "archive", "--db", copy).returncode == 0
    for name in (database, copy):
        assert run_here("archive", tmp_path / "archive", "--db", name, "--check").returncode == 0


@pytest.mark.process
@pytest.mark.slow
async def test_a_recorder_that_runs_meanwhile_loses_nothing(tmp_path: Path) -> None:
    database, folder = tmp_path / "t.duckdb", tmp_path / "archive"
    async with open_numbered_server(300) as server:
        process = start_recorder(database, server)
        with trio.fail_after(20):
            while not (server.live and database.exists()):
                await trio.sleep(0.05)
        archive = partial(run_command, "archive", folder, "--db", database, "--before", "0d", "--compact")
        codes = list[int]()
        with trio.fail_after(40):
            while len(codes) < 3 or len(list(folder.rglob("v1/heart_rate/*/*.parquet"))) < 2:  # some came meanwhile
                codes.append((await trio.to_thread.run_sync(archive)).returncode)
        server.is_sending = False
        await trio.sleep(0.2)
        ended = await end(process)
    assert not any(codes)
    assert ended.code == 0
    rows = stored(database) + archived_rows(folder, noted_files(database))
    found = Counter(row[4] for row in rows.elements() if row[0] == "heart_rate")
    sent = [number for connection in server.connections for number in connection.numbers]
    assert len(sent) > 300
    assert found == Counter(occurred_at(number).timestamp() * 10**6 for number in sent)


@pytest.mark.process
def test_ctrl_c_ends_it_with_one_line_and_the_next_run_does_the_rest(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    append_rows(database, [])
    with duckdb.connect(database) as connection:
        reading = "'r', 'p' || hash(i) % 100, 60, make_timestamptz(i * 4000), make_timestamptz(i), hash(i)::VARCHAR"
        connection.execute(f"INSERT INTO heart_rate SELECT {reading} FROM (SELECT range AS i FROM range(1000000))")
    command = [*PULSOID_REC, "archive", str(tmp_path / "archive"), "--db", str(database)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.glob("archive/*/*/*/.*.part")):
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert errors.endswith("Stopped. What was not archived is in the database; run it again for the rest.\n")
    assert process.returncode == 130
    assert not list(tmp_path.glob("archive/*/*/*/.*"))
    assert run_here("archive", tmp_path / "archive", "--db", database).returncode == 0
    with duckdb.connect(database, read_only=True) as connection:
        assert connection.execute("SELECT sum(readings) FROM archived_activity").fetchall() == [(1000000,)]
        assert connection.execute("SELECT count(*) FROM heart_rate").fetchall() == [(0,)]
