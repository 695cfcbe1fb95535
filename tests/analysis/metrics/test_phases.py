"""Tests of phases: what marks divide sessions into, and that figures by phase are those of a range of time."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import duckdb
import oracle
import polars as pl
import pytest
from drawn_readings import ROWS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recordings import Reading, append_readings, at, make_recording, open_for_examples, steady

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.members import SCHEMA as MEMBERS
from pulsoid_rec.analysis.metrics.members import describe_members
from pulsoid_rec.analysis.metrics.phases import (
    PLACED_MARKS,
    find_phases,
    marks_that_count,
    phases_at,
    place_marks,
    select_marks,
)
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.analysis.metrics.summary import summarize
from pulsoid_rec.analysis.reading.pipeline import read_recovery, read_tally, select
from pulsoid_rec.analysis.reading.room_leads import ROOM_LEADS

PEOPLE = {
    "ann": oracle.Person(name="Ann", hr_max=187.5, hr_rest=55, sex="female"),
    "bob": oracle.Person(birth_year=1990, sex="male", hr_rest=60),
}
KNOWN = pl.DataFrame(
    [(id_, p.name, p.birth_year, p.sex, p.hr_max, p.hr_rest) for id_, p in PEOPLE.items()], MEMBERS, orient="row"
)
NO_NAMES = pl.DataFrame(schema={"room_id": pl.String, "profile_id": pl.String, "config_name": pl.String})
ADDITIVE = [
    "readings",
    "duplicates",
    "implausible",
    "untimely",
    "gaps",
    "observed_s",
    "trimp_edwards",
    "trimp_banister",
]
ADDITIVE += [f"zone{zone}_s" for zone in range(6)]


def sessions(*ranges: tuple[float, float], room: str = "r1") -> pl.DataFrame:
    rows = [(room, number, at(begin), at(end)) for number, (begin, end) in enumerate(ranges, 1)]
    schema = {"room_id": pl.String(), "session": pl.Int64(), "started_at": INSTANT, "ended_at": INSTANT}
    return pl.DataFrame(rows, schema, orient="row")


def marks(*rows: tuple[float, str, str], room: str = "r1") -> pl.DataFrame:
    """Rows of the table `marks`: seconds after the start, kind and label, which is the id too."""
    full = [(room, None, label, kind, at(second), label, "cli") for second, kind, label in rows]
    names = ("room_id", "profile_id", "label", "kind", "marked_at", "mark_id", "source")
    types = {name: pl.String() if name != "marked_at" else INSTANT for name in names}
    return pl.DataFrame(full, types, orient="row")


def place(rows: pl.DataFrame, of: pl.DataFrame, lead_s: float | None = None) -> pl.DataFrame:
    leads = [] if lead_s is None else [("r1", 10, round(lead_s * 1e6))]
    frame = pl.DataFrame(leads, ROOM_LEADS, orient="row")
    return place_marks(rows.with_columns(quarter=pl.lit(12, pl.Int64)), frame, of, Definitions())


def spans(phases: pl.DataFrame) -> list[Any]:
    return phases.select("session", "phase", "phase_label", "started_at", "ended_at").rows()


AFTER = timedelta(microseconds=1)


def test_undone_marks_do_not_count_and_a_mark_that_is_there_twice_counts_once() -> None:
    rows = marks((5, "mark", "b"), (3, "mark", "a"), (5, "mark", "b"), (7, "mark", "c"), (8, "undo", "c"))
    assert marks_that_count(rows)["label"].to_list() == ["a", "b"]
    elsewhere = marks((9, "undo", "a"), room="r2")
    assert marks_that_count(pl.concat([rows, elsewhere]))["label"].to_list() == ["a", "b"]


def test_a_mark_is_moved_by_the_lead_of_its_room_and_stays_without_one() -> None:
    found = place(marks((100, "mark", "a")), sessions((0, 200)), lead_s=-2.5)
    assert found["occurred_at"].to_list() == [at(97.5)]
    assert place(marks((100, "mark", "a")), sessions((0, 200)))["occurred_at"].to_list() == [at(100)]


def test_a_mark_is_of_a_session_if_no_silence_that_ends_one_lies_between() -> None:
    of = sessions((0, 100), (5000, 6000))
    rows = marks(*((second, "mark", str(second)) for second in (-901, -900, 1000, 1001, 4099, 4100, 5500, 6900, 6901)))
    found = place(rows, of)
    assert found.select("session", "label").rows() == [
        (1, "-900"), (1, "1000"), (2, "4100"), (2, "5500"), (2, "6900"),
    ]  # fmt: skip


def test_phases_go_from_mark_to_mark_and_to_the_end_of_the_session() -> None:
    of = sessions((0, 100), (5000, 6000))
    rows = marks((20, "phase", "one"), (30, "mark", "goal"), (60, "phase", "two"), (5500, "phase", "three"))
    assert spans(find_phases(place(rows, of), of)) == [
        (1, 0, None, at(0), at(20)),
        (1, 1, "one", at(20), at(60)),
        (1, 2, "two", at(60), at(100) + AFTER),
        (2, 0, None, at(5000), at(5500)),
        (2, 1, "three", at(5500), at(6000) + AFTER),
    ]


def test_of_phases_before_the_session_the_last_is_on_at_its_start_and_those_after_it_are_none() -> None:
    of = sessions((0, 100))
    rows = marks((-50, "phase", "early"), (-5, "phase", "warm-up"), (0, "mark", "x"), (101, "phase", "late"))
    assert spans(find_phases(place(rows, of), of)) == [(1, 1, "warm-up", at(0), at(100) + AFTER)]


def test_a_phase_that_ends_at_once_is_none_and_one_at_the_last_reading_has_it() -> None:
    of = sessions((0, 100))
    rows = marks((20, "phase", "a"), (20, "phase", "b"), (100, "phase", "c"))
    assert spans(find_phases(place(rows, of), of))[1:] == [
        (1, 1, "b", at(20), at(100)),
        (1, 2, "c", at(100), at(100) + AFTER),
    ]


def test_without_marks_a_session_is_one_phase_without_a_label() -> None:
    of = sessions((0, 100))
    assert spans(find_phases(pl.DataFrame(schema=PLACED_MARKS), of)) == [(1, 0, None, at(0), at(100) + AFTER)]


def test_the_phase_of_an_instant_is_the_one_that_began_last() -> None:
    of = sessions((0, 100))
    phases = find_phases(place(marks((20, "phase", "a")), of), of)
    for second, expected in ((-9, 0), (19.999_999, 0), (20, 1), (500, 1)):
        assert phases_at(phases, round(at(second).timestamp() * 1e6))["phase"].to_list() == [expected]


def test_marks_are_selected_by_session_member_and_range() -> None:
    of = sessions((0, 100))
    rows = marks((10, "mark", "a"), (20, "mark", "b"), (30, "mark", "c")).with_columns(
        profile_id=pl.Series(["ann", "bob", None])
    )
    placed = place(rows, of)
    assert select_marks(placed, Filter(since=at(20), until=at(30)), of)["label"].to_list() == ["b"]
    assert select_marks(placed, Filter(members=("ann",)), of)["label"].to_list() == ["a", "c"]
    assert select_marks(placed, Filter(), of.clear()).is_empty()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[duckdb.DuckDBPyConnection]]:
    with open_for_examples(make_recording(tmp_path_factory.mktemp("phases") / "scratch.duckdb")) as opened:
        yield opened


def summaries(
    connection: duckdb.DuckDBPyConnection, rows: list[Reading], cuts: list[datetime], slice_rows: int, tally_rows: int
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return phases that begin at these instants, the summary by phase, and that of whole sessions."""
    connection.execute("TRUNCATE heart_rate")
    append_readings(connection, rows)
    selection = select(connection, Filter(), Definitions(), slice_rows)
    marked = [
        (room, session, None, f"phase {number}", "phase", cut, cut, f"m{number}", "cli")
        for room, session in selection.sessions.select("room_id", "session").rows()
        for number, cut in enumerate(cuts)
    ]
    phases = find_phases(pl.DataFrame(marked, PLACED_MARKS, orient="row"), selection.sessions)
    starts = selection.sessions.select("room_id", "session", "started_at")
    people = describe_members(selection.present.join(starts, on=["room_id", "session"]), NO_NAMES, KNOWN)
    by_phase = summarize(
        read_tally(selection, tally_rows, phases), people, read_recovery(selection, people, phases), phases
    )
    whole = summarize(read_tally(selection), people, read_recovery(selection, people))
    return phases, by_phase, whole


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    rows=ROWS,
    cuts=st.lists(st.one_of(st.integers(-10, 400).map(at), st.integers(0, 90_000).map(at)), max_size=4),
    slices=st.sampled_from([1, 2, 5]),
    tally_rows=st.sampled_from([1, 10**6]),
)
def test_each_phase_equals_the_oracle_of_its_time_and_they_add_up_to_the_session(
    scratch: list[duckdb.DuckDBPyConnection], rows: list[Reading], cuts: list[datetime], slices: int, tally_rows: int
) -> None:
    phases, by_phase, whole = summaries(scratch[0], rows, cuts, max(1, len(rows) // slices), tally_rows)
    in_phase = dict(oracle_by_phase(rows, phases))
    found = {(r["room_id"], r["session"], r["profile_id"], r["phase"]): r for r in by_phase.iter_rows(named=True)}
    assert found.keys() == in_phase.keys()
    for key, row in found.items():
        for column, value in in_phase[key].items():
            if isinstance(value, float):
                assert row[column] == pytest.approx(value, rel=1e-9, abs=1e-9), (key, column)
            else:
                assert row[column] == value, (key, column)
    member = ["room_id", "session", "profile_id"]
    total = by_phase.group_by(member).agg(pl.col(ADDITIVE).sum()).sort(member)
    expected = whole.select(*member, pl.col(ADDITIVE).fill_null(0)).sort(member)
    assert total.select(member).equals(expected.select(member))
    for column in ADDITIVE:
        assert total[column].to_list() == pytest.approx(expected[column].to_list(), rel=1e-12), column


def oracle_by_phase(rows: list[Reading], phases: pl.DataFrame) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Summarize the time of each phase, which begins with all that is before the session, by the oracle alone."""
    for room, session, phase, _, begin, end in phases.iter_rows():
        of_session = phases.filter((pl.col("room_id") == room) & (pl.col("session") == session))
        since = None if phase == of_session["phase"].min() else begin
        until = None if phase == of_session["phase"].max() else end
        for key, row in oracle.summarize(rows, oracle.Rules(), PEOPLE, since, until).items():
            if key[:2] == (room, session):
                yield (*key, phase), row


def test_a_hold_and_a_gap_over_a_phases_end_are_of_the_phase_in_which_they_begin(
    scratch: list[duckdb.DuckDBPyConnection],
) -> None:
    rows = [*steady("ann", 100, 0, 10), *steady("ann", 120, 13, 20), *steady("ann", 140, 40, 50)]
    _, by_phase, _ = summaries(scratch[0], rows, [at(11), at(30)], 100, 10**6)
    assert by_phase.select("phase", "observed_s", "gaps", "bpm_mean").rows() == [
        (0, 13.0, 0, 100.0),
        (1, 11.0, 1, 120.0),
        (2, 9.0, 0, 140.0),
    ]
