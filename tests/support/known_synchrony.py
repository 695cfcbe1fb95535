"""Series of groups whose synchrony is known: none, none but a common warm-up, and some.

Autoregressive of order 1 with phi = .98 and innovations of variance 1 (so a standard deviation of 5 bpm) around 80 bpm:
hard to tell from synchrony, since they wander slowly.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pulsoid_rec.analysis.group.cross_correlation import measure_wcc
from pulsoid_rec.analysis.group.eigenvalue import measure_eigenvalue
from pulsoid_rec.analysis.group.isc import measure_isc
from pulsoid_rec.analysis.group.recurrence import measure_mdrqa
from pulsoid_rec.analysis.group.synchrony import Preparation
from pulsoid_rec.analysis.group.windows import Sample, cut_windows

FloatArray = npt.NDArray[np.float64]
SECONDS, MEMBERS, PHI = 600, 4, 0.98
NAMES = ("ann", "bob", "cid", "dee")


def wander(rng: np.random.Generator, members: int, seconds: int = SECONDS) -> FloatArray:
    """Return independent autoregressive series of shape (seconds, members), in their steady state."""
    steps = rng.normal(size=(seconds, members))
    steps[0] /= np.sqrt(1 - PHI * PHI)
    series = np.empty_like(steps)
    now = np.zeros(members)
    for second, step in enumerate(steps):
        now = PHI * now + step
        series[second] = now
    return series


def independent(rng: np.random.Generator, _share: float) -> FloatArray:
    """Return members with nothing in common."""
    return 80 + wander(rng, MEMBERS)


def warm_up(rng: np.random.Generator, _share: float) -> FloatArray:
    """Return members who warm up in the same way, fast at first."""
    warm: FloatArray = 40 * (1 - np.exp(-np.arange(SECONDS) / 60))[:, None]
    return independent(rng, 0) + warm


def ramp(rng: np.random.Generator, _share: float) -> FloatArray:
    """Return members who rise by 20 bpm in 300 s, steadily, and stay there."""
    rise: FloatArray = 20 * np.minimum(1, np.arange(SECONDS) / 300)[:, None]
    return independent(rng, 0) + rise


def signal(rng: np.random.Generator, share: float) -> FloatArray:
    """Return members who share a part of their variance."""
    own: FloatArray = np.sqrt(1 - share) * wander(rng, MEMBERS)
    common: FloatArray = np.sqrt(share) * wander(rng, 1)
    return 80 + own + common


CASES: dict[str, Callable[[np.random.Generator, float], FloatArray]] = {
    "independent": independent,
    "warm-up": warm_up,
    "ramp": ramp,
    "signal": signal,
}


def p_values(bpm: FloatArray, preparation: Preparation, surrogates: int, seed: int) -> dict[str, float]:
    """Return the p of the group by measure; 1 where a measure is undefined."""
    sample = Sample(cut_windows(np.rint(bpm), preparation), NAMES, NAMES, surrogates, seed)
    results = (*measure_isc(sample), *measure_eigenvalue(sample), *measure_wcc(sample), *measure_mdrqa(sample))
    return {result.measure: 1.0 if result.group.p is None else result.group.p for result in results}
