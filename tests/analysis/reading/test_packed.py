"""The packed tally of a slice equals the one worked out the long way, and says when it cannot be had."""

from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.holds import hold_readings, next_readings, sort_and_deduplicate
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.analysis.metrics.time_at_bpm import add_tallies, tally_readings
from pulsoid_rec.analysis.reading.packed import Packing, choose_packing, step_packed, tally_packed
from pulsoid_rec.analysis.reading.slices import Slice

BY = ("key",)
FROM_US = -3_000_000
START = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=FROM_US)
SCHEMA = pl.Schema({"key": pl.UInt32(), "occurred_at": INSTANT, "received_at": INSTANT, "bpm": pl.Int32()})
Row = tuple[int, int, int]


def frame(rows: list[Row]) -> pl.DataFrame:
    """Make readings of keys, microseconds after the start, and bpm."""
    instants = [(key, START + timedelta(microseconds=us), bpm) for key, us, bpm in rows]
    return pl.DataFrame([(key, at, at, bpm) for key, at, bpm in instants], schema=SCHEMA, orient="row")


def packed(readings: pl.DataFrame, packing: Packing) -> pl.Series:
    """Pack readings as the recording is packed: in SQL."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("readings", readings.to_arrow())
        members = f"(SELECT *, {packing.member_sql} AS member FROM readings)"
        numbers: pl.DataFrame = connection.sql(f"SELECT {packing.sql} AS packed FROM {members} ORDER BY packed").pl()
    return numbers["packed"]


def packing_of(length_us: int, definitions: Definitions, highest_key: int = 9) -> Packing:
    packing = choose_packing(Slice(FROM_US, FROM_US + length_us), highest_key, definitions)
    assert packing is not None
    return packing


LENGTH_US = 40_000_000
ROWS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2, 9]),
        st.one_of(st.integers(0, LENGTH_US - 1), st.sampled_from([0, 1, 5_000_000, 10_000_000, LENGTH_US - 1])),
        st.sampled_from([-(2**31), 0, 29, 30, 80, 230, 231, 1022, 1023, 1024, 2**31 - 1]),
    ),
    max_size=30,
    unique_by=lambda row: row[:2],
)
LATER = st.lists(
    st.tuples(st.sampled_from([0, 2, 7]), st.integers(LENGTH_US, 10**12), st.sampled_from([0, 80])),
    max_size=3,
    unique_by=lambda row: row[0],
)
DEFINITIONS = st.sampled_from(
    [
        Definitions(),
        Definitions(max_hold_s=0.000001),
        Definitions(max_hold_s=1000),
        Definitions(min_bpm=0, max_bpm=1022),
    ]
)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, later_rows=st.one_of(st.none(), LATER), definitions=DEFINITIONS)
def test_packed_tally_equals_the_long_way(
    rows: list[Row], later_rows: list[Row] | None, definitions: Definitions
) -> None:
    later = None
    if later_rows is not None:
        later = next_readings(hold_readings(frame(later_rows), definitions, BY), BY)
    readings, duplicates = sort_and_deduplicate(frame(rows), BY)
    held = hold_readings(readings, definitions, BY, later)
    expected, expected_next = tally_readings(held, duplicates, BY), next_readings(held, BY, later)

    packing = packing_of(LENGTH_US, definitions)
    steps = step_packed(packed(frame(rows), packing), packing)
    assert steps is not None
    tally, following = tally_packed(steps, packing, later)

    # Where in a member's part a figure stands does not matter: the summary adds them up by member.
    def by_bpm(tally: pl.DataFrame) -> pl.DataFrame:
        return add_tallies([tally], BY).select("key", "bpm", "held_us", "readings").sort("key", "bpm")

    def by_member(tally: pl.DataFrame) -> pl.DataFrame:
        sums = pl.col("duplicates", "gaps").sum()
        edges = (pl.col("first_at").min(), pl.col("last_at").max(), pl.col("longest_gap_us").max())
        return tally.group_by("key").agg(sums, *edges).sort("key")

    assert tally.schema == expected.schema
    assert by_bpm(tally).equals(by_bpm(expected))
    assert by_member(tally).equals(by_member(expected))
    assert following.sort("key").equals(expected_next.sort("key"))


@given(rows=ROWS.filter(bool), bpm=st.integers(0, 300))
def test_two_readings_of_a_member_at_one_instant_are_refused(rows: list[Row], bpm: int) -> None:
    packing = packing_of(LENGTH_US, Definitions())
    assert step_packed(packed(frame([*rows, (*rows[0][:2], bpm)]), packing), packing) is None


def test_members_last_and_anothers_first_reading_are_no_neighbours() -> None:
    packing = packing_of(8, Definitions())
    steps = step_packed(packed(frame([(0, 7, 80), (1, 0, 80)]), packing), packing)
    assert steps is not None
    assert steps["has_next"].to_list() == [False, False]
    assert steps["held_us"].to_list() == [0, 0]


def test_what_does_not_fit_is_not_packed() -> None:
    day = Slice(0, 86_400_000_000)
    assert choose_packing(day, 2**13, Definitions()) is not None
    assert choose_packing(day, 2**14, Definitions()) is None
    assert choose_packing(day, 1, Definitions(max_bpm=1023)) is None
    assert choose_packing(day, 1, Definitions(min_bpm=-1)) is None


def test_highest_numbers_that_fit_are_told_apart() -> None:
    day = Slice(0, 86_400_000_000)
    definitions = Definitions(max_bpm=1022)
    packing = choose_packing(day, 2**14 - 1, definitions)
    assert packing is not None
    rows = [(2**14 - 1, 86_400_000_000 - 1 - FROM_US, 1022), (2**14 - 1, -FROM_US, 30), (0, -FROM_US, 1022)]
    steps = step_packed(packed(frame(rows), packing), packing)
    assert steps is not None
    values = steps.select(packing.key.alias("k"), packing.bpm.alias("b"), at=packing.occurred_at.dt.epoch("us"))
    assert values.rows() == [(0, 1022, 0), (2**14 - 1, 30, 0), (2**14 - 1, 1022, 86_400_000_000 - 1)]
