"""Pearson correlations of many windows at once, each over the seconds that both members have."""

import numpy as np

from pulsoid_rec.analysis.group.synchrony import FloatArray

_MIN_SECONDS = 3  # two points are always on a line
_ALMOST_ONE = 1 - 1e-12  # two equal series would have an infinite z
_ROUNDING = 1e-9  # of a variance, in square beats per minute


def fisher_z(correlations: FloatArray) -> FloatArray:
    """Return atanh r, finite also for r = 1 (Fisher 1915)."""
    return np.arctanh(np.clip(correlations, -_ALMOST_ONE, _ALMOST_ONE))


def pearson(sums: FloatArray) -> FloatArray:
    """Return r from the sums of 1, x, y, x * x, y * y, x * y over the samples that two series share, in this order.

    NaN with fewer than three samples, or if one of the two does not vary in them.
    """
    n, x, y, xx, yy, xy = sums
    few = n < _MIN_SECONDS
    n = np.where(few, 1, n)
    of_x, of_y = xx - x * x / n, yy - y * y / n
    undefined = few | (of_x <= _ROUNDING * n) | (of_y <= _ROUNDING * n)
    scale = np.sqrt(np.where(undefined, 1, of_x * of_y))
    return np.where(undefined, np.nan, np.clip((xy - x * y / n) / scale, -1, 1))


def mean_of_defined(values: FloatArray) -> FloatArray:
    """Return the mean over the first axis of what is not NaN; NaN where nothing is."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=0)
    return np.where(count == 0, np.nan, np.where(defined, values, 0).sum(axis=0) / np.maximum(count, 1))


def correlate_all(ones: FloatArray, others: FloatArray) -> FloatArray:
    """Correlate every series of one set with every one of another: (..., a, seconds), (..., b, seconds) to (..., a, b).

    Each is over the seconds in which neither of the two is NaN.
    """
    (n_1, x, xx), (n_2, y, yy) = _powers(ones), _powers(others)
    n_2, y, yy = (array.swapaxes(-1, -2) for array in (n_2, y, yy))
    return pearson(np.stack([n_1 @ n_2, x @ n_2, n_1 @ y, xx @ n_2, n_1 @ yy, x @ y]))


def _powers(series: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    there = ~np.isnan(series)
    values = np.where(there, series, 0)
    values -= values.sum(axis=-1, keepdims=True) / np.maximum(there.sum(axis=-1, keepdims=True), 1)  # against rounding
    values *= there
    return there.astype(np.float64), values, values * values
