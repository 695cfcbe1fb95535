"""What is taken out of heart rates before they are compared."""

import math

import numpy as np
from groups import drawn_bpm
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsoid_rec.analysis.group.detrend import prepare, subtract_centred_mean


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 90), st.floats(0, 0.6))
def test_the_mean_around_each_second_is_that_of_the_seconds_on_both_sides(
    seed: int, seconds: int, missing: float
) -> None:
    bpm = drawn_bpm(seed, 2, seconds, missing)
    found = subtract_centred_mean(bpm, span_s=20)
    for member in range(2):
        series = bpm[:, member].tolist()
        for at, value in enumerate(series):
            sides = [
                (series[at - apart], series[at + apart])
                for apart in range(1, 11)
                if at >= apart and at + apart < seconds and not math.isnan(series[at - apart] + series[at + apart])
            ]
            around = [value, *(one for side in sides for one in side)]
            expected = value - sum(around) / len(around) if len(sides) >= 5 else math.nan
            np.testing.assert_allclose(found[at, member], expected, atol=1e-9)


def test_a_steady_rise_leaves_nothing_also_beside_gaps_and_at_the_ends() -> None:
    bpm = 60 + 0.1 * np.arange(300.0)[:, None]
    bpm[100:112] = np.nan
    found = subtract_centred_mean(bpm)
    assert np.isnan(found[[0, 14, 105, 299]]).all()  # too little on one side, or not observed
    assert np.flatnonzero(np.isnan(found)).tolist() == [*range(15), *range(100, 112), *range(285, 300)]
    np.testing.assert_allclose(found[~np.isnan(found)], 0, atol=1e-9)


def test_differences_are_those_of_neighbouring_seconds_and_raw_is_as_recorded() -> None:
    bpm = np.array([[70.0], [72.0], [np.nan], [75.0], [74.0]])
    np.testing.assert_equal(prepare(bpm, "differences")[:, 0], [np.nan, 2, np.nan, np.nan, -1])
    np.testing.assert_equal(prepare(bpm, "raw"), bpm)
    assert prepare(np.zeros((0, 2)), "high-pass").shape == (0, 2)
