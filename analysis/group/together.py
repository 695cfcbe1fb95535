"""How alike the members of a session moved, by every measure that is wanted."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import get_args

import numpy as np

from pulsoid_rec.analysis.group.detrend import NOTES
from pulsoid_rec.analysis.group.isc import ISC, measure_isc
from pulsoid_rec.analysis.group.session_grid import SessionGrid
from pulsoid_rec.analysis.group.surrogates import MIN_SURROGATES
from pulsoid_rec.analysis.group.synchrony import (
    LeftOut,
    MeasureName,
    MeasureResult,
    Preparation,
    TogetherResult,
)
from pulsoid_rec.analysis.group.windows import WINDOW_S, Sample, cut_windows
from pulsoid_rec.recorder.contract.errors import UsageError

MEASURES: tuple[MeasureName, ...] = get_args(MeasureName)
MIN_PRESENCE = 0.5
"""Share of the session that a member is observed at least; with less, too little would be left for the others."""
MIN_WINDOWS = 10
"""Fewest windows that anything is said about: five minutes."""

_MEASURES: tuple[tuple[MeasureResult, Callable[[Sample], MeasureResult]], ...] = ((ISC, measure_isc),)


def measure_together(
    grid: SessionGrid,
    *,
    preparation: Preparation = "high-pass",
    measures: Collection[MeasureName] = MEASURES,
    surrogates: int = MIN_SURROGATES,
    seed: int = 0,
    min_presence: float = MIN_PRESENCE,
) -> TogetherResult:
    """Measure how alike the members of a session moved, each measure against chance.

    Parameters
    ----------
    grid
        The session, with the members to compare.
    preparation
        What is done with the readings before they are compared.
    measures
        Which measures; each has surrogates of its own, so that it gives the same figures with and without others.
    surrogates, seed
        Number of surrogates, at least `MIN_SURROGATES`, and their seed: the same seed gives the same figures.
    min_presence
        Share of the session that a member has to be observed in, from 0 to 1; the others are left out, and listed.

    Raises
    ------
    UsageError
        With fewer surrogates than a p below 0.05 needs.
    """
    if surrogates < MIN_SURROGATES:
        raise UsageError(f"{surrogates} surrogates are too few", f"Choose {MIN_SURROGATES:,} or more.")
    presence = np.mean(~np.isnan(grid.bpm), axis=0)
    there = np.flatnonzero(presence >= min_presence)
    ids, names = tuple(grid.profile_ids[i] for i in there), tuple(grid.names[i] for i in there)
    windows = cut_windows(grid.bpm[:, there], preparation)
    sample = Sample(windows, ids, names, surrogates, seed)
    used = len(windows.starts_s)
    reason = _reason(len(there), used)
    return TogetherResult(
        room_id=grid.room_id,
        session=grid.session,
        first_s=grid.first_s,
        profile_ids=ids,
        names=names,
        left_out=tuple(
            LeftOut(
                profile_id=grid.profile_ids[i],
                name=grid.names[i],
                reason=f"observed {presence[i]:.0%} of the session, less than {min_presence:.0%}".replace("%", " %"),
            )
            for i in np.flatnonzero(presence < min_presence)
        ),
        preparation=preparation,
        preparation_note=NOTES[preparation],
        seed=seed,
        surrogates=surrogates,
        minutes_used=used * WINDOW_S / 60,
        minutes_dropped=(windows.seconds - used * WINDOW_S) / 60,
        windows_used=used,
        windows_dropped=windows.dropped,
        windows_constant=int(windows.constant.any(axis=0).sum()),
        measures=tuple(
            replace(blank, seed=seed, reason=reason) if reason else replace(_measured(measure(sample)), seed=seed)
            for blank, measure in _MEASURES
            if blank.measure in measures
        ),
    )


def _measured(result: MeasureResult) -> MeasureResult:
    if result.group.value is None and result.reason is None:
        return replace(result, reason="The heart rate of a member does not vary.")
    return result


def _reason(members: int, windows: int) -> str | None:
    if members < 2:  # noqa: PLR2004 - two are together
        return "Fewer than two members were observed for long enough."
    if windows < MIN_WINDOWS:
        return (
            f"Only {windows * WINDOW_S / 60:g} min have every member observed; at least "
            f"{MIN_WINDOWS * WINDOW_S / 60:g} min are needed."
        )
    return None
