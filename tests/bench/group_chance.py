"""How often each measure of synchrony finds what is not there, and what is: false positives and power, by hand.

Series are autoregressive of order 1 with phi = .98 and innovations of variance 1 (so a standard deviation of 5 bpm)
around 80 bpm, rounded to 1 bpm, 600 s, four members: hard to tell from synchrony, since they wander slowly.

- independent: nothing in common;
- warm-up: nothing in common but the way to the same level, 40 * (1 - exp(-t / 60 s)) bpm, or a ramp of 20 bpm in 300 s;
- signal: a share of the variance is one more such series, the same for all.

    python tests/bench/group_chance.py [--runs 400] [--surrogates 1000] [--preparation high-pass] [--share 0.5]
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from pulsoid_rec.analysis.group.cross_correlation import measure_wcc
from pulsoid_rec.analysis.group.eigenvalue import measure_eigenvalue
from pulsoid_rec.analysis.group.isc import measure_isc
from pulsoid_rec.analysis.group.recurrence import measure_mdrqa
from pulsoid_rec.analysis.group.synchrony import FloatArray, Preparation
from pulsoid_rec.analysis.group.windows import Sample, cut_windows

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


def study(case: str, runs: int, surrogates: int, preparation: Preparation, share: float) -> dict[str, float]:
    """Return by measure the share of runs with p <= 0.05."""
    all_p = [
        p_values(CASES[case](np.random.default_rng((run, 7)), share), preparation, surrogates, run)
        for run in range(runs)
    ]
    return {measure: float(np.mean([p[measure] <= 0.05 for p in all_p])) for measure in all_p[0]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--surrogates", type=int, default=1000)
    parser.add_argument("--preparation", default="high-pass", choices=["high-pass", "differences", "raw"])
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    given = parser.parse_args()
    for case in given.cases:
        started = time.process_time()
        found = study(case, given.runs, given.surrogates, given.preparation, given.share)
        figures = "  ".join(f"{measure} {rate:.3f}" for measure, rate in found.items())
        print(f"{given.preparation:12} {case:12} {figures}  ({time.process_time() - started:.0f} s)", flush=True)
