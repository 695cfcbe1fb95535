"""`pulsoid-rec mark`, and what reports, exports and notebooks make of marks."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from archives import archive_all
from command import run_here
from recordings import START, at, make_recording, reading, steady

import pulsoid_rec.analysis as pr
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.journal.journal import create_lock

Ran = subprocess.CompletedProcess[str]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """A room with a minute of two members, received without delay, and a name for one."""
    rows = [reading(second, bpm, who, delay_s=0) for second in range(60) for who, bpm in (("ann", 100), ("bob", 120))]
    events = [["r1", "ann", "updated", '{"name": "Ann"}', at(0), at(0), "c1"]]
    return make_recording(tmp_path / "a.duckdb", rows, member_events=events)


def mark(db: Path, *arguments: str | Path) -> Ran:
    return run_here("mark", "--db", db, *arguments)


def marked(db: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(db, read_only=True) as connection:
        columns = "room_id, profile_id, label, kind, epoch_us(marked_at), source"
        return connection.execute(f"SELECT {columns} FROM marks ORDER BY rowid").fetchall()


def us(seconds: float) -> int:
    return round(at(seconds).timestamp() * 1e6)


def iso(seconds: float) -> str:
    return at(seconds).isoformat()


def phases(db: Path, *marks: tuple[float, str]) -> None:
    for second, label in marks:
        assert mark(db, label, "--phase", "--at", iso(second)).returncode == 0


def test_a_mark_is_stored_with_its_time_member_and_kind(db: Path) -> None:
    ran = mark(db, " goal\n", "--at", iso(30))
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "Marked 'goal' at 2026-03-01 18:00:30 in room r1.\n")
    assert mark(db, "half", "--phase", "--at", "2026-03-01 18:00:31").returncode == 0
    assert mark(db, "ouch", "--member", "ann", "--at", iso(32)).returncode == 0
    assert mark(db, "ouch", "--member", "bob", "--at", iso(32), "--room", "r1").returncode == 0
    assert marked(db) == [
        ("r1", None, "goal", "mark", us(30), "cli"),
        ("r1", None, "half", "phase", us(31), "cli"),
        ("r1", "ann", "ouch", "mark", us(32), "cli"),
        ("r1", "bob", "ouch", "mark", us(32), "cli"),
    ]


def test_without_a_time_it_is_now_and_5s_is_five_seconds_ago(db: Path) -> None:
    mark(db, "now")
    mark(db, "earlier", "--at", "5s")
    (*_, now, _), (*_, earlier, _) = marked(db)
    assert now - earlier == 5_000_000
    assert abs(datetime.now(UTC).timestamp() * 1e6 - now) < 3600 * 1e6


def test_it_marks_every_room_that_is_being_recorded_with_one_id(db: Path) -> None:
    lock = create_lock(journal_folder(db), "run", ["r1", "r2"])
    assert mark(db, "goal").stderr.endswith(" in 2 rooms: r1, r2.\n")
    assert mark(db, "late", "--room", "r2").returncode == 0
    assert mark(db, "--undo", "goal").stderr == "Undone: 'goal' in 2 rooms: r1, r2.\n"
    lock.release()
    assert [(row[0], row[2], row[3]) for row in marked(db)] == [
        ("r1", "goal", "mark"),
        ("r2", "goal", "mark"),
        ("r2", "late", "mark"),
        ("r1", "goal", "undo"),
        ("r2", "goal", "undo"),
    ]


def test_while_nobody_records_several_rooms_have_to_be_chosen_from(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb", [*steady("ann", 90, 0, 9), *steady("bob", 90, 0, 9, room="r2")])
    ran = mark(path, "goal")
    assert (ran.returncode, marked(path)) == (2, [])
    assert ran.stderr.endswith("has 2 rooms. Choose with --room: r1, r2.\n")
    assert mark(path, "goal", "--room", "r2", "--room", "r1").returncode == 0
    assert [row[0] for row in marked(path)] == ["r2", "r1"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "A mark needs a label"),
        (["\u200b"], "A mark's label is empty"),
        (["x" * 201], "more than 200 characters"),
        (["x", "--room", "r9"], "There is no room 'r9'"),
        (["x", "--member", "nobody"], "There is no member 'nobody'. Members: Ann, bob."),
        (["x", "--member", "ann", "--phase"], "A phase is of a whole room"),
        (["x", "--at", "soon"], "--at cannot be 'soon'"),
        (["--undo"], "There is no mark to undo"),
        (["--undo", "x"], "There is no mark 'x' to undo"),
        (["--undo", "--phase"], "--undo takes no --phase"),
        (["x", "--dry-run"], "--zone and --dry-run are for --from FILE"),
        (["x", "--from", "marks.csv"], "--from FILE has all of its marks in the file"),
        (["--from", "missing.csv"], "Cannot read missing.csv"),
    ],
)
def test_what_cannot_be_marked_is_refused_with_one_sentence(db: Path, arguments: list[str], reason: str) -> None:
    ran = mark(db, *arguments)
    assert ran.returncode == 2
    assert reason in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert marked(db) == []


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    ran = mark(tmp_path / "typo.duckdb", "goal")
    assert ran.returncode == 4
    assert list(tmp_path.iterdir()) == []


def test_undo_undoes_the_latest_and_then_the_one_before_and_deletes_nothing(db: Path) -> None:
    for second, label in ((10, "a"), (20, "b"), (15, "a")):
        mark(db, label, "--at", iso(second))
    labels = [mark(db, "--undo").stderr for _ in range(2)]
    assert labels == ["Undone: 'b' in room r1.\n", "Undone: 'a' in room r1.\n"]
    assert mark(db, "--undo", "b").returncode == 2
    recording = pr.explore(db)
    assert recording.marks().select("label", "occurred_at").rows() == [("a", at(10))]
    assert len(marked(db)) == 5


def test_a_file_is_imported_once_however_often(db: Path, tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_text("time,label,member,kind\n2026-03-01 18:00:10,one,,phase\n2026-03-01T18:00:20Z,goal,Ann,\n")
    dry = mark(db, "--from", file, "--dry-run")
    said = "notes.csv: 2 marks from 2026-03-01 18:00:10 to 2026-03-01 18:00:20; new: 2, of which 1 phase.\n"
    assert (dry.returncode, dry.stderr, marked(db)) == (0, f"{said}Nothing was written.\n", [])
    assert mark(db, "--from", file).stderr == f"{said}Imported 2 marks in room r1.\n"
    assert "There is nothing new to mark" in mark(db, "--from", file).stderr
    expected = [
        ("r1", None, "one", "phase", us(10), "import"),
        ("r1", "ann", "goal", "mark", us(20), "import"),
    ]
    assert marked(db) == expected
    file.write_text(file.read_text() + "2026-03-01 18:00:30,two,Nobody,\n")
    assert mark(db, "--from", file).returncode == 2
    assert marked(db) == expected
    file.write_text("time,label\n2026-03-01 20:00:30,later\n")
    assert mark(db, "--from", file, "--zone", "+02:00").returncode == 0
    assert marked(db)[-1][4] == us(30)


def test_while_a_reader_holds_the_database_a_mark_is_safe_and_says_so(db: Path) -> None:
    lock = create_lock(journal_folder(db), "run", ["r1"])
    with duckdb.connect(db, read_only=True):
        ran = mark(db, "goal")
    lock.release()
    assert ran.returncode == 0
    assert "It is safe in the journal, and not in the database yet" in ran.stderr
    assert run_here("recover", "--db", db).returncode == 0
    assert [row[2] for row in marked(db)] == ["goal"]


def test_a_mark_that_is_only_in_the_journal_yet_can_be_undone(db: Path) -> None:
    mark(db, "stored", "--at", iso(10))
    lock = create_lock(journal_folder(db), "run", ["r1"])
    with duckdb.connect(db, read_only=True):
        assert "not in the database yet" in mark(db, "waiting").stderr
    lock.release()
    assert [mark(db, "--undo").stderr for _ in range(2)] == [
        "Undone: 'waiting' in room r1.\n",
        "Undone: 'stored' in room r1.\n",
    ]
    assert mark(db, "--undo").returncode == 2
    assert run_here("recover", "--db", db).returncode == 0
    assert len(marked(db)) == 4
    assert pr.explore(db).marks().is_empty()


def by_phase(db: Path, *options: str) -> list[dict[str, Any]]:
    ran = run_here("report", "--db", db, "--by-phase", "--format", "json", *options)
    assert ran.returncode == 0, ran.stderr
    rows: list[dict[str, Any]] = json.loads(ran.stdout)
    return rows


def test_reports_exports_and_notebooks_agree_on_phases(db: Path, tmp_path: Path) -> None:
    phases(db, (20, "one"), (40, "two"))
    rows = by_phase(db)
    assert [(row["phase"], row["phase_label"], row["name"], row["readings"], row["observed_s"]) for row in rows] == [
        (0, None, "Ann", 20, 20.0),
        (0, None, "bob", 20, 20.0),
        (1, "one", "Ann", 20, 20.0),
        (1, "one", "bob", 20, 20.0),
        (2, "two", "Ann", 20, 19.0),
        (2, "two", "bob", 20, 19.0),
    ]
    output = tmp_path / "phases.parquet"
    assert run_here("export", "--db", db, "--table", "summary", "--by-phase", "-o", output).returncode == 0
    recording = pr.explore(db)
    frame = recording.summary(by_phase=True)
    assert pl.read_parquet(output).equals(frame)
    assert [row["observed_s"] for row in rows] == frame["observed_s"].to_list()
    for number, label in ((0, 0), (1, "one"), (2, 2)):
        part = recording.only(phase=label).summary()
        assert part.equals(frame.filter(pl.col("phase") == number).select(part.columns))
    assert recording.only(since="mark:one", until="mark:two").summary()["observed_s"].to_list() == [20.0, 20.0]
    with pytest.raises(UsageError, match=r"There is no phase 'three'.*'one' \(phase 1 of session 1 of r1\), 'two'"):
        recording.only(phase="three")


def test_a_mark_of_who_sent_no_reading_has_the_name_of_the_members_file(tmp_path: Path) -> None:
    events = [["r1", "cy", "updated", '{"name": "cy-1234"}', at(0), at(0), "c1"]]
    db = make_recording(
        tmp_path / "a.duckdb", [reading(s, 80, "ann", delay_s=0) for s in range(60)], member_events=events
    )
    (tmp_path / "members.toml").write_text('[cy]\nname = "Cyd"\n', encoding="utf-8")
    assert mark(db, "late", "--member", "cy", "--at", iso(30)).returncode == 0
    assert "Marks: 18:00:30 Cyd: late." in run_here("report", "--db", db).stdout


def test_the_table_for_people_shows_each_phase_and_the_marks(db: Path) -> None:
    phases(db, (20, "one"))
    mark(db, "goal \u202e", "--at", iso(30), "--member", "ann")
    text = run_here("report", "--db", db, "--by-phase").stdout
    heads = ["before the first phase  18:00:00 to 18:00:20, 20 s", "1. one  18:00:20 to 18:00:59, 39 s"]
    places = [text.index(head) for head in (*heads, "The whole session")]
    assert places == sorted(places)
    assert "Marks: 18:00:20 one, 18:00:30 Ann: goal \ufffd." in text
    assert "No phase was marked" not in text
    mark(db, "--undo", "one")
    assert "No phase was marked" in run_here("report", "--db", db, "--by-phase").stdout


@pytest.mark.process
def test_the_page_escapes_labels_and_lists_marks(db: Path, tmp_path: Path) -> None:
    label = "<img src=x onerror=alert(1)></script>"
    phases(db, (20, label))
    page = tmp_path / "page.html"
    assert run_here("report", "--db", db, "--by-phase", "-o", page).returncode == 0
    text = page.read_text()
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;&lt;/script&gt;" in text
    assert "<h3>By phase</h3>" in text
    assert "Tinted: every other phase" in text
    mark(db, "--undo")
    assert run_here("report", "--db", db, "--by-phase", "-o", page, "--force").returncode == 0
    text = page.read_text()
    assert "No phase was marked." in text
    assert "Tinted" not in text


def test_a_report_from_a_mark_on_is_of_that_time(db: Path) -> None:
    mark(db, "goal", "--at", iso(10))
    mark(db, "goal", "--at", iso(50))
    ran = run_here("report", "--db", db, "--since", "mark:goal", "--format", "json")
    assert [row["readings"] for row in json.loads(ran.stdout)] == [10, 10]
    ran = run_here("report", "--db", db, "--until", "mark:gaol")
    assert (ran.returncode, ran.stderr) == (
        2, "pulsoid-rec: There is no mark 'gaol' for --until. The latest are goal.\n",
    )  # fmt: skip


def test_a_mark_is_placed_by_what_was_received_when_it_was_made(tmp_path: Path) -> None:
    rows = [reading(second, 100, delay_s=7 * 86_400) for second in range(60)]  # a replay of last week
    path = make_recording(tmp_path / "a.duckdb", rows)
    mark(path, "one", "--phase", "--at", iso(7 * 86_400 + 20))
    assert [(row["phase"], row["readings"]) for row in by_phase(path)] == [(0, 20), (1, 40)]


def test_marks_of_imported_readings_are_by_their_own_time(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb")
    text = "".join(f"{(START + timedelta(seconds=second)).isoformat()},90\n" for second in range(60))
    (tmp_path / "old.csv").write_text(f"time,bpm\n{text}")
    run_here("import", tmp_path / "old.csv", "--db", path, "--room", "r1", "--member", "ann")
    mark(path, "one", "--phase", "--at", iso(20))
    assert [(row["phase"], row["readings"]) for row in by_phase(path)] == [(0, 20), (1, 40)]


def test_a_session_whose_marks_were_archived_has_its_phases(db: Path, tmp_path: Path) -> None:
    phases(db, (20, "one"))
    before = by_phase(db)
    archive_all(db, tmp_path / "archive")
    assert marked(db) == []
    assert by_phase(db) == before
    assert mark(db, "--undo").returncode == 0
    assert [row["phase"] for row in by_phase(db)] == [0, 0]


def test_only_the_summary_has_phases(db: Path, tmp_path: Path) -> None:
    ran = run_here("export", "--db", db, "--by-phase", "-o", tmp_path / "x.csv")
    assert (ran.returncode, "Add --table summary" in ran.stderr) == (2, True)
