"""Which marks, members and clocks a result is of, read from real recordings."""

from dataclasses import replace
from pathlib import Path

import duckdb
import polars as pl
import pytest
from command import run_here
from recordings import START, Reading, at, make_recording, reading

from pulsoid_rec.analysis.group.mark_windows import Window
from pulsoid_rec.analysis.group.response_frame import RESULT, result_frame
from pulsoid_rec.analysis.group.response_reading import parse_window, read_responses
from pulsoid_rec.analysis.group.response_result import Responses
from pulsoid_rec.analysis.group.response_words import describe_finding, describe_notes
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.reading.pseudonyms import Pseudonyms
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.errors import UsageError

DELAY_S = 3.0
STEPS = {"ann": (100, 300, 500), "bob": (200, 300)}
"""Seconds at which each heart rate rises by 10 bpm, for 20 s."""


def rising(member: str, length_s: int = 700, room: str = "r1", begin_s: int = 0) -> list[Reading]:
    return [
        reading(begin_s + s, 80 + 10 * any(0 <= s - step < 20 for step in STEPS[member]), member, room, DELAY_S)
        for s in range(length_s)
    ]


def marked(path: Path, *marks: tuple[float, str, str | None], room: str = "r1") -> None:
    """Insert marks as made at these seconds by the readings' clock: by the recorder's they were as much later."""
    with duckdb.connect(path) as connection:
        for number, (second, label, who) in enumerate(marks):
            row = [room, who, label, "mark", at(second + DELAY_S), f"m{room}{number}", "cli"]
            columns = "room_id, profile_id, label, kind, marked_at, mark_id, source"
            connection.execute(f"INSERT INTO marks ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two members; marks of one, of the room, of somebody else, at the edge; and a second session."""
    rows = [*rising("ann"), *rising("bob"), *rising("ann", begin_s=5000)]
    path = make_recording(tmp_path_factory.mktemp("responses") / "a.duckdb", rows)
    own = [(100.2, "up", "ann"), (500.4, "up", "ann"), (200, "up", "bob"), (300, "up", None)]
    marked(path, *own, (250, "up", "cid"), (5, "up", None), (5100, "up", "ann"), (400, "other", None))
    return path


def read(path: Path, label: str = "up", wanted: Filter | None = None, hidden: Pseudonyms | None = None) -> Responses:
    recording = Recording(path, pseudonyms=hidden)
    return read_responses(recording, label, wanted or Filter(), Definitions(), window=Window())


def test_marks_are_of_their_member_or_of_all_and_lie_on_the_clock_of_the_readings(db: Path) -> None:
    found = read(db)
    assert (found.sessions, found.marks, found.used_marks, found.absent) == (2, 7, 5, 1)
    windows = {row["name"]: tuple(row.values())[2:] for row in found.members.iter_rows(named=True)}
    assert windows == {"ann": (5, 4, 1, 0), "bob": (3, 2, 1, 0)}  # that at second 5 is left out
    assert found.lag_s == DELAY_S
    for who in ("ann", "bob", None):
        of = found.course.filter(pl.col("profile_id").eq_missing(pl.lit(who)))
        change = dict(of.select("second", "change_bpm").iter_rows())
        assert [change[s] for s in (-30, -1, 0, 1, 19, 20, 60)] == [0, 0, 10, 10, 10, 0, 0], who
    assert found.p is not None
    assert found.farthest is not None
    assert found.farthest["change_bpm"] == 10
    notes = " ".join(describe_notes(found))
    for text in ("2 marks of 7 could not", "2 windows of 8 left out", "1 mark left out", "received 3.0 s (median)"):
        assert text in notes
    assert f"p = {found.p:.3f}" in describe_finding(found)
    for p, is_chance in ((0.049, False), (0.05, True)):
        assert describe_finding(replace(found, p=p)).startswith("No more than chance gives. ") == is_chance


def test_a_filter_chooses_sessions_members_and_time(db: Path) -> None:
    assert read(db, wanted=Filter(session=2)).members["used"].to_list() == [1]
    bob = read(db, wanted=Filter(members=("bob",)))
    assert (bob.marks, bob.members["name"].to_list()) == (3, ["bob"])
    # A window reaches no further than the range.
    ranged = read(db, wanted=Filter(since=at(150), until=at(350)))
    assert (ranged.marks, ranged.members["used"].to_list()) == (3, [0, 1])


def test_one_used_mark_has_figures_and_a_reason_for_no_p(db: Path) -> None:
    found = read(db, wanted=Filter(session=2))
    assert found.p is None
    assert found.mean["change_bpm"].null_count() == 0
    assert found.mean["low_bpm"].null_count() == found.mean.height
    assert describe_finding(found) == "Only 1 mark could be used: an interval and a test need at least 2."
    row = result_frame(found)
    assert row.schema == RESULT
    assert row["p"].to_list() == [None]
    outside = read(db, wanted=Filter(session=1, until=START.replace(minute=1)))
    assert describe_finding(outside).startswith("No mark could be used")


def test_a_label_that_does_not_exist_lists_those_that_do(db: Path) -> None:
    with pytest.raises(UsageError, match="There is no mark 'goal'") as raised:
        read(db, "goal")
    assert raised.value.hint == "The latest are up, other."
    with pytest.raises(UsageError) as raised:
        read(db, "other", Filter(session=2))
    assert raised.value.hint == "The latest are up."


def test_pseudonyms_stand_for_ids_and_label_and_figures_are_the_same(db: Path) -> None:
    hidden = read(db, hidden=Pseudonyms(b"k" * 32, shift_times=True))
    assert "up" not in hidden.label
    assert not {"ann", "bob"} & {*hidden.course["name"], *hidden.course["profile_id"]}
    assert hidden.mean.equals(read(db).mean)
    assert hidden.p == read(db).p


def test_imported_marks_and_readings_are_on_one_clock(tmp_path: Path) -> None:
    rows = ["time,member,bpm", *(f"{row.occurred_at.isoformat()},ann,{row.bpm}" for row in rising("ann"))]
    (tmp_path / "rows.csv").write_text("\n".join(rows), encoding="utf-8")
    marks = ["time,label,room", *(f"{at(second).isoformat()},up,gym" for second in STEPS["ann"])]
    (tmp_path / "marks.csv").write_text("\n".join(marks), encoding="utf-8")
    path = tmp_path / "a.duckdb"
    assert run_here("import", tmp_path / "rows.csv", "--room", "gym", "--db", path).returncode == 0
    assert run_here("mark", "--from", tmp_path / "marks.csv", "--db", path).returncode == 0
    found = read(path)
    assert (found.used_marks, found.lag_s) == (3, None)
    assert found.mean.filter(pl.col("second").is_in([-1, 0]))["change_bpm"].to_list() == [0, 10]
    assert "clock of the imported readings" in describe_notes(found)[-1]


@pytest.mark.parametrize(
    "values", [(0, 60, (-30, -5)), (30, 601, (-30, -5)), (30, 60, (-31, -5)), (30, 60, (-5, -30)), (30, 60, (-30, 1))]
)
def test_a_window_needs_a_baseline_before_the_mark(values: tuple[int, int, tuple[int, int]]) -> None:
    with pytest.raises(UsageError):
        parse_window(*values)
