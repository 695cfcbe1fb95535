"""Windowed cross-correlation (WCC): how alike two members are within each window, a few seconds apart or not."""

from dataclasses import replace

import numpy as np

from pulsoid_rec.analysis.group.correlations import correlate_all, fisher_z, mean_of_defined
from pulsoid_rec.analysis.group.surrogates import ORDERS, compare_with_chance, draw_orders
from pulsoid_rec.analysis.group.synchrony import FloatArray, MeasureResult
from pulsoid_rec.analysis.group.windows import WINDOW_S, Sample, Windows

MAX_LAG_S = 5
_METHOD = (
    "In each window and at each lag from -5 to +5 s the correlation of the two, as Fisher's z; the mean over lags and "
    "windows, and over pairs for the group (Boker et al. 2002; Tschacher & Meier 2020, SUSY). The lags are averaged: "
    "none is picked, and none says who leads."
)
WCC = MeasureResult(
    measure="wcc",
    title="Windowed cross-correlation (WCC), mean z",
    method=f"{_METHOD} By chance: {ORDERS}.",
    range="Above 0: one rises as the other rises; 0: no relation; below 0: one rises as the other falls.",
)
WCC_ABSOLUTE = MeasureResult(
    measure="wcc-absolute",
    title="Windowed cross-correlation (WCC), mean |z|",
    method=f"{_METHOD} Here without the sign of z, so that opposite movement counts as well. By chance: {ORDERS}.",
    range="0 and above, and well above 0 by chance alone: compare it with the surrogates.",
)
_CELLS = 1_000_000  # numbers in memory at once


def mean_z(ones: FloatArray, others: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean z and mean |z| over the lags, of every series of one set with every one of another.

    Shapes are those of `correlate_all`. Each correlation is over the seconds that overlap at that lag and that both
    have; lags at which it is undefined are left out.
    """
    length = ones.shape[-1]
    shape = (*ones.shape[:-1], others.shape[-2])
    total, absolute, lags = (np.zeros(shape) for _ in range(3))
    for lag in range(-MAX_LAG_S, MAX_LAG_S + 1):
        early, late = slice(0, length - abs(lag)), slice(abs(lag), length)
        z = fisher_z(correlate_all(ones[..., late if lag > 0 else early], others[..., early if lag > 0 else late]))
        defined = ~np.isnan(z)
        z[~defined] = 0
        total += z
        absolute += np.abs(z)
        lags += defined
    none = lags == 0
    lags[none] = 1
    return np.where(none, np.nan, total / lags), np.where(none, np.nan, absolute / lags)


def mean_z_within(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return `mean_z` of all members with one another in each window: (windows, members, seconds), some at a time."""
    at_once = max(1, _CELLS // max(1, values.shape[1]) ** 2)
    parts = [values[first : first + at_once] for first in range(0, max(1, len(values)), at_once)]
    signed, absolute = zip(*(mean_z(part, part) for part in parts), strict=True)
    return np.concatenate(signed), np.concatenate(absolute)


def wcc_of(windows: Windows) -> tuple[float, float]:
    """Return mean z and mean |z| of a group."""
    values = _varying(windows).swapaxes(0, 1)
    pairs = np.triu_indices(values.shape[1], 1)
    signed, absolute = (float(mean_of_defined(mean_of_defined(each)[pairs])) for each in mean_z_within(values))
    return signed, absolute


def _varying(windows: Windows) -> FloatArray:
    return np.where(windows.constant[..., None], np.nan, windows.values)


def measure_wcc(sample: Sample) -> tuple[MeasureResult, ...]:
    """Measure mean z and mean |z| of each pair and of the group; a window is left out where a member is constant."""
    values = _varying(sample.windows)
    count = values.shape[1]
    orders = draw_orders(sample.random(3), sample.surrogates, len(values), count)
    of_pairs = np.empty((2, len(sample.pairs()), 1 + len(orders)))  # first as they were
    for number, (i, j) in enumerate(sample.pairs()):
        for kind, table in enumerate(_table(values[i], values[j])):
            shuffled = (table[order[i], order[j]] for order in orders)
            of_pairs[kind, number] = [mean_of_defined(each) for each in (table.diagonal(), *shuffled)]
    return tuple(_result(sample, blank, of_pairs[kind]) for kind, blank in enumerate((WCC, WCC_ABSOLUTE)))


def _table(ones: FloatArray, others: FloatArray) -> tuple[FloatArray, FloatArray]:
    at_once = max(1, _CELLS // len(ones))
    parts = [mean_z(ones[first : first + at_once], others) for first in range(0, len(ones), at_once)]
    return np.concatenate([signed for signed, _ in parts]), np.concatenate([absolute for _, absolute in parts])


def _result(sample: Sample, blank: MeasureResult, of_pairs: FloatArray) -> MeasureResult:
    of_group = mean_of_defined(of_pairs)
    pairs = zip(sample.pairs(), of_pairs, strict=True)
    return replace(
        blank,
        group=compare_with_chance(of_group[0], of_group[1:], ORDERS),
        pairs=tuple(sample.pair_figure(pair, compare_with_chance(one[0], one[1:], ORDERS)) for pair, one in pairs),
        parameters={"window_s": WINDOW_S, "max_lag_s": MAX_LAG_S},
    )
