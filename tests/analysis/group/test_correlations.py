"""Correlations of many series at once, against numpy and the standard library."""

import numpy as np
from groups import correlation, drawn_bpm
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsoid_rec.analysis.group.correlations import correlate_all, fisher_z, mean_of_defined


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 40), st.floats(0, 0.7))
def test_each_correlation_is_over_the_seconds_that_both_have(
    seed: int, members: int, seconds: int, missing: float
) -> None:
    ones, others = drawn_bpm(seed, members, seconds, missing).T, drawn_bpm(seed + 1, 3, seconds, missing).T
    expected = [[correlation(one, other) for other in others.tolist()] for one in ones.tolist()]
    np.testing.assert_allclose(correlate_all(ones, others), expected, atol=1e-9)


def test_without_gaps_they_are_those_of_numpy() -> None:
    series = drawn_bpm(5, 6, 200, missing=0).T
    np.testing.assert_allclose(correlate_all(series, series), np.corrcoef(series), atol=1e-12)


def test_equal_series_have_a_finite_z_and_what_is_undefined_is_no_zero() -> None:
    assert 14 < fisher_z(np.array([1.0]))[0] < 15
    assert np.isnan(correlate_all(np.full((1, 9), 70.0), np.arange(9.0)[None])).all()
    np.testing.assert_equal(mean_of_defined(np.array([[1, np.nan], [3, np.nan]])), [2, np.nan])
