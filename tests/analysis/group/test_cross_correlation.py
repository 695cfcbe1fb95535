"""Windowed cross-correlation, against an oracle of loops."""

import math
import statistics

import numpy as np
import pytest
from groups import correlation, drawn_sample, z_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsoid_rec.analysis.group import cross_correlation
from pulsoid_rec.analysis.group.cross_correlation import measure_wcc, wcc_of
from pulsoid_rec.analysis.group.surrogates import draw_orders


def z_of_lags(one: list[float], other: list[float]) -> list[float]:
    """Return z at each lag from -5 to 5."""
    size = len(one)
    lags = [
        correlation(
            [one[at + lag] for at in range(size) if 0 <= at + lag < size],
            [other[at] for at in range(size) if 0 <= at + lag < size],
        )
        for lag in range(-5, 6)
    ]
    return [z_of(r) for r in lags if not math.isnan(r)]


@pytest.mark.parametrize("kind", [0, 1])
@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_pairs_windows_group_and_surrogates_equal_loops(kind: int, seed: int) -> None:
    sample = drawn_sample(seed, 3, 4, surrogates=2)
    sample.windows.constant[2, 1] = True  # is left out for its two pairs
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cross_correlation, "_CELLS", 8)  # several portions
        result = measure_wcc(sample)[kind]

    def value(i: int, at: int, j: int, other_at: int) -> float:
        if sample.windows.constant[i, at] or sample.windows.constant[j, other_at]:
            return math.nan
        z = z_of_lags(sample.windows.values[i, at].tolist(), sample.windows.values[j, other_at].tolist())
        return statistics.fmean(map(abs, z) if kind else z)

    def of_group(orders: list[list[int]]) -> tuple[list[list[float]], float]:
        courses = [
            [value(i, one, j, other) for one, other in zip(orders[i], orders[j], strict=True)]
            for i, j in ((0, 1), (0, 2), (1, 2))
        ]
        pairs = [statistics.fmean(one for one in course if not math.isnan(one)) for course in courses]
        return courses, statistics.fmean(pairs)

    courses, group = of_group([[*range(4)]] * 3)
    assert result.group.value == pytest.approx(group) == pytest.approx(wcc_of(sample.windows)[kind])
    varying = np.where(sample.windows.constant[..., None], np.nan, sample.windows.values).swapaxes(0, 1)
    by_window = cross_correlation.mean_z(varying, varying)[kind][:, *np.triu_indices(3, 1)]
    np.testing.assert_allclose(by_window.T, courses, atol=1e-8)
    chance = [of_group(order)[1] for order in draw_orders(sample.random(3), 2, 3, 4).tolist()]
    assert result.group.null is not None
    assert result.group.null.mean == pytest.approx(statistics.fmean(chance))
    assert result.pairs[1].names == ("a", "c")
    assert result.pairs[1].tested.value == pytest.approx(statistics.fmean([courses[1][at] for at in (0, 2, 3)]))


def test_who_comes_first_changes_nothing() -> None:
    sample = drawn_sample(3, 2, 10)
    ahead = np.roll(sample.windows.values, 2, axis=2)
    behind = np.stack([sample.windows.values[0], ahead[0]])
    before = np.stack([ahead[0], sample.windows.values[0]])
    found = [cross_correlation.mean_z(pair[0], pair[1])[0].diagonal() for pair in (behind, before)]
    np.testing.assert_allclose(found[0], found[1])
