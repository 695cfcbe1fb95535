"""Windows of a member's readings around instants: each second minus the mean of the window's baseline."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pulsoid_rec.analysis.group.session_grid import FloatArray

IntArray = npt.NDArray[np.int64]

LEAST_OBSERVED = 0.9
"""The share of a window's seconds that have to be observed, else it is left out."""

_MOST_CELLS = 4_000_000  # of windows that are in memory at once, some 100 MB


@dataclass(frozen=True, slots=True)
class Window:
    """What is looked at around an instant, in whole seconds from it: all bounds are inclusive.

    Parameters
    ----------
    before_s, after_s
        The window goes from `-before_s` to `after_s`.
    baseline_s
        First and last second of the baseline, whose mean is taken from every second of the window.
    """

    before_s: int = 30
    after_s: int = 60
    baseline_s: tuple[int, int] = (-30, -5)

    @property
    def seconds(self) -> IntArray:
        """All seconds of the window."""
        return np.arange(-self.before_s, self.after_s + 1)

    @property
    def length(self) -> int:
        """How many seconds it has."""
        return self.before_s + self.after_s + 1


class MemberWindows:
    """The windows of one member around every second of a session.

    `bpm` is the member's column of a `SessionGrid`. What lies before and after it was not observed.
    """

    def __init__(self, bpm: FloatArray, window: Window) -> None:
        self.window = window
        padded = np.pad(bpm, (window.before_s, window.after_s), constant_values=np.nan)
        seen = ~np.isnan(padded)
        filled = np.where(seen, padded, 0.0)
        self._bpm = np.lib.stride_tricks.sliding_window_view(filled, window.length)
        self._seen = np.lib.stride_tricks.sliding_window_view(seen, window.length)
        observed = _sums(seen, window.length)
        first, last = (edge + window.before_s for edge in window.baseline_s)
        wide = last - first + 1
        counts, sums = (_sums(values, wide)[first : first + len(bpm)] for values in (seen, filled))
        self.usable = (observed >= LEAST_OBSERVED * window.length) & (counts > 0)
        self._baseline = sums / np.maximum(counts, 1)

    def responses(self, seconds: IntArray) -> FloatArray:
        """Return the windows around seconds of the session, a row each: changes from the baseline, NaN in gaps."""
        return np.where(self._seen[seconds], self._bpm[seconds] - self._baseline[seconds, None], np.nan)

    def add_up(self, seconds: IntArray) -> tuple[FloatArray, FloatArray]:
        """Add up the usable windows around seconds of the session, a row of them at a time.

        Returns the sums of changes from the baseline and how many windows are in each: a row for each row of `seconds`,
        a column for each second of the window.
        """
        sums, counts = np.zeros((2, len(seconds), self.window.length))
        step = max(1, _MOST_CELLS // (seconds.shape[1] * self.window.length or 1))
        for begin in range(0, len(seconds), step):
            rows = seconds[begin : begin + step]
            usable = self.usable[rows].astype(np.float64)
            seen = self._seen[rows].astype(np.float64)
            counts[begin : begin + step] = np.einsum("rw,rws->rs", usable, seen)
            sums[begin : begin + step] = np.einsum("rw,rws->rs", usable, self._bpm[rows])
            sums[begin : begin + step] -= np.einsum("rw,rws->rs", usable * self._baseline[rows], seen)
        return sums, counts


def _sums(values: npt.NDArray[np.bool_] | FloatArray, length: int) -> FloatArray:
    """Add up each run of so many values; bpm are whole numbers, so that the sums are exact."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    sums: FloatArray = total[length:] - total[:-length]
    return sums
