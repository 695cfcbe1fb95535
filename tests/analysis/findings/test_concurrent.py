"""A clock that is hours off makes a session of its member's readings alone: its member is named, and nobody else."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import duckdb
import hypothesis.strategies as st
import polars as pl
import pytest
from command import run_here
from hypothesis import given
from recordings import Reading, at, make_recording, reading, steady

from pulsoid_rec.analysis.findings.concurrent import find_concurrent
from pulsoid_rec.analysis.findings.notes import report_notes, session_notes
from pulsoid_rec.analysis.findings.report_data import ReportData, read_report
from pulsoid_rec.analysis.findings.session_view import session_views
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter, Which
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.analysis.reading.recording import NOBODY, Recording

WALKS = {"ada": 80, "bob": 100, "cy": 120, "dan": 140}
STEP_S = 600
MEANWHILE = (
    "Session {} of r1 was received at the same time as session {}: a clock is wrong, or readings came late;"
    " to see it, add --session {}"
)


def walking(member: str, seconds: Iterable[int], ahead_s: float = 0.0) -> list[Reading]:
    """Send readings at these seconds, stamped by a clock that is set by so much after `STEP_S`."""
    rows = [reading(second, WALKS[member] + second // 5 % 7, member) for second in seconds]
    moved = timedelta(seconds=ahead_s)
    return [row._replace(occurred_at=row.occurred_at + moved) if row.received_at > at(STEP_S) else row for row in rows]


def recorded(
    folder: Path, ahead_s: float, others: Iterable[int] = range(1200), ada: Iterable[int] = range(1200)
) -> Path:
    rows = walking("ada", ada, ahead_s) + walking("bob", others) + walking("cy", others)
    connected = [("r1", "c1", event, at(seconds), None, None) for event, seconds in (("opened", -5), ("closed", 1300))]
    return make_recording(folder / "a.duckdb", rows, connection_events=connected)


def read(path: Path, wanted: Filter) -> ReportData:
    return read_report(Recording(path), wanted, NOBODY, Definitions())


def texts(path: Path, wanted: Filter) -> dict[int, list[str]]:
    """Return the notes of each session."""
    return texts_of(read(path, wanted))


def texts_of(report: ReportData) -> dict[int, list[str]]:
    return {view.session: [note.text for note in session_notes(view)] for view in session_views(report)}


@pytest.fixture(scope="module", params=[-1, 1])
def hours(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, hours: int) -> Path:
    """Make a recording in whose middle the clock of ada is set by an hour."""
    return recorded(tmp_path_factory.mktemp("concurrent"), hours * 3600.0)


@pytest.fixture(scope="module")
def note(hours: int) -> str:
    return f"ada: the clock went {'back' if hours < 0 else 'forward'} by 1 h at 18:10"


NAMED = {1: MEANWHILE.format(2, 1, 2), 2: MEANWHILE.format(1, 2, 1)}


@pytest.mark.parametrize(
    ("wanted", "shown", "named"),
    [("latest", [2], [NAMED[2]]), (1, [1], [NAMED[1]]), (2, [2], [NAMED[2]]), ("all", [1, 2], [])],
)
def test_whichever_session_is_shown_the_clock_that_was_set_is_named_and_no_other(
    path: Path, note: str, wanted: Which, shown: list[int], named: list[str]
) -> None:
    report = read(path, Filter(session=wanted))
    assert texts_of(report) == {session: [note] for session in shown}
    assert report_notes(report) == named


@pytest.mark.parametrize("bounds", [(300, None), (None, 700), (300, 700), (60, 120)])
def test_a_range_of_time_blames_nobody_else(path: Path, note: str, hours: int, bounds: tuple[int, int]) -> None:
    for moved in (0, hours * 3600):
        since, until = (None if bound is None else at(bound + moved) for bound in bounds)
        for notes in texts(path, Filter(since=since, until=until)).values():
            assert notes == [note]


@pytest.mark.parametrize("member", ["ada", "bob"])
def test_one_members_readings_are_compared_with_those_of_all(path: Path, note: str, member: str) -> None:
    for notes in texts(path, Filter(members=(member,))).values():
        assert notes == ([note] if member == "ada" else [])


@pytest.mark.process  # the scripts of a page are put together by another process
def test_table_and_page_say_the_same_and_json_names_the_session(path: Path, note: str, tmp_path: Path) -> None:
    table = run_here("report", "--db", path, TZ="UTC")
    page = run_here("report", "--db", path, "--format", "html", "-o", tmp_path / "a.html", TZ="UTC")
    rows = run_here("report", "--db", path, "--format", "json", TZ="UTC")
    for text in (table.stdout, (tmp_path / "a.html").read_text()):
        assert note.removeprefix("ada: ") in text
        assert "recorder's clock" not in text
    for finished in (table, page, rows):
        assert finished.returncode == 0
        assert NAMED[2] in finished.stderr


def test_a_member_who_stays_alone_is_compared_with_those_who_were_there(tmp_path: Path, note: str, hours: int) -> None:
    path = recorded(tmp_path, hours * 3600.0, others=range(780))
    for session in (1, 2):
        assert texts(path, Filter(session=session)) == {session: [note]}


def test_two_whose_clocks_are_set_together_are_named_if_others_were_not(tmp_path: Path) -> None:
    rows = walking("ada", range(1200), -3600.0) + walking("bob", range(1200), -3600.0)
    path = make_recording(tmp_path / "a.duckdb", rows + walking("cy", range(1200)) + walking("dan", range(1200)))
    named = [f"{name}: the clock went back by 1 h at 18:10" for name in ("ada", "bob")]
    for session in (1, 2):
        assert texts(path, Filter(session=session)) == {session: named}


def test_an_outage_is_that_of_the_time_of_receipt_and_nobody_is_silent_in_it(
    tmp_path: Path, note: str, hours: int
) -> None:
    heard = [*range(700), *range(900, 1200)]
    path = recorded(tmp_path, hours * 3600.0, heard, heard)
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE connection_events SET changed_at = ? WHERE event = 'closed'", [at(700.05)])
        for event, seconds in (("opened", 900.05), ("closed", 1300)):
            row = ["r1", "c2", event, at(seconds)]
            connection.execute("INSERT INTO connection_events VALUES (?, ?, ?, ?, NULL, NULL)", row)
        # An update of one who sends readings, but not in this session.
        row = ["r1", "bob", "updated", at(1000), at(1000)]
        connection.execute("INSERT INTO member_events VALUES (?, ?, ?, NULL, NULL, ?, ?, 'c2')", row)
    outage = "the recorder was offline from 18:11:40 to 18:15:00 (3 min 20 s)"
    for session in (1, 2):
        found = texts(path, Filter(session=session))[session]
        assert [text for text in found if "readings cover" not in text] == [note, outage]


def test_a_clock_that_is_more_than_a_day_off_makes_nobody_early_or_silent(tmp_path: Path) -> None:
    path = recorded(tmp_path, 25 * 3600.0)
    assert texts(path, Filter()) == {
        1: [
            "ada: last timely reading 10 min before the others",
            "ada: 600 readings whose time is 1 d 1 h ahead of their arrival, left out",
        ]
    }
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE heart_rate SET occurred_at = received_at WHERE received_at > ?", [at(900)])
    assert texts(path, Filter())[1][0] == (
        "ada: no timely reading from 18:09:59 to 18:15:00 while the recorder was listening"
    )


def test_an_import_is_received_at_no_time_of_its_own(tmp_path: Path) -> None:
    path = recorded(tmp_path, -3600.0)
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE heart_rate SET connection_id = 'import:1' WHERE occurred_at < ?", [at(-1)])
    assert report_notes(read(path, Filter(session="latest"))) == []
    assert texts(path, Filter(session="latest")) == {2: []}


def test_readings_of_other_times_are_not_read(tmp_path: Path) -> None:
    later = make_recording(tmp_path / "a.duckdb", steady("ada", 90, 0, 120) + steady("bob", 90, 5000, 8000))
    windows = read(later, Filter(session="latest")).checks.windows
    assert windows["session"].unique().to_list() == [2]
    quarter = at(7200)
    windows = read(later, Filter(session=2, since=quarter + timedelta(minutes=2))).checks.windows
    assert windows.filter(pl.col("first_received_at") < quarter).is_empty()


RECEIVED = st.lists(
    st.tuples(st.sampled_from(["r1", "r2"]), st.integers(0, 9), st.integers(0, 4), st.booleans(), st.booleans()),
    max_size=12,
)


@given(drawn=RECEIVED)
def test_concurrent_sessions_are_those_that_overlap_in_receipt(drawn: list[tuple[str, int, int, bool, bool]]) -> None:
    rows = [(room, n, at(first), at(first + length)) for n, (room, first, length, _, _) in enumerate(drawn)]
    schema = {"room_id": pl.String(), "session": pl.Int64(), "first_received_at": INSTANT, "last_received_at": INSTANT}
    recorded = pl.DataFrame(rows, schema, orient="row")
    shown, imported = ([row for row, choice in zip(rows, drawn, strict=True) if choice[i]] for i in (3, 4))
    keys = pl.DataFrame(imported, schema, orient="row").select("room_id", "session")
    found = find_concurrent(recorded, pl.DataFrame(shown, schema, orient="row"), keys)
    allowed = {
        (room, session): {other for of, other, begun, ended in shown if of == room and begun < last and ended > first}
        - {other for _, other, *_ in imported}
        for room, session, first, last in rows
        if not any(session == other for _, other, *_ in (*shown, *imported))
    }
    assert [key for key, others in sorted(allowed.items()) if others] == [row[:2] for row in found.iter_rows()]
    assert all(of in allowed[room, session] for room, session, of in found.iter_rows())
