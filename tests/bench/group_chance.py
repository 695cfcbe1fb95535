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

import numpy as np
from known_synchrony import CASES, p_values

from pulsoid_rec.analysis.group.synchrony import Preparation


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
