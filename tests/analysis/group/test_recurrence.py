"""Recurrence plots of groups, against an oracle that looks at every cell, and against multiSyncPy."""

import math
import statistics
from collections import Counter

import numpy as np
import pytest
from groups import drawn_sample
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsoid_rec.analysis.group import recurrence
from pulsoid_rec.analysis.group.recurrence import (
    Recurrence,
    five_second_means,
    measure_mdrqa,
    quantify,
    recurrence_of,
    recurrences,
)
from pulsoid_rec.analysis.group.surrogates import draw_shifts


def runs(cells: list[bool]) -> list[int]:
    """Return the lengths of all runs of true cells."""
    text = "".join("x" if cell else " " for cell in cells)
    return [len(run) for run in text.split()]


def by_cells(states: list[list[float]], radius: float) -> Recurrence:
    """Quantify a recurrence plot of the whole matrix, diagonal by diagonal and column by column."""
    count = range(len(states[0]))
    near = [
        [i != j and math.dist([one[i] for one in states], [one[j] for one in states]) < radius for j in count]
        for i in count
    ]
    valid = sum(not any(math.isnan(one[i]) for one in states) for i in count)
    points = sum(map(sum, near))
    diagonals = [[near[i][i + apart] for i in count if i + apart in count] for apart in count if apart]
    lines = [run for diagonal in diagonals for run in runs(diagonal) if run > 1]
    vertical = [run for column in count for run in runs([near[i][column] for i in count]) if run > 1]
    shares = [number / len(lines) for number in Counter(lines).values()]
    return Recurrence(
        recurrence_rate=points / (valid * (valid - 1)) if valid > 1 else math.nan,
        determinism=2 * sum(lines) / points if points else math.nan,
        mean_line=statistics.fmean(lines) if lines else math.nan,
        longest_line=max(lines, default=0),
        entropy=-sum(share * math.log2(share) for share in shares) if lines else math.nan,
        laminarity=sum(vertical) / points if points else math.nan,
        trapping_time=statistics.fmean(vertical) if vertical else math.nan,
    )


def as_list(found: Recurrence) -> list[float]:
    """Return all figures."""
    return list(map(float, found))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 40), st.floats(0.1, 3))
def test_all_figures_equal_a_look_at_every_cell(seed: int, members: int, count: int, radius: float) -> None:
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(members, count)).cumsum(axis=1)
    states[rng.random(states.shape) < 0.05] = np.nan
    np.testing.assert_allclose(as_list(quantify(states, radius)), as_list(by_cells(states.tolist(), radius)), atol=1e-9)


def test_many_states_are_looked_at_in_portions() -> None:
    states = np.random.default_rng(1).normal(size=(2, 600)).cumsum(axis=1)
    i, j = recurrences(states, 1.5)
    apart = np.sqrt(((states[:, :, None] - states[:, None]) ** 2).sum(axis=0))
    expected = np.nonzero(np.triu(apart < 1.5, 1))
    np.testing.assert_equal((i, j), expected)


@pytest.mark.parametrize(
    ("seed", "radius", "recurrence_rate", "determinism", "longest"),
    [
        (1, 2.825, 0.6314637482900137, 0.9891681109185442, 85),
        (3, 2.851, 0.3204301075268817, 0.8523489932885906, 30),
        (8, 2.564, 0.20412480169222633, 0.36528497409326427, 4),
    ],
)
def test_three_figures_equal_multisyncpy(  # version 0.1.2, of 200 series compared by hand
    seed: int, radius: float, recurrence_rate: float, determinism: float, longest: int
) -> None:
    rng = np.random.default_rng(seed)
    members, count = int(rng.integers(2, 8)), int(rng.integers(20, 150))
    series = (
        rng.normal(size=(members, count)).cumsum(axis=1) if seed % 2 else np.rint(3 * rng.normal(size=(members, count)))
    )
    scaled = (series - series.mean(axis=1, keepdims=True)) / series.std(axis=1, keepdims=True)
    found = quantify(scaled, radius)
    assert (found.recurrence_rate, found.determinism) == pytest.approx((recurrence_rate, determinism), rel=1e-12)
    assert found.longest_line == longest


def test_means_of_five_seconds_need_three_and_are_scaled_by_member() -> None:
    windows = np.arange(60.0).reshape(1, 2, 30)
    windows[0, 0, :3] = np.nan  # two are left
    windows[0, 0, 5:7] = np.nan  # three are left
    means = np.array([np.nan, 8, *range(12, 60, 5)])
    expected = (means - np.nanmean(means)) / np.nanstd(means)
    np.testing.assert_allclose(five_second_means(windows)[0], expected)


def test_surrogates_are_shifted_by_member_and_the_radius_is_not_made_for_the_group() -> None:
    sample = drawn_sample(4, 3, 12, surrogates=6)
    (result,) = measure_mdrqa(sample)
    states = five_second_means(sample.windows.values)
    radius = float(result.parameters["radius"])
    assert result.group.value == pytest.approx(by_cells(states.tolist(), radius).recurrence_rate)
    assert result.group.value == recurrence_of(sample.windows, radius)
    rng = sample.random(4)
    draw_shifts(rng, 20, 3, 72)  # for the radius
    chance = [
        by_cells([np.roll(one, by).tolist() for one, by in zip(states, shifts, strict=True)], radius)
        for shifts in draw_shifts(rng, 6, 3, 72).tolist()
    ]
    assert [figure.key for figure in result.figures] == list(recurrence.Recurrence._fields)
    for figure in result.figures:
        assert figure.tested.null is not None
        assert figure.tested.null.mean == pytest.approx(np.mean([getattr(one, figure.key) for one in chance]))
    assert 0.02 < np.mean([one.recurrence_rate for one in chance]) < 0.1  # it is chosen for 5 %


def test_more_than_four_hours_are_too_much() -> None:
    (result,) = measure_mdrqa(drawn_sample(1, 2, 481))
    assert result.reason == "More than 4 h are too much for MdRQA. Choose a range of time."
    assert result.group.value is None
