"""Largest eigenvalue of the correlation matrix: how far all members of a group move along one common line."""

from dataclasses import replace

import numpy as np

from pulsoid_rec.analysis.group.correlations import correlate_all, mean_of_defined
from pulsoid_rec.analysis.group.surrogates import ORDERS, compare_with_chance, draw_orders
from pulsoid_rec.analysis.group.synchrony import Figure, FloatArray, MeasureResult
from pulsoid_rec.analysis.group.windows import MIN_WINDOWS, WINDOW_S, Sample, Windows, too_short

EIGENVALUE = MeasureResult(
    measure="eigenvalue",
    title="Largest eigenvalue",
    method="The largest eigenvalue of the correlation matrix of all members in each window, averaged over windows "
    f"(Meier & Tschacher 2021). By chance: {ORDERS}.",
    range="From 1, no two members correlate, to the number of members, all are the same. Of short windows it is well "
    "above 1 by chance alone: compare it with the surrogates.",
)
_CELLS = 500_000  # numbers in memory at once


def largest_eigenvalues(windows: FloatArray) -> FloatArray:
    """Return the largest eigenvalue of each correlation matrix: (..., members, seconds) to (...).

    Each correlation is over the seconds that both members have. NaN where one of the correlations is undefined.
    """
    each = windows.reshape(-1, *windows.shape[-2:])
    found = np.full(len(each), np.nan)
    at_once = max(1, _CELLS // windows.shape[-2] ** 2)
    for first in range(0, len(each), at_once):
        matrices = correlate_all(each[first : first + at_once], each[first : first + at_once])
        undefined = np.isnan(matrices).any(axis=(-1, -2))
        matrices[undefined] = 0
        found[first : first + at_once] = np.where(undefined, np.nan, np.linalg.eigvalsh(matrices)[..., -1])
    return found.reshape(windows.shape[:-2])


def eigenvalue_of(windows: Windows) -> float:
    """Return the mean largest eigenvalue of a group over the windows in which no member is constant."""
    defined = ~windows.constant.any(axis=0)
    return float(mean_of_defined(largest_eigenvalues(windows.values[:, defined].swapaxes(0, 1))))


def measure_eigenvalue(sample: Sample) -> tuple[MeasureResult, ...]:
    """Measure the mean largest eigenvalue of a group over the windows in which no member is constant."""
    defined = np.flatnonzero(~sample.windows.constant.any(axis=0))
    if len(defined) < MIN_WINDOWS:
        return (replace(EIGENVALUE, reason=too_short(len(defined), "have every member's heart rate change")),)
    windows = sample.windows.values[:, defined]
    members, count = windows.shape[:2]
    observed = largest_eigenvalues(windows.swapaxes(0, 1))
    rng, rows = sample.random(2), np.arange(members)[:, None]
    at_once = max(1, _CELLS // windows.size)
    shuffled = np.empty(sample.surrogates)
    for first in range(0, sample.surrogates, at_once):
        orders = draw_orders(rng, min(at_once, sample.surrogates - first), members, count)
        values = largest_eigenvalues(windows[rows, orders].swapaxes(1, 2))
        shuffled[first : first + at_once] = mean_of_defined(values.T)
    mean = float(mean_of_defined(observed))
    # From 0 to 1, whatever the number of members.
    scaled = compare_with_chance((mean - 1) / (members - 1), (shuffled - 1) / (members - 1), ORDERS)
    result = replace(
        EIGENVALUE,
        group=compare_with_chance(mean, shuffled, ORDERS),
        figures=(Figure(key="scaled", tested=scaled),),
        parameters={"window_s": WINDOW_S},
    )
    return (result,)
