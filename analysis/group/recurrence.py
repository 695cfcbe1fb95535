"""Multidimensional recurrence quantification (MdRQA): how often a whole group is back in a state it was in before."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pulsoid_rec.analysis.group.surrogates import SHIFTS, compare_with_chance, draw_shifts
from pulsoid_rec.analysis.group.synchrony import Figure, FloatArray, IntArray, MeasureResult
from pulsoid_rec.analysis.group.windows import Sample, Windows

BIN_S = 5
"""Length of the means that states are made of, in seconds: a window holds a whole number of them."""
MIN_LINE = 2
"""Shortest line, in states."""
RECURRENCE = 0.05
"""Share of the pairs of states within the radius in surrogates, which the radius is chosen for."""
MAX_STATES = 2880
"""Most states: four hours. Time and memory grow with their square."""
_FOR_RADIUS = 20
_ONE_THREAD = 250_000
"""Multiplications of two matrices that OpenBLAS does without threads, which would mostly wait for each other."""

MDRQA = MeasureResult(
    measure="mdrqa",
    title="Multidimensional recurrence (MdRQA)",
    method="A state of the group is the means over 5 s of the heart rates of all members, each scaled to mean 0 and "
    "variance 1. Two states recur if they are nearer than a radius, chosen once so that 5 % do so by chance. The share "
    "of pairs of states that do is tested; lines show how recurrences follow each other, also over windows that were "
    f"dropped (Wallot et al. 2016; Marwan et al. 2007). By chance: {SHIFTS}.",
    range="Recurrence from 0 to 1; above that of chance the group as a whole comes back to fewer states than its "
    "members would apart.",
)


class Recurrence(NamedTuple):
    """Figures of one recurrence plot without its main diagonal; NaN where there is no line to take a mean of."""

    recurrence_rate: float  # share of the pairs of states that recur (RR)
    determinism: float  # share of the recurrences on diagonal lines of 2 states or more (DET): the same way again
    mean_line: float  # mean length of these lines, in states
    longest_line: float  # length of the longest of them, in states
    entropy: float  # Shannon entropy of the lengths of these lines, in bits
    laminarity: float  # share of the recurrences on vertical lines of 2 states or more (LAM): it stays as it is
    trapping_time: float  # mean length of these vertical lines, in states (TT)


def five_second_means(windows: FloatArray) -> FloatArray:
    """Return means of `BIN_S` seconds, (members, windows, seconds) to (members, states), scaled by member.

    A mean is over what is observed of it, NaN if that is less than half. Scaled to mean 0 and variance 1;
    all NaN for a member who does not vary.
    """
    bins = windows.reshape(len(windows), -1, BIN_S)
    there = (~np.isnan(bins)).sum(axis=2)
    means = np.where(there > BIN_S / 2, np.nansum(bins, axis=2) / np.maximum(there, 1), np.nan)
    means -= np.nanmean(means, axis=1, keepdims=True)
    sd = np.nanstd(means, axis=1, keepdims=True)
    return np.where(sd > 0, means / np.where(sd > 0, sd, 1), np.nan)


def recurrences(states: FloatArray, radius: float) -> tuple[IntArray, IntArray]:
    """Return the pairs of states i < j whose Euclidean distance is below a radius: all i, and all j, in row order.

    `states` has the shape (members, states); a state with a NaN recurs with none.
    """
    square = (states * states).sum(axis=0)
    left = np.vstack([-2 * states, square, np.ones_like(square)])
    right = np.vstack([states, np.ones_like(square), square])  # left.T @ right is the square of each distance
    rows, columns = [], []
    first, count = 0, states.shape[1]
    while first < count:
        block = min(256, max(1, _ONE_THREAD // (len(left) * (count - first))))
        near = left[:, first : first + block].T @ right[:, first:] < radius * radius
        row, column = np.divmod(np.flatnonzero(near), count - first)
        above = column > row
        rows.append(row[above] + first)
        columns.append(column[above] + first)
        first += block
    return np.concatenate(rows), np.concatenate(columns)


def quantify(states: FloatArray, radius: float) -> Recurrence:
    """Quantify the recurrence plot of a group; `states` of shape (members, states).

    Shares are of the pairs of states without a NaN (RR) and of the recurrences (DET, LAM). A line ends at a state with
    a NaN and at the main diagonal. The plot is symmetric, so its upper half has all lines: its rows are the columns of
    the lower one.
    """
    i, j = recurrences(states, radius)
    valid, count = int((~np.isnan(states).any(axis=0)).sum()), states.shape[1]
    diagonal = _lines(np.sort((j - i) * count + i))
    vertical = np.concatenate([_lines(i * count + j), _lines(np.sort(j * count + i))])
    share = np.bincount(diagonal)[MIN_LINE:] / max(1, len(diagonal)) if len(diagonal) else np.zeros(0)
    share = share[share > 0]
    return Recurrence(
        recurrence_rate=len(i) / (valid * (valid - 1) / 2) if valid > 1 else np.nan,
        determinism=diagonal.sum() / len(i) if len(i) else np.nan,
        mean_line=diagonal.mean() if len(diagonal) else np.nan,
        longest_line=float(diagonal.max()) if len(diagonal) else 0.0,
        entropy=float(-(share * np.log2(share)).sum()) if len(diagonal) else np.nan,
        laminarity=vertical.sum() / (2 * len(i)) if len(i) else np.nan,
        trapping_time=vertical.mean() if len(vertical) else np.nan,
    )


def _lines(cells: IntArray) -> IntArray:
    # cells are numbered along the lines, ascending, so that a line is a run of numbers; short ones are left out
    starts = np.flatnonzero(np.diff(cells, prepend=-2) != 1)
    lengths = np.diff(starts, append=len(cells))
    return lengths[lengths >= MIN_LINE]


def choose_radius(shifted: Iterator[FloatArray], rate: float = RECURRENCE) -> float:
    """Return the radius below which a share of the distances in surrogates is, rounded to 3 digits after the point.

    It depends on the surrogates alone, so that the group is not measured with a radius made for it.
    """
    squares = []
    for states in shifted:
        valid = states[:, ~np.isnan(states).any(axis=0)][:, :500]
        square = (valid * valid).sum(axis=0)
        squares.append((square[:, None] + square - 2 * valid.T @ valid)[np.triu_indices(len(square), 1)])
    return round(float(np.sqrt(np.quantile(np.concatenate(squares), rate))), 3)


def _shift(states: FloatArray, shifts: IntArray) -> FloatArray:
    count = states.shape[1]
    return np.take_along_axis(states, (np.arange(count) - shifts[:, None]) % count, axis=1)


def recurrence_of(windows: Windows, radius: float) -> float:
    """Return the recurrence rate of a group."""
    return quantify(five_second_means(windows.values), radius).recurrence_rate


def measure_mdrqa(sample: Sample) -> tuple[MeasureResult, ...]:
    """Measure the recurrences of a group; RR is what is tested, the other figures have their test beside them."""
    states = five_second_means(sample.windows.values)
    members, count = states.shape
    if count > MAX_STATES:
        hours = MAX_STATES * BIN_S / 3600
        return (replace(MDRQA, reason=f"More than {hours:g} h are too much for MdRQA. Choose a range of time."),)
    if np.isnan(states).all(axis=1).any():
        return (MDRQA,)
    rng = sample.random(4)
    radius = choose_radius(_shift(states, shifts) for shifts in draw_shifts(rng, _FOR_RADIUS, members, count))
    observed = quantify(states, radius)
    surrogates = [
        quantify(_shift(states, shifts), radius) for shifts in draw_shifts(rng, sample.surrogates, members, count)
    ]
    tested = {
        key: compare_with_chance(value, np.array([getattr(one, key) for one in surrogates]), SHIFTS)
        for key, value in observed._asdict().items()
    }
    result = replace(
        MDRQA,
        group=tested["recurrence_rate"],
        figures=tuple(Figure(key=key, tested=one) for key, one in tested.items()),
        parameters={
            "mean_s": BIN_S,
            "states": count,
            "radius": radius,
            "embedding_dimension": 1,
            "embedding_delay": 0,
            "min_line": MIN_LINE,
        },
    )
    return (result,)
