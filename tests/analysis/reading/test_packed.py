"""The packed tally of a slice equals the reference, whatever the readings, sessions and definitions."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import open_for_examples
from reference_tally import next_readings, tally_readings

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.holds import hold_readings, sort_and_deduplicate
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.analysis.metrics.time_at_bpm import add_tallies
from pulsoid_rec.analysis.reading.packed import Packing, plan_packings, tally_slice
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


@pytest.fixture(scope="module")
def opened() -> Iterator[list[duckdb.DuckDBPyConnection]]:
    with open_for_examples() as opened:
        yield opened


def packed(
    opened: list[duckdb.DuckDBPyConnection], readings: pl.DataFrame, packing: Packing, parts: pl.DataFrame
) -> pl.Series:
    """Pack readings as the recording is packed: in SQL."""
    started = parts.select("key", started_us=pl.col("started_at").dt.epoch("us"))
    [connection] = opened
    connection.register("readings", readings.join(started, on="key").to_arrow())
    members = f"(SELECT *, {packing.member_sql} AS member FROM readings)"
    numbers: pl.DataFrame = connection.sql(f"SELECT {packing.sql} AS packed FROM {members} ORDER BY packed").pl()
    connection.unregister("readings")
    return numbers["packed"]


def parts_of(keys: dict[int, tuple[int, int]]) -> pl.DataFrame:
    """Say when the session of each key starts and ends, in microseconds after the start."""
    rows = [(key, *(START + timedelta(microseconds=us) for us in bounds)) for key, bounds in sorted(keys.items())]
    return pl.DataFrame(rows, schema={"key": pl.UInt32(), "started_at": INSTANT, "ended_at": INSTANT}, orient="row")


LENGTH_US = 40_000_000
KEYS = (0, 1, 2, 9)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.one_of(st.integers(0, LENGTH_US - 1), st.sampled_from([0, 1, 5_000_000, 10_000_000, LENGTH_US - 1])),
        st.sampled_from([-(2**31), -1, 0, 29, 30, 80, 230, 231, 254, 255, 256, 1022, 1023, 1024, 2**31 - 1]),
    ),
    max_size=30,
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
        Definitions(min_bpm=-5, max_bpm=100_000),
        Definitions(min_bpm=80, max_bpm=80),
        Definitions(min_bpm=-(2**20), max_bpm=2**20),
    ]
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    rows=ROWS,
    later_rows=st.one_of(st.none(), LATER),
    definitions=DEFINITIONS,
    started_us=st.lists(st.integers(-(10**15), 0), min_size=len(KEYS), max_size=len(KEYS)),
)
def test_packed_tally_equals_the_reference(
    opened: list[duckdb.DuckDBPyConnection],
    rows: list[Row],
    later_rows: list[Row] | None,
    definitions: Definitions,
    started_us: list[int],
) -> None:
    later = None
    if later_rows is not None:
        later = next_readings(hold_readings(frame(later_rows), definitions, BY), BY)
    readings, duplicates = sort_and_deduplicate(frame(rows), BY)
    held = hold_readings(readings, definitions, BY, later)
    expected, expected_next = tally_readings(held, duplicates, BY), next_readings(held, BY, later)

    parts = parts_of({key: (start_us, 10**15) for key, start_us in zip(KEYS, started_us, strict=True)})
    [packing] = plan_packings(parts, [Slice(FROM_US, FROM_US + LENGTH_US)], definitions)
    numbers = packed(opened, frame(rows), packing, parts)
    assert packing.pack(frame(rows)).sort().equals(numbers)
    tally, following = tally_slice(numbers, packing, later, lambda: frame(rows))

    # Where in a member's part a figure stands does not matter: the summary adds them up by member.
    def by_bpm(tally: pl.DataFrame) -> pl.DataFrame:
        sums = add_tallies([tally], BY).select("key", "bpm", "held_us", "readings")
        return sums.filter(pl.col("readings") > 0).sort("key", "bpm")

    def by_member(tally: pl.DataFrame) -> pl.DataFrame:
        sums = pl.col("duplicates", "gaps").sum()
        edges = (pl.col("first_at").min(), pl.col("last_at", "held_until_at").max(), pl.col("longest_gap_us").max())
        return tally.group_by("key").agg(sums, *edges).sort("key")

    assert tally.schema == expected.schema
    assert by_bpm(tally).equals(by_bpm(expected))
    assert by_member(tally).equals(by_member(expected))
    assert following.sort("key").equals(expected_next.sort("key"))


def test_duplicates_alone_do_not_have_the_slice_read_again(opened: list[duckdb.DuckDBPyConnection]) -> None:
    """Where two recorders heard one room, half of all readings are such; reading them in order takes long."""
    parts = parts_of({0: (0, LENGTH_US), 1: (0, LENGTH_US)})
    [packing] = plan_packings(parts, [Slice(FROM_US, FROM_US + LENGTH_US)], Definitions())
    rows = frame([(key, time_us, bpm) for key in (0, 1) for time_us, bpm in ((0, 80), (1, 0), (2, 231))] * 2)

    def read() -> pl.DataFrame:
        raise AssertionError("it was read again")

    tally, _ = tally_slice(packed(opened, rows, packing, parts), packing, None, read)
    counted = tally.group_by("key").agg(pl.col("duplicates", "readings").sum()).sort("key")
    assert counted.rows() == [(0, 3, 3), (1, 3, 3)]


def test_members_last_and_anothers_first_reading_are_no_neighbours(opened: list[duckdb.DuckDBPyConnection]) -> None:
    parts = parts_of({0: (0, 7), 1: (0, 7)})
    [packing] = plan_packings(parts, [Slice(FROM_US, FROM_US + 8)], Definitions())
    rows = frame([(0, 7, 80), (1, 0, 80)])
    tally, _ = tally_slice(packed(opened, rows, packing, parts), packing, None, lambda: rows)
    assert add_tallies([tally], BY)["held_us"].to_list() == [0, 0]


DAY_US = 86_400_000_000


def plan(parts: dict[int, tuple[int, int]], length_us: int, definitions: Definitions) -> list[Packing]:
    return list(plan_packings(parts_of(parts), [Slice(FROM_US, FROM_US + length_us)], definitions))


def test_months_of_sessions_of_hundreds_of_members_are_one_slice() -> None:
    """The time is counted from each session's start, so that the length of the recording does not matter."""
    sessions = {
        300 * day + member: (day * DAY_US, day * DAY_US + DAY_US // 2) for day in range(300) for member in range(300)
    }
    [packing] = plan(sessions, 300 * DAY_US, Definitions())
    assert packing.fits


def test_what_does_not_fit_is_cut_into_halves_until_it_does() -> None:
    parts = {0: (0, DAY_US), 2**20: (0, DAY_US)}  # 21 bits for the key, 38 for the day, 8 for bpm
    packings = plan(parts, DAY_US, Definitions())
    assert len(packings) == 16
    assert all(packing.fits for packing in packings)
    slices = [packing.slice_ for packing in packings]
    assert (slices[0].from_us, slices[-1].until_us) == (FROM_US, FROM_US + DAY_US)
    assert [slice_.until_us for slice_ in slices[:-1]] == [slice_.from_us for slice_ in slices[1:]]


def test_highest_numbers_that_fit_are_told_apart(opened: list[duckdb.DuckDBPyConnection]) -> None:
    definitions = Definitions(min_bpm=0, max_bpm=1022)  # 10 bits, 38 for the day, 15 for the key
    highest = 7 + 2**15 - 1
    parts = parts_of({7: (0, DAY_US), highest: (0, DAY_US)})
    [packing] = plan_packings(parts, [Slice(FROM_US, FROM_US + DAY_US)], definitions)
    assert packing.time_bits + packing.bpm_bits + 15 == 63
    rows = frame([(highest, DAY_US - 1, 1022), (highest, 0, 30), (7, 0, 1022)])
    numbers = packed(opened, rows, packing, parts)
    values = pl.DataFrame({"packed": numbers}).select(k=packing.key, b=packing.bpm, t=packing.time_us)
    assert values.rows() == [(7, 1022, 0), (highest, 30, 0), (highest, 1022, DAY_US - 1)]
    assert len(plan({0: (0, DAY_US), 2**15: (0, DAY_US)}, DAY_US, definitions)) > 1
