"""Groups made up for tests of synchrony, and correlations by the standard library."""

import math
import statistics
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from pulsoid_rec.analysis.group.session_grid import SessionGrid
from pulsoid_rec.analysis.group.windows import Sample, Windows

FloatArray = npt.NDArray[np.float64]


def drawn_bpm(seed: int, members: int, seconds: int, missing: float = 0.03) -> FloatArray:
    """Return heart rates that wander, as whole numbers, with gaps; (seconds, members)."""
    rng = np.random.default_rng(seed)
    bpm = np.rint(80 + np.cumsum(rng.normal(size=(seconds, members)), axis=0))
    bpm[rng.random(bpm.shape) < missing] = np.nan
    return bpm


def drawn_sample(seed: int, members: int, windows: int, surrogates: int = 5, seconds: int = 30) -> Sample:
    """Return windows as they are cut, without preparation."""
    values = drawn_bpm(seed, members, windows * seconds).T.reshape(members, windows, seconds)
    constant = np.zeros((members, windows), np.bool_)
    cut = Windows(values, np.arange(windows) * seconds, constant, windows * seconds)
    names = tuple("abcdefghij"[:members])
    return Sample(cut, names, names, surrogates, seed)


def session_grid(bpm: FloatArray, names: str, session: int = 1) -> SessionGrid:
    """Return a session of members with one-letter names."""
    return SessionGrid("r1", session, 1_800_000_000, bpm, tuple(names), tuple(names))


def correlation(ones: Iterable[float], others: Iterable[float]) -> float:
    """Return Pearson's r over the places where both are numbers, by the standard library; NaN where it is undefined."""
    both = [(x, y) for x, y in zip(ones, others, strict=True) if not math.isnan(x) and not math.isnan(y)]
    try:
        return statistics.correlation(*zip(*both, strict=True)) if len(both) > 2 else math.nan
    except statistics.StatisticsError:
        return math.nan


def z_of(r: float) -> float:
    """Return Fisher's z."""
    return math.atanh(max(-1 + 1e-12, min(1 - 1e-12, r)))
