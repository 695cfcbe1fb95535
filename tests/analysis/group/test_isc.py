"""Inter-subject correlation and its circular shifts, against an oracle of loops."""

import math
import statistics

import numpy as np
import pytest
from groups import correlation, drawn_bpm, drawn_sample, z_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsoid_rec.analysis.group.isc import isc_of, measure_isc, shifted_correlations
from pulsoid_rec.analysis.group.surrogates import draw_shifts


def isc_by_loops(series: list[list[float]]) -> list[float]:
    """Return the ISC of each member."""
    members = range(len(series))
    return [
        math.tanh(statistics.fmean(z_of(correlation(series[i], series[j])) for j in members if j != i)) for i in members
    ]


def shifted(series: list[float], by: int) -> list[float]:
    """Return a series of which the last values come first."""
    return series[-by:] + series[:-by] if by else series


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 50), st.floats(0, 0.5))
def test_all_shifts_at_once_equal_one_shift_after_the_other(seed: int, length: int, missing: float) -> None:
    one, other = drawn_bpm(seed, 2, length, missing).T
    expected = [correlation(one.tolist(), shifted(other.tolist(), by)) for by in range(length)]
    np.testing.assert_allclose(shifted_correlations(one, other), expected, atol=1e-8)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(2, 4))
def test_group_members_and_surrogates_equal_loops(seed: int, members: int, windows: int) -> None:
    sample = drawn_sample(seed, members, windows)
    (result,) = measure_isc(sample)
    series = sample.windows.joined.tolist()
    expected = isc_by_loops(series)
    assert [one.tested.value for one in result.members] == pytest.approx(expected)
    assert result.group.value == pytest.approx(statistics.fmean(expected)) == pytest.approx(isc_of(sample.windows))
    shifts = draw_shifts(sample.random(1), 5, members, windows * 30).tolist()
    chance = [
        statistics.fmean(isc_by_loops([shifted(one, by) for one, by in zip(series, of_members, strict=True)]))
        for of_members in shifts
    ]
    assert result.group.value is not None
    assert result.group.null is not None
    assert result.group.null.mean == pytest.approx(statistics.fmean(chance))
    assert result.group.p == (1 + sum(one >= result.group.value for one in chance)) / 6
    assert [pair.names for pair in result.pairs] == sample_pairs(members)
    assert result.pairs[0].tested.value == pytest.approx(correlation(series[0], series[1]))


def sample_pairs(members: int) -> list[tuple[str, str]]:
    """Return the names of all pairs, in order."""
    return [("abcd"[i], "abcd"[j]) for i in range(members) for j in range(i + 1, members)]
