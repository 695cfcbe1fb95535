"""Rejected messages: counted where the figures stand, by session, with the commonest reason."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from command import run_here
from recordings import at, make_recording, steady

import pulsoid_rec.analysis as pr
from pulsoid_rec.analysis.cli.report import report
from pulsoid_rec.analysis.cli.sessions import sessions
from pulsoid_rec.analysis.findings.report_data import read_report
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.members import SCHEMA as MEMBERS
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.analysis.reading.rejected import read_rejected
from pulsoid_rec.analysis.report.html import render_report
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.withheld import withheld_reason

YEAR = timedelta(days=365)
LONG = "`config` has more than 65,536 bytes; it has 70,000 bytes, of which the first 65,536 are kept"
OTHER_LONG = "`config` has more than 65,536 bytes; of 80,000 bytes the first 65,536 are kept"
# Room, seconds, reason. Room r1 has sessions from 0 s to 59 s and from 5,000 s to 5,029 s.
MESSAGES = [
    ("r1", -900, "it is not JSON: trailing characters (byte 1)"),
    ("r1", 30, "it is not JSON: trailing characters (byte 203)"),
    ("r1", 2400, LONG),
    ("r1", 2600, LONG),
    ("r1", 9000, OTHER_LONG),
    ("r1", 5001, "there is no kind '\x1b[2J'"),
    ("r2", 40, "`timestamp` is missing"),
    (None, 50, "a line of the journal that a crash cut off, or a disk damaged"),
]


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    readings = steady("ann", 120, 0, 60) + steady("ann", 130, 5000, 5030)
    path = make_recording(tmp_path_factory.mktemp("rejected") / "a.duckdb", readings)
    return add(path, MESSAGES)


def add(path: Path, messages: Sequence[tuple[str | None, float, str]]) -> Path:
    with duckdb.connect(path) as connection:
        for room, seconds, reason in messages:
            connection.execute("INSERT INTO rejected_messages VALUES (?, 'c1', ?, ?, '{')", [room, at(seconds), reason])
    return path


def counts(db: Path, **wanted: Any) -> dict[tuple[str | None, int | None], int]:
    found = read_rejected(Recording(db), Filter(**wanted), Definitions())
    return {(row["room_id"], row["session"]): row["messages"] for row in found.iter_rows(named=True)}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, {("r1", 1): 3, ("r1", 2): 3, ("r2", None): 1, (None, None): 1}),
        ({"session": "latest"}, {("r1", 2): 3}),  # r2 and the damaged line came before it
        ({"session": 1}, {("r1", 1): 3}),
        ({"rooms": ("r1",)}, {("r1", 1): 3, ("r1", 2): 3}),
        ({"rooms": ("r2",), "session": "latest"}, {("r2", None): 1}),
        ({"since": at(30), "until": at(5001)}, {("r1", 1): 2, ("r1", 2): 1, ("r2", None): 1, (None, None): 1}),
        ({"since": at(6000)}, {("r1", None): 1}),  # no session is selected, but they are not lost
    ],
)
def test_a_message_is_counted_in_the_session_that_is_nearest_by_its_receipt(
    db: Path, wanted: dict[str, Any], expected: dict[tuple[str | None, int | None], int]
) -> None:
    assert counts(db, **wanted) == expected


def test_a_room_of_another_year_counts_by_receipt_and_an_import_meanwhile_takes_none(tmp_path: Path) -> None:
    live = [row._replace(occurred_at=row.occurred_at - YEAR) for row in steady("ann", 120, 0, 60)]
    later = [row._replace(occurred_at=row.occurred_at - YEAR) for row in steady("ann", 120, 5000, 5030)]
    imported = [row._replace(occurred_at=row.occurred_at - 2 * YEAR, received_at=at(30)) for row in live]
    path = make_recording(tmp_path / "a.duckdb", live + later + [row._replace(profile_id="old") for row in imported])
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE heart_rate SET connection_id = 'import:1' WHERE profile_id = 'old'")
    add(path, [("r1", 20, "it is not JSON"), ("r1", 58, "it is not JSON"), ("r1", 5010, "it is not JSON")])
    assert counts(path) == {("r1", 1): 2, ("r1", 3): 1}


def test_a_line_damaged_since_the_latest_session_began_is_counted_with_it(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb", steady("ann", 130, 5000, 5030))
    assert counts(add(path, [(None, 5001, "damaged")]), session="latest") == {(None, None): 1}


def test_reasons_are_the_same_wherever_the_fault_is_and_however_long_the_message(db: Path) -> None:
    first, second, *_ = read_rejected(Recording(db), Filter(), Definitions()).rows(named=True)
    assert (first["reason"], first["of_reason"]) == ("it is not JSON: trailing characters", 2)
    assert (second["reason"], second["of_reason"]) == ("`config` has more than 65,536 bytes", 2)
    assert (second["first_at"], second["last_at"]) == (at(2600), at(9000))


Run = Callable[..., tuple[str, str]]


@pytest.fixture
def run(db: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def run(command: Callable[..., None], *, db: Path = db, **options: Any) -> tuple[str, str]:
        command(db=db, **options)
        return capfd.readouterr()

    return run


def test_the_table_has_a_note_and_rooms_without_a_session_a_line(run: Run) -> None:
    out, err = run(report, session="all")
    local = [f"{at(second).astimezone():%H:%M:%S}" for second in (-900, 2400)]
    assert (
        f"3 messages were rejected from {local[0]} to {local[1]}, and are in no figure (2 of them: it is not JSON:"
        " trailing characters)" in " ".join(out.split())
    )
    of_no_session, damaged = err.splitlines()
    assert of_no_session.endswith("1 message of room r2 was rejected, and is in no figure (`timestamp` is missing).")
    assert "1 message of an unknown room was rejected, and is in no figure (a line of the journal" in damaged


def test_beside_json_they_are_on_stderr_and_stdout_is_pure(run: Run) -> None:
    out, err = run(report, format_="json", room=["r1"])
    assert [row["session"] for row in json.loads(out)] == [2]
    assert err == (
        "pulsoid-rec: 3 messages of room r1, session 2, were rejected, and are in no figure (2 of them: `config` has"
        " more than 65,536 bytes).\n"
    )


def test_nothing_that_was_sent_controls_the_terminal(db: Path, tmp_path: Path, run: Run) -> None:
    path = add(make_recording(tmp_path / "b.duckdb"), [MESSAGES[5]])
    _, err = run(report, db=path)
    assert "there is no kind '\N{REPLACEMENT CHARACTER}[2J'" in err


def test_a_page_has_those_of_rooms_without_a_session_too(db: Path) -> None:
    nobody = pl.DataFrame(schema=MEMBERS)
    page = render_report(read_report(Recording(db), Filter(rooms=("r2",)), nobody, Definitions(), at_most=0))
    assert "1 message of room r2 was rejected, and is in no figure (`timestamp` is missing)." in page


def test_sessions_have_a_column_and_rooms_without_one_a_line(run: Run) -> None:
    out, err = run(sessions, format_="json")
    assert [(row["session"], row["readings"], row["rejected"]) for row in json.loads(out)] == [(1, 60, 3), (2, 30, 3)]
    assert "1 message of room r2 was rejected" in err
    out, _ = run(sessions, room=["r1"])
    assert [line.split()[-1] for line in out.splitlines() if " r1 " in f" {line} "] == ["3", "3"]


def test_a_recording_of_nothing_else_says_so(tmp_path: Path, run: Run) -> None:
    path = make_recording(tmp_path / "b.duckdb")
    add(path, [("r2", second, "it is empty") for second in range(500)])
    for command in (report, sessions):
        out, err = run(command, db=path, format_="json")
        assert out == "[]\n"
        assert "500 messages of room r2 were rejected, and are in no figure (it is empty)." in err
        assert "holds no readings yet" in err
    with pytest.raises(UsageError, match="There are no readings; 500 messages of room r2 were rejected"):
        pr.explore(path).notes()


def test_of_many_sessions_and_rooms_they_are_only_counted(tmp_path: Path, run: Run) -> None:
    starts = range(0, 60_000, 10_000)
    readings = [each for start in starts for each in steady("ann", 120, start, start + 5)]
    path = make_recording(tmp_path / "b.duckdb", readings)
    add(path, [("r1", start + 1, "it is empty") for start in starts])
    _, err = run(report, db=path, format_="json", session="all")
    assert err == "pulsoid-rec: 6 messages of 6 sessions were rejected, and are in no figure: `sessions` counts them.\n"
    add(path, [(f"room {number}", number, "it is empty") for number in range(20)])
    _, err = run(sessions, db=path)
    assert err == "pulsoid-rec: 20 messages of 20 rooms were rejected, and are in no figure.\n"


def test_notes_in_a_notebook_have_them_too(db: Path) -> None:
    notes = pr.explore(db).notes().filter(pl.col("kind").is_in(["rejected", "recording"]))
    assert [(row["room_id"], row["session"], row["kind"]) for row in notes.iter_rows(named=True)] == [
        (None, None, "recording"),
        (None, None, "recording"),
        ("r1", 1, "rejected"),
        ("r1", 2, "rejected"),
    ]


@pytest.fixture
def withheld(tmp_path: Path) -> Path:
    """Record a rejected message and counts of messages without consent, and a room of nothing else."""
    path = make_recording(tmp_path / "a.duckdb", steady("ann", 90, 0, 60))
    counts = [("r1", 1, 1, 1), ("r1", 11, 1200, 2), ("r1", 21, 99, 3), ("r2", 5, 7, 1)]
    with duckdb.connect(path) as connection:
        for room, seconds, messages, members in counts:
            reason = withheld_reason(messages, members)
            connection.execute("INSERT INTO rejected_messages VALUES (?, 'c1', ?, ?, '')", [room, at(seconds), reason])
        connection.execute("INSERT INTO rejected_messages VALUES ('r1', 'c1', ?, 'it is empty', '')", [at(2)])
    return path


@pytest.mark.parametrize("options", [(), ("--pseudonyms",)])
def test_messages_without_consent_are_counted_where_the_figures_stand(withheld: Path, options: tuple[str]) -> None:
    rows = read_rejected(Recording(withheld), Filter(), Definitions()).rows(named=True)
    numbers = [(row["room_id"], row["messages"], row["withheld"], row["withheld_members"]) for row in rows]
    assert numbers == [("r1", 1, 1300, 3), ("r2", 0, 7, 1)]
    done = run_here("report", "--db", withheld, *options)
    text = " ".join((done.stdout + done.stderr).split())
    assert "1,300 messages by members without consent (up to 3 members at a time) were not recorded, and are in" in text
    assert "1 message was rejected at" in text
    of_json = run_here("report", "--db", withheld, "--format", "json", *options)
    assert "1,300 messages of room" in of_json.stderr
    listed = run_here("sessions", "--db", withheld, "--format", "json", *options)
    assert [row["rejected"] for row in json.loads(listed.stdout)] == [1301]
    assert "1,300 messages of 1 session by members without consent were not recorded, and are in no" in listed.stderr
    assert "7 messages of room " in listed.stderr
    assert "by members without consent (up to 1 member at a time) were not recorded" in listed.stderr
