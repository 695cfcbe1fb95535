"""Readings drawn by hypothesis, in every awkward position.

Hypothesis keeps what draws them, with all its module holds, to the end of the process; DuckDB, if it were among that,
would complain of a leak.
"""

from datetime import UTC, datetime, timedelta
from random import Random

import hypothesis.strategies as st
from readings import START, Reading, reading

ROOMS = st.sampled_from(["r1", "r2"])
IDS = st.sampled_from(["ann", "bob", "cid"])
BPMS = st.one_of(st.integers(55, 190), st.sampled_from([0, 29, 30, 230, 231, 900, -1, 112, 113, 131, 150]))
STEPS_US = st.one_of(
    st.integers(0, 3_000_000),
    st.sampled_from([0, 1, 1_000_000, 1_000_000, 4_999_999, 5_000_000, 5_000_001, 59_000_000]),
    st.sampled_from([899_999_999, 900_000_000, 900_000_001, 3_600_000_000, 86_400_000_000]),
)


FAR = [datetime(year, 12, 30, tzinfo=UTC) for year in (1, 1969, 9999)]
DELAYS_S = st.one_of(st.integers(-2, 2), st.integers(-2, 2), st.sampled_from([0, 600, 1200, 5000, 90_000, -4000]))
"""From a reading to its receipt: some come late, and some clocks are a little fast."""

DAY_US = 86_400_000_000
ERRORS_US = st.one_of(
    st.just(0),
    st.just(0),
    st.sampled_from([sign * us for us in (DAY_US, DAY_US + 1, 3_600_000_000, 365 * DAY_US) for sign in (1, -1)]),
)
"""By how much a clock is wrong: by a day or less does no harm."""

LEADS = st.sampled_from([timedelta(), timedelta(), timedelta(days=-400), timedelta(days=30)])
"""A whole room's: it is a replay, or an import."""


@st.composite
def sparse_rows(draw: st.DrawFn) -> list[Reading]:
    """Make readings in every awkward position: ties, duplicates, silences, late, of wrong clocks, centuries apart."""
    # Left to itself, a list has five items or so; an example of forty takes no longer, and finds what ten would.
    size = draw(st.integers(0, 40))
    step = st.tuples(STEPS_US, ROOMS, IDS, BPMS, DELAYS_S, ERRORS_US)
    steps = draw(st.lists(step, min_size=size, max_size=size))
    leads = {"r1": draw(LEADS), "r2": draw(LEADS)}
    when, rows = START, list[Reading]()
    for step_us, room, member, bpm, delay_s, error_us in steps:
        when += timedelta(microseconds=step_us)
        occurred_at = when + leads[room] + timedelta(microseconds=error_us)
        rows.append(Reading(room, member, bpm, occurred_at, when + timedelta(seconds=delay_s)))
    if rows:
        which, delays = st.integers(0, len(rows) - 1), st.integers(-3, 3)
        for index, delay_s, other_bpm in draw(
            st.lists(st.tuples(which, delays, st.sampled_from([None, 70, 99])), max_size=12)
        ):
            received_at = rows[index].received_at + timedelta(seconds=delay_s)
            rows.append(rows[index]._replace(received_at=received_at, bpm=other_bpm or rows[index].bpm))
    far = draw(st.sets(st.sampled_from(FAR)))
    rows += [Reading("r1", "ann", 80, instant, START) for instant in far]
    return draw(st.permutations(rows))


LENGTHS_S = st.sampled_from([125, 200, 121, 120, 119, 58, 3])


@st.composite
def dense_rows(draw: st.DrawFn) -> list[Reading]:
    """Make efforts and rests, a reading a second, with dropouts, so that there is a load and a recovery to find.

    The clock of one in fifty readings may be wrong.
    """
    rows = list[Reading]()
    noises, lost_s = st.one_of(st.none(), st.none(), BPMS), st.sampled_from([0, 0, 0, 0, 4, 5, 9])
    stretch = st.tuples(st.sampled_from([180, 100, 150, 75, 132, 127]), LENGTHS_S, noises, lost_s)
    error = timedelta(microseconds=draw(ERRORS_US))
    for member in draw(st.lists(IDS, min_size=1, max_size=2, unique=True)):
        second = 0
        for bpm, length_s, noise, lost in draw(st.lists(stretch, min_size=2, max_size=6)):
            for i in range(length_s):
                value = noise if noise is not None and i % 50 == 49 else bpm - i // 40
                if i % 60 < 60 - lost:
                    row = reading(second, value, member)
                    rows.append(row if i % 50 != 17 else row._replace(occurred_at=row.occurred_at + error))
                second += 1
    return Random(draw(st.integers(0, 9))).sample(rows, len(rows))


ROWS = st.one_of(sparse_rows(), dense_rows())
