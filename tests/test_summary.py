"""The summary equals the oracle's, whatever the rows, their order, the filter, and the size of the slices."""

import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import hypothesis.strategies as st
import oracle
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from recordings import MATCHES, START, Reading, append_readings, at, make_recording, match_readings, reading, steady

from analysis.activity import Spans
from analysis.definitions import Definitions
from analysis.filters import Filter
from analysis.holds import hold_readings, tidy_readings
from analysis.members import SCHEMA as MEMBERS
from analysis.members import describe_members
from analysis.pipeline import read_recovery, read_tally, select
from analysis.recording import Recording
from analysis.recovery import SCHEMA as RECOVERY
from analysis.sessions import list_sessions, number_stretches
from analysis.summary import SCHEMA, summarize
from analysis.time_at_bpm import add_tallies, tally_readings

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
    connection: duckdb.DuckDBPyConnection, wanted: Filter, definitions: Definitions, slice_rows: int
) -> pl.DataFrame:
    selection = select(connection, wanted, definitions)
    starts = selection.sessions.select("room_id", "session", "started_at")
    present = selection.members.drop("key").join(starts, on=["room_id", "session"])
    people = describe_members(present, NO_NAMES, members_frame(PEOPLE))
    tally = read_tally(connection, selection, slice_rows)
    return summarize(tally, people, read_recovery(connection, selection, people, slice_rows))


ROOMS = st.sampled_from(["r1", "r2"])
IDS = st.sampled_from(["ann", "bob", "cid"])
BPMS = st.one_of(st.integers(55, 190), st.sampled_from([0, 29, 30, 230, 231, 900, -1, 112, 113, 131, 150]))
STEPS_US = st.one_of(
    st.integers(0, 3_000_000),
    st.sampled_from([0, 1, 1_000_000, 1_000_000, 4_999_999, 5_000_000, 5_000_001, 59_000_000]),
    st.sampled_from([899_999_999, 900_000_000, 900_000_001, 3_600_000_000, 86_400_000_000]),
)


@st.composite
def sparse_rows(draw: st.DrawFn) -> list[Reading]:
    """Make readings in every awkward position: ties, duplicates, silences, out of order, whole centuries apart."""
    steps = draw(st.lists(st.tuples(STEPS_US, ROOMS, IDS, BPMS, st.integers(-2, 2)), max_size=40))
    when, rows = START, list[Reading]()
    for step_us, room, member, bpm, delay_s in steps:
        when += timedelta(microseconds=step_us)
        rows.append(Reading(room, member, bpm, when, when + timedelta(seconds=delay_s)))
    if rows:
        for index, delay_s in draw(st.lists(st.tuples(st.integers(0, len(rows) - 1), st.integers(-3, 3)), max_size=6)):
            again = rows[index]
            rows.append(again._replace(received_at=again.received_at + timedelta(seconds=delay_s)))
    far = draw(
        st.sets(st.sampled_from([datetime(1, 1, 2), datetime(1969, 12, 31, 23, 59, 59), datetime(9999, 12, 30)]))
    )  # noqa: DTZ001 - made aware below
    rows += [Reading("r1", "ann", 80, day.replace(tzinfo=START.tzinfo), START) for day in far]
    return draw(st.permutations(rows))


@st.composite
def dense_rows(draw: st.DrawFn) -> list[Reading]:
    """Make efforts and rests, a reading a second, with dropouts, so that there is a load and a recovery to find."""
    rows = list[Reading]()
    for member in draw(st.lists(IDS, min_size=1, max_size=2, unique=True)):
        second = 0
        for bpm, length_s, noise, lost in draw(
            st.lists(
                st.tuples(st.integers(60, 190), st.sampled_from([3, 58, 119, 120, 121, 200]), BPMS, st.integers(0, 9)),
                min_size=2,
                max_size=6,
            )
        ):
            for i in range(length_s):
                value = noise if i % 50 == 49 else bpm - i // 8
                if i % 60 >= lost or i < 2:
                    rows.append(reading(second, value, member))
                second += 1
    return draw(st.randoms(use_true_random=False).map(lambda random: random.sample(rows, len(rows))))


ROWS = st.one_of(sparse_rows(), dense_rows())
DEFINITIONS = st.one_of(
    st.just(Definitions()),
    st.builds(
        Definitions,
        max_hold_s=st.sampled_from([1.0, 2.5, 60.0, 2000.0]),
        min_bpm=st.sampled_from([0, 30, 70]),
        max_bpm=st.sampled_from([120, 230]),
        session_gap_s=st.sampled_from([1.0, 60.0, 7200.0]),
    ),
)
INSTANTS = st.one_of(st.none(), st.integers(-10, 2000).map(at), st.integers(0, 90_000).map(at))


def rules(definitions: Definitions) -> oracle.Rules:
    return oracle.Rules(
        round(definitions.max_hold_s * 1e6),
        definitions.min_bpm,
        definitions.max_bpm,
        round(definitions.session_gap_s * 1e6),
    )


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = make_recording(tmp_path_factory.mktemp("summary") / "scratch.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    rows=ROWS,
    definitions=DEFINITIONS,
    slices=st.sampled_from([1, 2, 5, 16]),
    bounds=st.tuples(INSTANTS, INSTANTS),
)
def test_summary_equals_the_oracle_whatever_the_rows_their_order_and_the_slices(
    scratch: duckdb.DuckDBPyConnection,
    rows: list[Reading],
    definitions: Definitions,
    slices: int,
    bounds: tuple[datetime | None, datetime | None],
) -> None:
    since, until = bounds
    if since is not None and until is not None and since >= until:
        until = None
    scratch.execute("DELETE FROM heart_rate")
    append_readings(scratch, rows)
    summary = summarize_in_slices(scratch, Filter(since=since, until=until), definitions, max(1, len(rows) // slices))
    assert_equal(summary, oracle.summarize(rows, rules(definitions), PEOPLE, since, until))
