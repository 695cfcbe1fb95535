"""The largest eigenvalue of windows, against numpy window by window."""

import numpy as np
import pytest
from groups import correlation, drawn_sample
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsoid_rec.analysis.group import eigenvalue
from pulsoid_rec.analysis.group.eigenvalue import eigenvalue_of, largest_eigenvalues, measure_eigenvalue
from pulsoid_rec.analysis.group.surrogates import draw_orders


def largest(window: list[list[float]]) -> float:
    """Return the largest eigenvalue of one window, by numpy's general solver."""
    matrix = [[correlation(one, other) for other in window] for one in window]
    return max(float(one.real) for one in np.linalg.eigvals(np.array(matrix)))


def test_without_gaps_it_is_that_of_numpy_and_a_window_with_a_constant_member_is_undefined() -> None:
    windows = np.random.default_rng(1).normal(size=(5, 4, 30))
    windows[3, 2] = 70
    found = largest_eigenvalues(windows)
    assert np.isnan(found).tolist() == [False] * 3 + [True, False]
    for window, one in zip(windows[:3], found[:3], strict=True):
        assert one == pytest.approx(np.linalg.eigvalsh(np.corrcoef(window))[-1])


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_windows_group_and_surrogates_equal_loops(seed: int, members: int) -> None:
    sample = drawn_sample(seed, members, 11)
    sample.windows.constant[0, 4] = True
    defined = [at for at in range(11) if at != 4]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eigenvalue, "_CELLS", 1000)  # several portions
        (result,) = measure_eigenvalue(sample)
    values = sample.windows.values
    by_window = [largest(values[:, at].tolist()) for at in defined]
    assert result.group.value == pytest.approx(np.mean(by_window)) == pytest.approx(eigenvalue_of(sample.windows))
    found = largest_eigenvalues(values.swapaxes(0, 1))
    np.testing.assert_allclose(found[defined], by_window, atol=1e-9)
    orders = draw_orders(sample.random(2), 5, members, 10)
    chance = [
        np.mean([largest([values[i, defined[order[i, at]]].tolist() for i in range(members)]) for at in range(10)])
        for order in orders
    ]
    assert result.group.value is not None
    assert result.group.null is not None
    assert result.group.null.mean == pytest.approx(np.mean(chance))
    assert result.group.p == (1 + sum(one >= result.group.value - 1e-9 for one in chance)) / 6
    (scaled,) = result.figures
    assert scaled.tested.value == pytest.approx((np.mean(by_window) - 1) / (members - 1))
    assert scaled.tested.p == result.group.p


def test_too_few_windows_in_which_all_change_are_no_result() -> None:
    sample = drawn_sample(1, 2, 10)
    sample.windows.constant[1, 3] = True
    (result,) = measure_eigenvalue(sample)
    assert result.group.value is None
    assert result.reason == "Only 4.5 min have every member's heart rate change; at least 5 min are needed."
