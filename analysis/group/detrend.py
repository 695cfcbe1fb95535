"""What is done with heart rates before they are compared: slow changes are taken out.

Two hearts that both warm up are alike whatever else they do, and the slower a series changes, the more often two of
them look alike by chance (Yule 1926). So the preparation matters more than the measure.
"""

import numpy as np

from pulsoid_rec.analysis.group.synchrony import FloatArray, Preparation

HIGH_PASS_S = 60
"""Length of the mean that the high-pass takes out, in seconds."""

NOTES: dict[Preparation, str] = {
    "high-pass": "Each reading minus the mean of the 60 s around it, so that slow changes, like warming up, are out. "
    "What all share within a minute or two is not slow, and stays.",
    "differences": "Changes from second to second. Slow changes are weakened, but not taken out: after a common "
    "warm-up, ISC found synchrony that was not there in 23 % of groups instead of 5 %. The high-pass is safer.",
    "raw": "Heart rates as recorded. Slow changes are left in: after a common warm-up ISC finds synchrony in every "
    "group, whether or not there is any. Use it only to compare with results of others.",
}
"""What each preparation does, and how it errs: by tests/bench/group_chance.py."""


def prepare(bpm: FloatArray, preparation: Preparation) -> FloatArray:
    """Prepare heart rates of shape (seconds, members) for comparison; NaN stays NaN."""
    match preparation:
        case "high-pass":
            return subtract_centred_mean(bpm)
        case "differences":
            return np.diff(bpm, axis=0, prepend=np.full((1, bpm.shape[1]), np.nan))
        case "raw":
            return bpm


def subtract_centred_mean(bpm: FloatArray, span_s: int = HIGH_PASS_S) -> FloatArray:
    """Subtract from each value the mean of the seconds around it, itself included.

    The mean is over those seconds t - d and t + d, d up to half the span, that are both observed, so that it stays
    centred beside a gap and at the ends: a steady rise leaves nothing. With fewer than half of these pairs it is NaN.
    """
    half = span_s // 2
    total, pairs = bpm.copy(), np.zeros(bpm.shape)
    for offset in range(1, min(half, (len(bpm) - 1) // 2) + 1):
        both = bpm[: -2 * offset] + bpm[2 * offset :]
        there = ~np.isnan(both)
        total[offset:-offset] += np.where(there, both, 0)
        pairs[offset:-offset] += there
    enough = pairs >= half / 2
    return np.where(enough, bpm - total / (1 + 2 * pairs), np.nan)
