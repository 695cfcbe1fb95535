"""The test against chance, and what chance is."""

import numpy as np
import pytest

from pulsoid_rec.analysis.group.surrogates import compare_with_chance, draw_orders, draw_shifts
from pulsoid_rec.analysis.group.synchrony import UNDEFINED


def test_p_counts_the_surrogates_that_are_at_least_as_large_and_the_group_itself() -> None:
    tested = compare_with_chance(3.0, np.array([1.0, 2.0, 3.0, 4.0]), "by chance")
    assert tested.p == (1 + 2) / (1 + 4)
    assert tested.effect_size == pytest.approx(0.5 / np.std([1, 2, 3, 4]))
    assert tested.null is not None
    assert (tested.null.mean, tested.null.p95) == pytest.approx((2.5, 3.85))


def test_p_is_never_zero_and_an_undefined_surrogate_speaks_against_a_finding() -> None:
    assert compare_with_chance(9.0, np.zeros(999), "by chance").p == 0.001
    assert compare_with_chance(9.0, np.zeros(999), "by chance").effect_size is None  # all are equal
    assert compare_with_chance(9.0, np.array([0.0, np.nan, 1.0]), "by chance").p == 2 / 4


def test_equal_statistics_count_as_equal_despite_rounding() -> None:
    assert compare_with_chance(0.1 + 0.2, np.array([0.3, 0.0, 0.0]), "by chance").p == 2 / 4


def test_an_undefined_statistic_is_not_tested() -> None:
    assert compare_with_chance(float("nan"), np.zeros(9), "by chance") == UNDEFINED
    assert compare_with_chance(1.0, np.full(9, np.nan), "by chance") == UNDEFINED


def test_each_member_of_each_surrogate_has_a_shift_and_an_order_of_its_own() -> None:
    shifts = draw_shifts(np.random.default_rng(1), 2000, 3, 50)
    assert shifts.shape == (2000, 3)
    assert (set(shifts[:, 0].tolist()), set(shifts[:, 2].tolist())) == (set(range(50)), set(range(50)))
    assert abs(np.asarray(np.corrcoef(shifts.T))[0, 1]) < 0.1
    orders = draw_orders(np.random.default_rng(1), 200, 3, 6)
    assert (np.sort(orders, axis=2) == np.arange(6)).all()
    assert (orders[:, 0] != orders[:, 1]).any(axis=1).mean() > 0.9
    assert (orders[1:] != orders[:-1]).any(axis=(1, 2)).all()
