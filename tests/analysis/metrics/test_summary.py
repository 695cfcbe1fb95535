"""The summary equals the oracle's, whatever the rows, their order, the filter, and the size of the slices."""

import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import hypothesis.strategies as st
import oracle
import polars as pl
import pytest
from drawn_readings import ROWS
from hypothesis import HealthCheck, given, settings
from recordings import (
    MATCHES,
    Reading,
    append_readings,
    at,
    make_recording,
    match_readings,
    open_for_examples,
    reading,
    readings_frame,
    steady,
)
from reference_tally import tally_readings

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.holds import hold_readings, sort_and_deduplicate
from pulsoid_rec.analysis.metrics.members import SCHEMA as MEMBERS
from pulsoid_rec.analysis.metrics.members import describe_members
from pulsoid_rec.analysis.metrics.recovery import SCHEMA as RECOVERY
from pulsoid_rec.analysis.metrics.sessions import list_sessions, number_stretches
from pulsoid_rec.analysis.metrics.summary import SCHEMA, summarize
from pulsoid_rec.analysis.metrics.time_at_bpm import add_tallies
from pulsoid_rec.analysis.reading.pipeline import TALLY_ROWS, read_recovery, read_tally, select
from pulsoid_rec.analysis.reading.recording import Recording

PEOPLE = {
    "ann": oracle.Person(name="Ann", hr_max=187.5, hr_rest=55, sex="female"),
    "bob": oracle.Person(birth_year=1990, sex="male", hr_rest=60),
    "cid": oracle.Person(sex="male", hr_rest=60),
}
NO_NAMES = pl.DataFrame(schema={"room_id": pl.String, "profile_id": pl.String, "config_name": pl.String})
EXACT = {"span_s", "observed_s", "longest_gap_s", "hr_max", *(f"zone{zone}_s" for zone in range(6))}


def members_frame(people: dict[str, oracle.Person]) -> pl.DataFrame:
    rows = [(id_, p.name, p.birth_year, p.sex, p.hr_max, p.hr_rest) for id_, p in people.items()]
    return pl.DataFrame(rows, schema=MEMBERS, orient="row")


def assert_equal(summary: pl.DataFrame, expected: dict[oracle.Key, dict[str, Any]]) -> None:
    """Compare every column of every row; floats to nine digits, since their sums are added up in another order."""
    assert summary.schema == SCHEMA
    rows = {(row["room_id"], row["session"], row["profile_id"]): row for row in summary.iter_rows(named=True)}
    assert rows.keys() == expected.keys()
    for key, row in rows.items():
        assert row.keys() == expected[key].keys() | {"room_id", "session", "profile_id"}
        for column, value in expected[key].items():
            if isinstance(value, float) and column not in EXACT and row[column] is not None:
                assert math.isclose(row[column], value, rel_tol=1e-9, abs_tol=1e-9), (key, column, row[column], value)
            else:
                assert row[column] == value, (key, column, row[column], value)


def summarize_in_slices(
    connection: duckdb.DuckDBPyConnection,
    wanted: Filter,
    definitions: Definitions,
    slice_rows: int,
    tally_rows: int = TALLY_ROWS,
) -> pl.DataFrame:
    selection = select(connection, wanted, definitions, slice_rows)
    starts = selection.sessions.select("room_id", "session", "started_at")
    present = selection.present.join(starts, on=["room_id", "session"])
    people = describe_members(present, NO_NAMES, members_frame(PEOPLE))
    tally = read_tally(selection, tally_rows)
    return summarize(tally, people, read_recovery(selection, people, tally))


DEFINITIONS = st.one_of(
    st.just(Definitions()),
    st.builds(
        Definitions,
        max_hold_s=st.sampled_from([1.0, 2.5, 60.0, 2000.0]),
        min_bpm=st.sampled_from([0, 30, 70]),
        max_bpm=st.sampled_from([120, 230]),
        session_gap_s=st.sampled_from([1.0, 60.0, 7200.0]),
        max_clock_error_s=st.sampled_from([86_400.0, 3600.0, 1.0, 1e12]),
    ),
)
INSTANTS = st.one_of(st.none(), st.integers(-10, 2000).map(at), st.integers(0, 90_000).map(at))


