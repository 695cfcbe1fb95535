"""`pulsoid-rec report` and `sessions` as their users see them: output, messages, exit codes.

One test for each kind of output starts a process; the others run the command in their own.
"""

import json
import os
import re
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from command import run_command, run_here
from recordings import at, make_recording, reading, steady

from pulsoid_rec.analysis.metrics.summary import SCHEMA
from pulsoid_rec.analysis.reading.recording import Recording

pytestmark = pytest.mark.process

MEMBERS = '[ann]\nname = "Ann"\nhr_max = 190\n'


@pytest.fixture
def db(tmp_path: Path) -> Path:
    readings = steady("ann", 120, 0, 60) + steady("bob", 90, 0, 60) + steady("ann", 130, 5000, 5030)
    events = [["r1", '{"name": "The Room"}', at(0), at(0), "c1"]]
    connections = [["r1", "c1", "opened", at(-1), None, None], ["r1", "c1", "closed", at(6000), 1000, None]]
    return make_recording(tmp_path / "a.duckdb", readings, room_events=events, connection_events=connections)


def report(db: Path, *options: str | Path) -> Any:
    return run_here("report", "--db", db, *options, TZ="UTC")


def report_rows(db: Path, *options: str | Path) -> list[dict[str, Any]]:
    done = report(db, "--format", "json", *options)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def test_json_is_the_summary_row_by_row(db: Path) -> None:
    (db.parent / "members.toml").write_text(MEMBERS, encoding="utf-8")
    rows = report_rows(db, "--session", "1")
    assert [list(row) for row in rows] == [list(SCHEMA)] * 2
    ann, bob = rows
    assert ann["name"] == "Ann"
    assert ann["first_at"] == "2026-03-01T18:00:00Z"
    assert ann["observed_s"] == 59
    assert ann["zone2_s"] == 59
    assert bob["zone2_s"] is None
    assert bob["hr_max_source"] is None


def test_instants_have_microseconds_only_where_there_are_any(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "b.duckdb", [reading(0.25, 80), reading(2, 80)])
    (row,) = report_rows(path)
    assert row["first_at"] == "2026-03-01T18:00:00.250000Z"
    assert row["last_at"] == "2026-03-01T18:00:02Z"


def test_latest_session_is_the_default(db: Path) -> None:
    assert [row["session"] for row in report_rows(db)] == [2]
    assert [row["session"] for row in report_rows(db, "--session", "all")] == [1, 1, 2]
    assert [row["session"] for row in report_rows(db, "--session", "1")] == [1, 1]
    assert [row["session"] for row in report_rows(db, "--since", "2026-03-01T00:00Z")] == [1, 1, 2]
    assert [row["session"] for row in report_rows(db, "--until", "2026-03-01T18:30Z", "--session", "latest")] == [1, 1]


def test_definitions_are_options(db: Path) -> None:
    assert report_rows(db, "--session", "1", "--max-hold", "0.5")[0]["observed_s"] == 29.5
    assert report_rows(db, "--session", "1", "--min-bpm", "100")[1]["implausible"] == 60
    assert report_rows(db, "--session", "1", "--max-bpm", "100")[0]["implausible"] == 60
    assert [row["session"] for row in report_rows(db, "--session-gap", "7200")] == [1, 1]


def test_table_names_the_room_and_the_members(db: Path) -> None:
    (db.parent / "members.toml").write_text(MEMBERS, encoding="utf-8")
    done = run_command("report", "--db", db, "--session", "1", TZ="UTC")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "The Room, session 1" in done.stdout
    assert "Sun 2026-03-01 18:00:00 to 18:00:59" in done.stdout
    for words in ("Ann", "bob", "120.0", "2 members", "HRmax as given: Ann; not known"):
        assert words in done.stdout
    assert "\x1b" not in done.stdout
    assert all(line == line.rstrip() for line in done.stdout.splitlines())


