"""`pulsoid-rec import`: other recordings, and our own exports, stand beside what was recorded."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from command import PULSOID_REC, run_here
from drawn_readings import ROWS
from hypothesis import given, settings
from readings import Reading, at, reading, steady
from recorder_process import journal_of
from recordings import make_recording

from pulsoid_rec.analysis.export.write import Export, Format, write_export
from pulsoid_rec.analysis.findings.clock_notes import clock_notes
from pulsoid_rec.analysis.findings.presence import presence_notes
from pulsoid_rec.analysis.findings.report_data import read_report
from pulsoid_rec.analysis.findings.session_view import session_views
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.members import SCHEMA as MEMBERS
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.cli.import_ import import_
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.ingest.recover import recover

pytestmark = pytest.mark.process

NOBODY = pl.DataFrame(schema=MEMBERS)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "t.duckdb"


def write(path: Path, *lines: str, header: str = "member,time,bpm") -> Path:
    path.write_text("".join(f"{line}\n" for line in (header, *lines)), "utf-8")
    return path


def rows(db: Path, table: str = "heart_rate", columns: str = "*") -> list[tuple[Any, ...]]:
    with duckdb.connect(db, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return [tuple(row) for row in connection.sql(f"SELECT {columns} FROM {table}").pl().iter_rows()]


READINGS = "room_id, profile_id, bpm, occurred_at"


def export(db: Path, path: Path, format_: Format) -> Path:
    content = Export(table="heart_rate", wanted=Filter(), definitions=Definitions(), members=NOBODY)
    write_export(Recording(db), content, path, format_)
    return path


def figures(db: Path) -> list[tuple[Any, ...]]:
    """Return the summary; sessions are in the order of time, whenever they were received."""
    summary = Recording(db).summary().drop("session")
    return summary.sort(summary.columns[:4]).rows()


def test_a_file_is_stored_with_its_own_times_and_those_of_the_import(
    db: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = datetime.now(UTC)
    file = write(tmp_path / "a.csv", "Ada Lovelace,2024-01-02T10:00:01Z,71", "Ada Lovelace,2024-01-02T10:00:00Z,70.0")
    import_(file, room="r1", db=db)
    stored = rows(db)
    assert [row[:3] for row in stored] == [("r1", "Ada Lovelace", 70), ("r1", "Ada Lovelace", 71)]
    assert [row[3] for row in stored] == [datetime(2024, 1, 2, 10, 0, second, tzinfo=UTC) for second in (0, 1)]
    received = [row[4] for row in stored]
    assert before <= received[0] < received[1] <= datetime.now(UTC)
    assert all(row[5].startswith("import:") for row in stored)
    assert Recording(db).members()["name"].to_list() == ["Ada Lovelace"]  # not the id's first characters
    assert rows(db, "connection_events") == []
    assert capsys.readouterr().err.splitlines() == [
        "a.csv: CSV in UTF-8, separated by commas, with its header in line 1.",
        "  time: 'time', with a zone of their own",
        "  member: 'member'",
        "  bpm: 'bpm'",
        "  room: r1 (given)",
        "2 readings of Ada Lovelace,",
        "  from 2024-01-02 10:00:00 to 2024-01-02 10:00:01 UTC.",
        f"Imported 2 readings into {db}.",
    ]
    assert not journal_of(db).exists()
    if sys.platform != "win32":
        assert db.stat().st_mode & 0o777 == 0o600


@settings(max_examples=4)
@given(ROWS)
@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_an_export_comes_back_with_the_same_readings_and_figures(
    tmp_path_factory: pytest.TempPathFactory, format_: Format, drawn: list[Reading]
) -> None:
    readings = [row for row in drawn if abs((row.received_at - row.occurred_at).days) < 1] + [
        reading(1, 900, ' a "q", b;\r\n=SUM(1+1) ü\U0001f493'),
        Reading("r\n2", "NULL", 0, datetime(1, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)),
        Reading("r\n2", "NULL", -3, at(0.000001), at(0)),
    ]
    folder = tmp_path_factory.mktemp("round")
    original = make_recording(folder / "a.duckdb", readings)
    import_(export(original, folder / f"a.{format_}", format_), db=folder / "b.duckdb")
    again = folder / "b.duckdb"
    assert Counter(rows(again, columns=READINGS)) == Counter(rows(original, columns=READINGS))
    assert figures(again) == figures(original)
    assert rows(again, "rejected_messages") == []


def test_a_second_import_adds_duplicates_that_are_left_out(db: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", *(f"Ada,2024-01-02T10:00:{second:02}Z,70" for second in range(60)))
    import_(file, room="r1", db=db)
    once = Recording(db).summary()
    import_(file, room="r1", db=db)
    twice = Recording(db).summary()
    assert once["duplicates"].to_list() == [0]
    assert twice["duplicates"].to_list() == [60]
    assert twice.drop("duplicates").equals(once.drop("duplicates"))


def test_lines_that_cannot_be_read_are_named_and_kept(
    db: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [f"Ada,2024-01-02T10:01:{second:02}Z,70.5" for second in range(7)]
    file = write(tmp_path / "a.csv", "Ada,2024-01-02T10:00:00Z,70", *bad, ",2024-01-02T10:00:01Z,70", "Ada,,", "Ada,x,")
    import_(file, room="r1", db=db)
    assert len(rows(db)) == 1
    rejected = rows(db, "rejected_messages", "room_id, reason, raw, connection_id")
    assert rejected[0][:3] == ("r1", "line 3 of a.csv: its bpm '70.5' is not a whole number", bad[0])
    assert rejected[-1][:3] == ("r1", "line 10 of a.csv: it has no member", ",2024-01-02T10:00:01Z,70")
    assert len(rejected) == 8
    said = capsys.readouterr().err
    assert "2 rows without a bpm.\n8 lines cannot be read:\n  line 3: its bpm '70.5' is not a whole number\n" in said
    assert "  line 7: its bpm '70.5' is not a whole number\n  and 3 more\n" in said
    assert f"Imported 1 reading and 8 rejected lines into {db}.\n" in said


@pytest.mark.parametrize(
    ("header", "line", "options", "message"),
    [
        ("member,time,bpm", "Ada,2024-01-02 10:00:00,70", {}, r"a.csv, line 2: its time has no zone. Add --zone"),
        (
            "member,time,bpm",
            "Ada,2024-01-02T10:00:00Z,70.5",
            {},
            r"a.csv has no reading that can be imported. Nothing was imported.",
        ),
        ("member,time,bpm", "Ada,2024-01-02T10:00:00Z,70", {"room": None}, r"a.csv names no room. Add --room"),
        (
            "time,bpm",
            "2024-01-02T10:00:00Z,70",
            {},
            r"a.csv has no column known for member. Add --member or --member-column.",
        ),
        ("member,time,bpm", "Ada,2024-01-02T10:00:00Z,70", {"room": "x" * 257}, r"A room's id has more than"),
        (
            "member,time,bpm",
            "Ada,2024-01-02T10:00:00Z,70",
            {"bpm_column": "hr"},
            r"a.csv has no column 'hr'. Its columns",
        ),
    ],
)
def test_what_is_missing_is_asked_for_and_nothing_is_written(
    tmp_path: Path, header: str, line: str, options: dict[str, str | None], message: str
) -> None:
    file = write(tmp_path / "a.csv", line, header=header)
    with pytest.raises(UsageError, match=message):
        import_(file, db=tmp_path / "t.duckdb", **{"room": "r1", **options})  # type: ignore[arg-type] # all of them are texts or None
    assert list(tmp_path.iterdir()) == [file]


def test_a_dry_run_shows_the_same_and_writes_nothing(
    db: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "a.csv", "2024-01-02 10:00:00,70", header="Date,HR")
    import_(file, room="r1", db=db, member="Ada", zone="Europe/Berlin", dry_run=True)
    assert "1 reading of Ada,\n  from 2024-01-02 09:00:00" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_is_no_recording_is_not_written_over(db: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "Ada,2024-01-02T10:00:00Z,70")
    before = file.read_bytes()
    with pytest.raises(StorageError, match="is not a DuckDB file"):
        import_(file, room="r1", db=file)
    assert file.read_bytes() == before
    assert not journal_of(file).exists()


def test_an_import_is_neither_heard_nor_missed_by_a_recorder(db: Path, tmp_path: Path) -> None:
    """Of a time between two recordings: in it the recorder was offline, which says nothing of what was imported."""
    day = 86_400
    connections = [
        ["r1", connection, event, at(second), None, None]
        for connection, start in (("c1", 0), ("c2", 2 * day))
        for event, second in (("opened", start), ("closed", start + 120))
    ]
    live = [*steady("ann", 80, 0, 120), *steady("ann", 80, 2 * day, 2 * day + 120)]
    make_recording(db, live, connection_events=connections)
    seconds = [*range(120), *range(300, 420)]
    file = write(tmp_path / "a.csv", *(f"ann,{at(day + second).isoformat()},{70 + second % 9}" for second in seconds))
    import_(file, room="r1", db=db)
    report = read_report(Recording(db), Filter(), NOBODY, Definitions(), at_most=10**6)
    texts = [[note.text for note in (*presence_notes(view), *clock_notes(view))] for view in session_views(report, UTC)]
    [silence] = [text for text in texts if text]
    assert len(texts) == 3
    assert silence == ["ann: silent from 18:01:59 to 18:05:00"]


MANY = 60_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a file of which an import takes a second or so, and writes several segments."""
    path = tmp_path_factory.mktemp("large") / "large.csv"
    return write(path, *(f"m{n % 7},{1_700_000_000 + n},{60 + n % 90}" for n in range(MANY)))


