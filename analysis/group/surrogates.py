"""Chance: series that have lost their common time but nothing else, and the test against them."""

import numpy as np
import numpy.typing as npt

from pulsoid_rec.analysis.group.synchrony import UNDEFINED, FloatArray, IntArray, Null, Tested
from pulsoid_rec.recorder.contract.errors import UsageError

MIN_SURROGATES = 1000
"""Fewest surrogates of a test: fewer make a p below 0.05 too coarse."""
MAX_SURROGATES = 10_000
"""Most surrogates of a test: more would need more memory, and a p below 0.0001 says no more."""

_MAX_SEED = 2**63 - 1
"""The largest that a column of whole numbers has room for."""

MAX_DRAWN = 200_000_000
"""Most windows that surrogates have together, of all members: 400 MB."""
MAX_ORDERED = 2**15 - 1
"""Most windows of a session, which their numbers have room for: eleven days."""

SHIFTS = (
    "each member's seconds shifted by a random amount of their own, what leaves at the end coming back at the start"
)
ORDERS = "the windows of each member in a random order of their own"


def require_seed(seed: int) -> None:
    """Raise `UsageError` if a seed is negative, or larger than a result has room for."""
    if not 0 <= seed <= _MAX_SEED:
        raise UsageError(f"The seed cannot be {seed}", f"Choose a whole number from 0 to {_MAX_SEED}.")


def draw_shifts(rng: np.random.Generator, surrogates: int, members: int, length: int) -> IntArray:
    """Draw the shift of each member in each surrogate, in samples from 0 to `length` - 1; (surrogates, members).

    A circular shift keeps how a series follows on itself, whatever its distribution (Lancaster et al. 2018, section 4).
    No shift is left out: with the identity among them the test keeps its size (Phipson & Smyth 2010).
    """
    return rng.integers(0, length, (surrogates, members))


def draw_orders(rng: np.random.Generator, surrogates: int, members: int, windows: int) -> npt.NDArray[np.int16]:
    """Draw an order of the windows for each member in each surrogate; (surrogates, members, windows)."""
    return rng.permuted(np.broadcast_to(np.arange(windows, dtype=np.int16), (surrogates, members, windows)), axis=2)


def compare_with_chance(observed: float, surrogates: FloatArray, method: str) -> Tested:
    """Compare a statistic with what it is in the surrogates: one-sided, whether it is larger than by chance.

    p = (1 + #{T_s >= T}) / (1 + S), never 0 (Phipson & Smyth 2010, "Permutation p-values should never be zero"). A
    surrogate in which the statistic is undefined counts as at least as large. The effect size is that of SUSY: the
    distance from the surrogates' mean in their standard deviations (Tschacher & Meier 2020).
    """
    known = surrogates[~np.isnan(surrogates)]
    if np.isnan(observed) or not len(known):
        return UNDEFINED
    slack = 1e-10 * max(1.0, abs(observed))  # equal ones differ by rounding
    larger = len(surrogates) - int(np.count_nonzero(surrogates < observed - slack))
    mean, sd = float(known.mean()), float(known.std())
    return Tested(
        value=float(observed),
        effect_size=(float(observed) - mean) / sd if sd > slack else None,
        p=(1 + larger) / (1 + len(surrogates)),
        null=Null(method=method, surrogates=len(surrogates), mean=mean, p95=float(np.quantile(known, 0.95))),
    )
