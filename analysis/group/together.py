"""How alike the members of a session moved, by every measure that is wanted."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np

from pulsoid_rec.analysis.group.cross_correlation import WCC, WCC_ABSOLUTE, measure_wcc
from pulsoid_rec.analysis.group.detrend import NOTES
from pulsoid_rec.analysis.group.eigenvalue import EIGENVALUE, measure_eigenvalue
from pulsoid_rec.analysis.group.isc import ISC, measure_isc
from pulsoid_rec.analysis.group.pseudo_groups import compare_with_pseudo_groups
from pulsoid_rec.analysis.group.recurrence import MDRQA, measure_mdrqa
from pulsoid_rec.analysis.group.session_grid import SessionGrid
from pulsoid_rec.analysis.group.surrogates import MIN_SURROGATES
from pulsoid_rec.analysis.group.synchrony import (
    LeftOut,
    MeasureName,
    MeasureResult,
    Preparation,
    TogetherResult,
)
from pulsoid_rec.analysis.group.windows import (
    MIN_PRESENCE,
    MIN_WINDOWS,
    WINDOW_S,
    Sample,
    cut_windows,
    present,
    too_short,
)
from pulsoid_rec.recorder.contract.errors import UsageError

MEASURES: tuple[MeasureName, ...] = get_args(MeasureName)
_CONSTANT = "The heart rate of a member does not vary."

_MEASURES: tuple[tuple[tuple[MeasureResult, ...], Callable[[Sample], tuple[MeasureResult, ...]]], ...] = (
    ((ISC,), measure_isc),
    ((EIGENVALUE,), measure_eigenvalue),
    ((WCC, WCC_ABSOLUTE), measure_wcc),
    ((MDRQA,), measure_mdrqa),
)


def measure_together(
    grid: SessionGrid,
    others: Sequence[SessionGrid] = (),
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
    others
        Other sessions, for pseudo-groups: each measure then has a figure `pseudo_groups`, if they are long enough.
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
    enough = present(grid.bpm, min_presence)
    there = np.flatnonzero(enough)
    ids, names = tuple(grid.profile_ids[i] for i in there), tuple(grid.names[i] for i in there)
    windows = cut_windows(grid.bpm[:, there], preparation)
    sample = Sample(windows, ids, names, surrogates, seed)
    used = len(windows.starts_s)
    results = tuple(_measure(sample, measures))
    if others and any(result.group.value is not None for result in results):
        radius = next((float(one.parameters["radius"]) for one in results if "radius" in one.parameters), None)
        figures = compare_with_pseudo_groups((grid, *others), preparation, radius, min_presence, seed)
        results = tuple(
            replace(one, figures=(*one.figures, figures[one.measure])) if one.measure in figures else one
            for one in results
        )
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
            for i in np.flatnonzero(~enough)
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
        measures=results,
    )


def _measure(sample: Sample, wanted: Collection[MeasureName]) -> Iterator[MeasureResult]:
    reason = _reason(sample)
    for blanks, measure in _MEASURES:
        if any(blank.measure in wanted for blank in blanks):
            for result in blanks if reason else measure(sample):
                if result.measure in wanted:
                    why = None if result.group.value is not None else reason or result.reason or _CONSTANT
                    yield replace(result, seed=sample.seed, reason=why)


def _reason(sample: Sample) -> str | None:
    if len(sample.names) < 2:  # noqa: PLR2004 - two are together
        return "Fewer than two members were observed for long enough."
    windows = len(sample.windows.starts_s)
    return too_short(windows, "have every member observed") if windows < MIN_WINDOWS else None