def test_no_name_can_speak_to_the_terminal(tmp_path: Path) -> None:
    name = '{"name": "\\u001b[2J\\u202e[red]x[/red]"}'
    events = [["r1", "ann", "updated", name, at(0), at(0), "c"]]
    path = make_recording(
        tmp_path / "a.duckdb", steady("ann", 80, 0, 60), member_events=events, room_events=[["r1", *events[0][3:]]]
    )
    done = report(path)
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert done.stdout.count("[red]x[/red]") >= 2


def test_members_file_is_the_one_named(db: Path, tmp_path: Path) -> None:
    other = tmp_path / "others.toml"
    other.write_text('[ann]\nname = "Anna"\n', encoding="utf-8")
    assert report_rows(db, "--members", other)[0]["name"] == "Anna"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--since", "2026-03-02", "--until", "2026-03-01"], "is not before"),
        (["--since", "soon"], "--since cannot be 'soon'"),
        (["--session", "last"], "--session cannot be 'last'"),
        (["--min-bpm", "200", "--max-bpm", "100"], "--min-bpm (200)"),
        (["--max-hold", "nan"], "--max-hold"),
        (["--members", "none.toml"], "Cannot read none.toml"),
        (["--format", "xml"], "xml"),
        (["-o", "no/such/folder/report.json"], "There is no folder"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(db: Path, options: list[str], words: str) -> None:
    done = report(db, *options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("pulsoid-rec: ")


def test_typing_mistake_in_members_toml_is_reported(db: Path) -> None:
    (db.parent / "members.toml").write_text("[ann]\nhrmax = 190\n", encoding="utf-8")
    done = report(db)
    assert done.returncode == 2
    assert "unknown key 'hrmax'. Did you mean 'hr_max'?" in done.stderr


def test_missing_database_is_a_fault_of_storage(tmp_path: Path) -> None:
    done = run_here("report", "--db", tmp_path / "none.duckdb")
    assert done.returncode == 4
    assert done.stderr.startswith("pulsoid-rec: There is no ")
    assert done.stderr.count("\n") == 1


def test_database_is_named_by_the_environment_too(db: Path) -> None:
    done = run_here("report", "--format", "json", PULSOID_REC_DB=str(db))
    assert len(json.loads(done.stdout)) == 1


@pytest.mark.parametrize("format_", ["table", "json"])
def test_empty_recording_is_no_error(tmp_path: Path, format_: str) -> None:
    path = make_recording(tmp_path / "a.duckdb")
    done = report(path, "--format", format_)
    assert done.returncode == 0
    assert done.stdout == ("[]\n" if format_ == "json" else "")
    assert "holds no readings yet" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--room", "r9"], "There is no room 'r9' in"),
        (["--session", "7"], "No readings match session 7. Room r1 has sessions 1 to 2."),
        (["--since", "2026-03-05"], "readings from 2026-03-01 18:00:00 to 2026-03-01 19:23:49 UTC"),
        (["--since", "2026-03-01T18:30Z", "--until", "2026-03-01T18:40Z"], "No readings are in this range: since"),
    ],
)
def test_filter_that_matches_nothing_is_no_error_and_lists_what_exists(
    db: Path, options: list[str], words: str
) -> None:
    done = report(db, "--format", "json", *options)
    assert (done.returncode, done.stdout) == (0, "[]\n")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_file_is_written_whole_and_never_over_another(db: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    assert report(db, "-o", output).returncode == 0
    assert len(json.loads(output.read_text(encoding="utf-8"))) == 1
    again = report(db, "--session", "all", "-o", output)
    assert again.returncode == 2
    assert "already exists" in again.stderr
    assert len(json.loads(output.read_text(encoding="utf-8"))) == 1
    assert report(db, "--session", "all", "-o", output, "--force").returncode == 0
    assert len(json.loads(output.read_text(encoding="utf-8"))) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.duckdb", "out.json"]
    if os.name == "posix":
        assert output.stat().st_mode & 0o077 == 0


def test_table_and_page_are_written_to_files_too(db: Path, tmp_path: Path) -> None:
    table, page = tmp_path / "out.txt", tmp_path / "out.html"
    assert report(db, "-o", table).returncode == 0
    assert "The Room, session 2" in table.read_text(encoding="utf-8")
    assert report(db, "-o", page).returncode == 0
    assert page.read_text(encoding="utf-8").startswith("<!")


def waiting_segment(db: Path, age_s: float = 60) -> Path:
    journal = db.with_name(db.name + ".journal")
    journal.mkdir(exist_ok=True)
    segment = journal / "20260301T180000Z-ab-000007.jsonl"
    segment.write_text('{"table":"journal","version":1}\n{"table":"heart_rate"}\n', encoding="utf-8")
    os.utime(segment, (time.time() - age_s,) * 2)
    return segment


def test_backlog_of_the_journal_is_reported(db: Path) -> None:
    segment = waiting_segment(db)
    done = report(db, "--format", "json")
    assert f"The journal holds 1 file ({segment.stat().st_size} bytes)" in done.stderr
    assert done.returncode == 0


def test_journal_is_not_reported_while_it_is_fresh_empty_or_known(db: Path) -> None:
    segment = waiting_segment(db, age_s=-60)  # however long the command takes to start
    assert report(db).stderr == ""
    waiting_segment(db)
    with duckdb.connect(db) as connection:
        connection.execute("INSERT INTO ingested_segments VALUES (?, 1, now())", [segment.name.removesuffix(".jsonl")])
    assert report(db).stderr == ""
    segment.unlink()
    header = segment.with_name("x-1.jsonl.open")
    header.write_text('{"table":"journal","version":1}\n', encoding="utf-8")
    os.utime(header, (0, 0))
    assert report(db).stderr == ""


def test_sessions_are_listed(db: Path) -> None:
    done = run_here("sessions", "--db", db, "--format", "json")
    assert json.loads(done.stdout) == [
        {
            "room_id": "r1",
            "session": 1,
            "started_at": "2026-03-01T18:00:00Z",
            "ended_at": "2026-03-01T18:00:59Z",
            "duration_s": 59.0,
            "members": 2,
            "readings": 120,
            "untimely": 0,
            "rejected": 0,
        },
        {
            "room_id": "r1",
            "session": 2,
            "started_at": "2026-03-01T19:23:20Z",
            "ended_at": "2026-03-01T19:23:49Z",
            "duration_s": 29.0,
            "members": 1,
            "readings": 30,
            "untimely": 0,
            "rejected": 0,
        },
    ]


def test_sessions_count_the_readings_that_are_left_out(tmp_path: Path) -> None:
    wrong = [row._replace(occurred_at=row.occurred_at + timedelta(days=365)) for row in steady("cid", 120, 0, 15)]
    done = run_here("sessions", "--db", make_recording(tmp_path / "a.duckdb", [*steady("ann", 100, 0, 60), *wrong]))
    assert re.search(r"Untimely +Rejected\n.*\n.* 15 +0$", done.stdout.rstrip(), re.DOTALL)


def test_sessions_are_shown_in_local_time(db: Path) -> None:
    done = run_here("sessions", "--db", db, TZ="CET-1")
    lines = [line.split() for line in done.stdout.splitlines()]
    if os.name == "posix":
        assert ["r1", "2", "2026-03-01", "20:23:20", "20:23:49", "29", "s", "1", "30", "0", "0"] in lines
    assert lines[1] == ["Room", "Session", "Began", "Ended", "Lasted", "Members", "Readings", "Untimely", "Rejected"]


def test_sessions_of_an_unknown_room_are_none(db: Path) -> None:
    done = run_here("sessions", "--db", db, "--room", "r9")
    assert (done.returncode, done.stdout) == (0, "")
    assert "There is no room 'r9'" in done.stderr
    assert "There is 1 room: r1 (The Room)." in done.stderr


def test_what_is_printed_is_what_a_recording_gives(db: Path) -> None:
    rows = report_rows(db, "--session", "all")
    summary = Recording(db).summary()
    assert [row["bpm_mean"] for row in rows] == summary["bpm_mean"].to_list()
    assert [datetime.fromisoformat(row["last_at"]) for row in rows] == summary["last_at"].to_list()
    assert pl.DataFrame(rows, infer_schema_length=None).columns == summary.columns