def start_import(file: Path, db: Path) -> "subprocess.Popen[str]":
    """Start one; return when its first segment is in the journal."""
    command = [*PULSOID_REC, "import", str(file), "--room", "r1", "--db", str(db)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"})
    give_up_at = time.monotonic() + 30
    while not list(journal_of(db).glob("*.jsonl*")):
        assert time.monotonic() < give_up_at
        time.sleep(0.001)
    return process


def test_killed_half_way_and_repeated_it_is_there_once_and_the_rest_is_duplicates(db: Path, large: Path) -> None:
    with start_import(large, db) as process:
        while sum(path.stat().st_size for path in journal_of(db).glob("*.open")) in range(1, 1000):
            time.sleep(0.001)  # there is a header, and no row
        process.kill()
    recover(db)
    left = len(rows(db))
    assert left < MANY
    import_(large, room="r1", db=db)
    [total] = rows(db, columns="count(*), count(DISTINCT (profile_id, occurred_at)), count(DISTINCT received_at)")
    assert total == (MANY + left, MANY, MANY + left)
    assert sum(Recording(db).summary()["duplicates"]) == left
    assert not journal_of(db).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a process there cannot be sent Ctrl-C alone")
def test_ctrl_c_ends_it_with_all_that_was_written_in_the_database(db: Path, large: Path) -> None:
    with start_import(large, db) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.read()
    stored = len(rows(db))
    assert stored < MANY, said
    assert process.returncode == 130
    assert f"Imported {stored:,} reading" in said
    assert "Stopped. Import the file again for the rest" in said
    assert not journal_of(db).exists()


def test_it_waits_for_a_reader_and_for_another_import(db: Path, tmp_path: Path) -> None:
    small = write(tmp_path / "a.csv", "Ada,2024-01-02T10:00:00Z,70")
    import_(small, room="r1", db=db)
    larger = write(tmp_path / "b.csv", *(f"Ada,{1_700_000_000 + n},70" for n in range(6000)))
    with duckdb.connect(db, read_only=True):
        imports = [start_import(larger, db) for _ in range(2)]
        time.sleep(0.5)
        assert [process.poll() for process in imports] == [None, None]
    for process in imports:
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 0, said
    assert len(rows(db)) == 2 * 6000 + 1


def test_the_command_ends_with_2_if_nothing_can_be_read(tmp_path: Path, db: Path) -> None:
    file = write(tmp_path / "a.csv", "Ada,yesterday,70")
    done = run_here("import", file, "--room", "r1", "--db", db)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("pulsoid-rec: a.csv has no reading that can be imported. Nothing was imported.\n")
