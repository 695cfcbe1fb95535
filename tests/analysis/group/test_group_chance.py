"""A quick look at false positives and power; the study with 400 runs is tests/bench/group_chance.py."""

import numpy as np
import pytest
from known_synchrony import CASES, p_values


def share_found(case: str, runs: int) -> dict[str, float]:
    """Return by measure the share of groups with p of at most 0.05."""
    found = [p_values(CASES[case](np.random.default_rng((run, 7)), 0.5), "high-pass", 39, run) for run in range(runs)]
    return {measure: float(np.mean([p[measure] <= 0.05 for p in found])) for measure in found[0]}


@pytest.mark.parametrize("case", ["independent", "warm-up"])
@pytest.mark.slow
def test_what_is_not_there_is_seldom_found(case: str) -> None:
    assert max(share_found(case, 20).values()) <= 0.2  # of 20 more than 4 are less likely than 0.3 %


@pytest.mark.slow
def test_half_of_the_variance_in_common_is_nearly_always_found_by_each_measure() -> None:
    found = share_found("signal", 10)
    assert len(found) == 5
    assert min(found.values()) >= 0.7