def rules(definitions: Definitions) -> oracle.Rules:
    return oracle.Rules(
        round(definitions.max_hold_s * 1e6),
        definitions.min_bpm,
        definitions.max_bpm,
        round(definitions.session_gap_s * 1e6),
        round(definitions.max_clock_error_s * 1e6),
    )


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[duckdb.DuckDBPyConnection]]:
    with open_for_examples(make_recording(tmp_path_factory.mktemp("summary") / "scratch.duckdb")) as opened:
        yield opened


def holding(scratch: list[duckdb.DuckDBPyConnection], rows: list[Reading]) -> duckdb.DuckDBPyConnection:
    """Give the recording, with these rows and no others."""
    [connection] = scratch
    connection.execute("TRUNCATE heart_rate")
    append_readings(connection, rows)
    return connection


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    rows=ROWS,
    definitions=DEFINITIONS,
    slices=st.sampled_from([1, 2, 5, 16]),
    bounds=st.tuples(INSTANTS, INSTANTS),
)
def test_summary_equals_the_oracle_whatever_the_rows_their_order_and_the_slices(
    scratch: list[duckdb.DuckDBPyConnection],
    rows: list[Reading],
    definitions: Definitions,
    slices: int,
    bounds: tuple[datetime | None, datetime | None],
) -> None:
    since, until = bounds
    if since is not None and until is not None and since >= until:
        until = None
    connection = holding(scratch, rows)
    wanted = Filter(since=since, until=until)
    summary = summarize_in_slices(connection, wanted, definitions, max(1, len(rows) // slices))
    assert_equal(summary, oracle.summarize(rows, rules(definitions), PEOPLE, since, until))


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=ROWS, cut=st.integers(-10, 2000).map(at))
def test_counts_and_times_of_adjoining_ranges_add_up(
    scratch: list[duckdb.DuckDBPyConnection], rows: list[Reading], cut: datetime
) -> None:
    columns = ["observed_s", "readings", "duplicates", "implausible", "gaps"]
    connection = holding(scratch, rows)
    wholes, *parts = (
        summarize_in_slices(connection, wanted, Definitions(), max(1, len(rows) // 2))
        .group_by("room_id", "session", "profile_id")
        .agg(pl.col(columns).sum())
        for wanted in (Filter(), Filter(until=cut), Filter(since=cut))
    )
    added = pl.concat(parts).group_by("room_id", "session", "profile_id").agg(pl.col(columns).sum().round(6))
    key = ["room_id", "session", "profile_id"]
    assert added.sort(key).equals(wholes.with_columns(pl.col("observed_s").round(6)).sort(key))


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=ROWS)
def test_steps_can_be_called_alone_on_readings_in_memory(rows: list[Reading]) -> None:
    timely, _ = oracle.tell_apart(rows, oracle.Rules())
    readings = readings_frame(timely)
    received = dict.fromkeys(["first_received_at", "last_received_at"], "received_at")
    stretches = readings.with_columns(first_at="occurred_at", last_at="occurred_at", readings=1, **received)
    numbered = number_stretches(stretches, Definitions().session_gap_us)
    sessions = list_sessions(numbered)
    tidy, duplicates = sort_and_deduplicate(numbered.select("session", *readings.columns))
    tally = add_tallies([tally_readings(hold_readings(tidy, Definitions()), duplicates)])
    starts = sessions.select("room_id", "session", "started_at")
    present = numbered.select("room_id", "session", "profile_id").unique().join(starts, on=["room_id", "session"])
    people = describe_members(present, NO_NAMES, members_frame(PEOPLE))
    summary = summarize(tally, people, pl.DataFrame(schema=RECOVERY)).drop("hrr60")
    expected = oracle.summarize(timely, oracle.Rules(), PEOPLE)
    assert_equal(
        summary.with_columns(hrr60=pl.lit(None, pl.Float64)), {k: v | {"hrr60": None} for k, v in expected.items()}
    )


def test_sessions_keep_their_numbers_whatever_is_filtered(tmp_path: Path) -> None:
    readings = [row for hour in range(4) for row in steady("ann", 80 + hour, 3600 * hour, 3600 * hour + 30)]
    recording = Recording(make_recording(tmp_path / "a.duckdb", readings))
    assert recording.sessions()["session"].to_list() == [1, 2, 3, 4]
    assert recording.summary(Filter(session=3))["session"].to_list() == [3]
    assert recording.summary(Filter(since=at(7000)))["session"].to_list() == [3, 4]
    assert recording.summary(Filter(session="latest"))["session"].to_list() == [4]
    assert recording.summary(Filter(session="latest", until=at(7000)))["session"].to_list() == [2]


def test_latest_is_each_rooms_own(tmp_path: Path) -> None:
    readings = steady("ann", 80, 0, 9, "r1") + steady("ann", 80, 5000, 5009, "r1") + steady("ann", 80, 0, 9, "r2")
    recording = Recording(make_recording(tmp_path / "a.duckdb", readings))
    sessions = recording.sessions(Filter(session="latest"))
    assert sessions.select("room_id", "session").rows() == [("r1", 2), ("r2", 1)]


def test_summary_of_nothing_has_all_columns_and_no_rows(tmp_path: Path) -> None:
    recording = Recording(make_recording(tmp_path / "a.duckdb"))
    summary = recording.summary()
    assert summary.is_empty()
    assert summary.schema == SCHEMA


def test_summary_is_ordered_by_room_session_and_name(tmp_path: Path) -> None:
    readings = [reading(0, 80, id_, room) for id_ in ("x1", "x2", "x3") for room in ("r2", "r1")]
    events = [["r1", "x1", "updated", '{"name": "Zoe"}', at(0), at(0), "c"]]
    summary = Recording(make_recording(tmp_path / "a.duckdb", readings, member_events=events)).summary()
    assert summary.select("room_id", "name").rows() == [
        *(("r1", name) for name in ("Zoe", "x2", "x3")),
        *(("r2", name) for name in ("x1", "x2", "x3")),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("match", MATCHES)
def test_summary_of_a_match_equals_the_oracle(tmp_path: Path, match: str) -> None:
    rows = match_readings(match)
    people = {"player_0": oracle.Person(hr_max=150.0, hr_rest=60, sex="male"), "player_2": oracle.Person(hr_max=160.5)}
    path = make_recording(tmp_path / "match.duckdb", reversed(rows))
    summary = Recording(path).summary(members=members_frame(people))
    assert_equal(summary, oracle.summarize(rows, oracle.Rules(), people))


@pytest.mark.slow
def test_recovery_is_found_wherever_slices_are_cut(scratch: list[duckdb.DuckDBPyConnection]) -> None:
    rows = [
        reading(second + shift, bpm + shift // 20, member)
        for member, shift in (("ann", 0), ("bob", 37), ("cid", 50))
        for cycle in range(4)
        for start, end, bpm in ((0, 150, 160 + 5 * cycle), (150, 200, 120), (200, 260, 90))
        for second in range(cycle * 260 + start, cycle * 260 + end)
    ]
    connection = holding(scratch, rows)
    for since, until in ((None, None), (at(160), at(667)), (at(400), at(420)), (at(150 - 1), at(150 - 0.5))):
        expected = oracle.summarize(rows, oracle.Rules(), PEOPLE, since, until)
        assert [row["hrr60"] is not None for row in expected.values()] != [False] * 3 or since == at(400)
        for slices in (1, 2, 3, 7, 20, 61):
            wanted = Filter(since=since, until=until)
            summary = summarize_in_slices(connection, wanted, Definitions(), len(rows) // slices, tally_rows=1)
            assert_equal(summary, expected)
