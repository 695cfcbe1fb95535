"""Which parts of a session are compared: windows of 30 s in which every member is observed."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pulsoid_rec.analysis.group.detrend import prepare
from pulsoid_rec.analysis.group.synchrony import BoolArray, FloatArray, IntArray, PairFigure, Preparation, Tested

WINDOW_S = 30
"""Length of a window in seconds (Tschacher & Meier 2020)."""
MIN_OBSERVED = 0.9
"""Share of a window that each member is observed at least; otherwise it is dropped for all."""
MIN_PRESENCE = 0.5
"""Share of a session that a member is observed at least; with less, too little would be left for the others."""
MIN_WINDOWS = 10
"""Fewest windows that anything is said about: five minutes."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows that are used.

    Parameters
    ----------
    values
        Prepared heart rates, of shape (members, windows, `WINDOW_S`); NaN in the short gaps that a window may have.
    starts_s
        Start of each window in seconds since the grid's first row.
    constant
        Where a member's heart rate, or the prepared one, has one and the same value throughout a window, so that no
        correlation is defined there; of shape (members, windows).
    seconds
        Rows of the grid.
    """

    values: FloatArray
    starts_s: IntArray
    constant: BoolArray
    seconds: int

    @property
    def joined(self) -> FloatArray:
        """Windows of each member one after the other, of shape (members, seconds used)."""
        return self.values.reshape(len(self.values), -1)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What a measure works on: the windows of some members, and how many surrogates to draw with which seed."""

    windows: Windows
    profile_ids: tuple[str, ...]
    names: tuple[str, ...]
    surrogates: int
    seed: int

    def random(self, stream: int) -> np.random.Generator:
        """Return random numbers that are the same whichever other measures are computed."""
        return np.random.default_rng((self.seed, stream))

    def pairs(self) -> list[tuple[int, int]]:
        """Return the pairs of members, by their positions."""
        return list(combinations(range(len(self.names)), 2))

    def pair_figure(self, pair: tuple[int, int], tested: Tested) -> PairFigure:
        """Name a pair's statistic."""
        i, j = pair
        ids, names = self.profile_ids, self.names
        return PairFigure(profile_ids=(ids[i], ids[j]), names=(names[i], names[j]), tested=tested)


def share_observed(bpm: FloatArray) -> FloatArray:
    """Return which share of a session each member is observed in: (seconds, members) to (members); 0 of none."""
    share: FloatArray = np.sum(~np.isnan(bpm), axis=0) / max(1, len(bpm))
    return share


def never_changes(bpm: FloatArray) -> BoolArray:
    """Return whose heart rate has one value in the whole session: (seconds, members) to (members)."""
    there = ~np.isnan(bpm)
    highest = np.max(bpm, axis=0, where=there, initial=-np.inf)
    constant: BoolArray = there.any(axis=0) & (highest == np.min(bpm, axis=0, where=there, initial=np.inf))
    return constant


def cut_windows(bpm: FloatArray, preparation: Preparation) -> Windows:
    """Prepare heart rates of shape (seconds, members), and keep the windows that are observed enough."""
    return keep_observed(bpm, prepare(bpm, preparation))


def keep_observed(bpm: FloatArray, prepared: FloatArray) -> Windows:
    """Cut heart rates of shape (seconds, members) into windows from the first row on, and keep those observed enough.

    A second counts as observed where the prepared value exists. The rest at the end that fills no window is not used.
    """
    count, members = len(bpm) // WINDOW_S, bpm.shape[1]
    shape = (count, WINDOW_S, members)
    raw, values = (
        array[: count * WINDOW_S].reshape(shape).transpose(2, 0, 1).astype(np.float64) for array in (bpm, prepared)
    )
    used = (np.mean(~np.isnan(values), axis=2) >= MIN_OBSERVED - 1e-9).all(axis=0) & (members > 0)
    values, raw = values[:, used], raw[:, used]
    return Windows(values, np.flatnonzero(used) * WINDOW_S, _is_constant(raw) | _is_constant(values), len(bpm))


def too_short(windows: int, have: str) -> str:
    """Say that there are fewer than `MIN_WINDOWS` windows of a kind."""
    return f"Only {windows * WINDOW_S / 60:g} min {have}; at least {MIN_WINDOWS * WINDOW_S / 60:g} min are needed."


def _is_constant(windows: FloatArray) -> BoolArray:
    if not windows.size:
        return np.zeros(windows.shape[:2], np.bool_)
    spread: BoolArray = np.nanmax(windows, axis=2) - np.nanmin(windows, axis=2) < 1e-9  # noqa: PLR2004 - rounding
    return spread
