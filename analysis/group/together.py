"""How alike the members of a session moved, by every measure that is wanted."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import get_args

from pulsoid_rec.analysis.group.cross_correlation import WCC, WCC_ABSOLUTE, measure_wcc
from pulsoid_rec.analysis.group.detrend import NOTES
from pulsoid_rec.analysis.group.eigenvalue import EIGENVALUE, measure_eigenvalue
from pulsoid_rec.analysis.group.isc import ISC, measure_isc
from pulsoid_rec.analysis.group.pseudo_groups import compare_with_pseudo_groups
from pulsoid_rec.analysis.group.recurrence import MDRQA, measure_mdrqa
from pulsoid_rec.analysis.group.session_grid import SessionGrid
from pulsoid_rec.analysis.group.surrogates import (
    MAX_DRAWN,
    MAX_ORDERED,
    MAX_SURROGATES,
    MIN_SURROGATES,
    require_seed,
)
from pulsoid_rec.analysis.group.synchrony import (
    FloatArray,
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
    keep_observed,
    never_changes,
    share_observed,
    too_short,
)
from pulsoid_rec.recorder.contract.errors import UsageError

MEASURES: tuple[MeasureName, ...] = get_args(MeasureName)
"""All measures, in the order of their figures."""

_CONSTANT = "The heart rate of a member does not vary."

_MEASURES: tuple[tuple[tuple[MeasureResult, ...], Callable[[Sample], tuple[MeasureResult, ...]]], ...] = (
    ((ISC,), measure_isc),
    ((EIGENVALUE,), measure_eigenvalue),
    ((WCC, WCC_ABSOLUTE), measure_wcc),
    ((MDRQA,), measure_mdrqa),
)


def parse_measures(names: Iterable[str]) -> tuple[MeasureName, ...]:
    """Return the measures that are named, in the order of `MEASURES`; `UsageError` if there is no such one."""
    wanted = list(names)
    for name in wanted:
        if name not in MEASURES:
            raise UsageError(f"There is no measure {name!r}", f"The measures are {', '.join(MEASURES)}.")
    return tuple(name for name in MEASURES if name in wanted)


def measure_together(
    grid: SessionGrid,
    others: Sequence[SessionGrid] = (),
    *,
    preparation: Preparation = "high-pass",
    measures: Collection[MeasureName] = MEASURES,
    surrogates: int = MIN_SURROGATES,
    seed: int = 0,
    show_progress: Callable[[float], None] | None = None,
) -> TogetherResult:
    """Measure how alike the members of a session moved, each measure against chance.

    Members who were observed in less than `MIN_PRESENCE` of it are left out, and listed.

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
        Number of surrogates, from `MIN_SURROGATES` to `MAX_SURROGATES`, and their seed, with which figures are the same
        again.
    show_progress
        Called with the share that is measured, 0 to 1.

    Raises
    ------
    UsageError
        With fewer surrogates than a p below 0.05 needs, or more than memory has room for; or a negative seed.
    """
    require_seed(seed)
    if not MIN_SURROGATES <= surrogates <= MAX_SURROGATES:
        few_or_many = "few" if surrogates < MIN_SURROGATES else "many"
        hint = f"Choose from {MIN_SURROGATES:,} to {MAX_SURROGATES:,}."
        raise UsageError(f"{surrogates:,} surrogates are too {few_or_many}", hint)
    left_out = _left_out(grid)
    there = [i for i in range(len(grid.names)) if i not in left_out]
    ids, names = tuple(grid.profile_ids[i] for i in there), tuple(grid.names[i] for i in there)
    windows = cut_windows(grid.bpm[:, there], preparation)
    sample = Sample(windows, ids, names, surrogates, seed)
    used = len(windows.starts_s)
    results: tuple[MeasureResult, ...] = ()
    for result in _measure(sample, measures, _name_absent(grid.bpm[:, there], names)):
        results += (result,)
        if show_progress is not None:
            show_progress(len(results) / (len(measures) + 1))
    if others and any(result.group.value is not None for result in results):
        results = _beside_pseudo_groups(results, (grid, *others), preparation, seed)
    if show_progress is not None:
        show_progress(1.0)
    return TogetherResult(
        room_id=grid.room_id,
        session=grid.session,
        first_s=grid.first_s,
        profile_ids=ids,
        names=names,
        left_out=tuple(left_out.values()),
        preparation=preparation,
        preparation_note=NOTES[preparation],
        seed=seed,
        surrogates=surrogates,
        minutes_used=used * WINDOW_S / 60,
        minutes_dropped=(windows.seconds - used * WINDOW_S) / 60,
        windows_constant=int(windows.constant.any(axis=0).sum()),
        measures=results,
    )


def _left_out(grid: SessionGrid) -> dict[int, LeftOut]:
    found = {}
    share, constant = share_observed(grid.bpm), never_changes(grid.bpm)
    for i, (profile_id, name) in enumerate(zip(grid.profile_ids, grid.names, strict=True)):
        if share[i] < MIN_PRESENCE:
            reason = f"observed in {math.floor(100 * share[i])} % of the session, less than {100 * MIN_PRESENCE:g} %"
        elif constant[i]:
            reason = "the heart rate does not change in the whole session"
        else:
            continue
        found[i] = LeftOut(profile_id=profile_id, name=name, reason=reason)
    return found


def _beside_pseudo_groups(
    results: tuple[MeasureResult, ...],
    sessions: Sequence[SessionGrid],
    preparation: Preparation,
    seed: int,
) -> tuple[MeasureResult, ...]:
    radius = next((float(one.parameters["radius"]) for one in results if "radius" in one.parameters), None)
    figures = compare_with_pseudo_groups(sessions, preparation, radius, seed)
    return tuple(
        replace(one, figures=(*one.figures, figures[one.measure])) if one.measure in figures else one for one in results
    )


def _name_absent(bpm: FloatArray, names: tuple[str, ...]) -> str:
    """Name the member who is observed in the fewest windows, if there are any differences; else it is empty."""
    alone = [len(keep_observed(bpm[:, [i]], bpm[:, [i]]).starts_s) for i in range(len(names))]
    if not alone or min(alone) == max(alone):
        return ""
    fewest = alone.index(min(alone))
    return f" {names[fewest]} alone has {min(alone) * WINDOW_S / 60:g} min: compare the others without."


def _measure(sample: Sample, wanted: Collection[MeasureName], absent: str) -> Iterator[MeasureResult]:
    reason = _reason(sample, absent)
    for blanks, measure in _MEASURES:
        if any(blank.measure in wanted for blank in blanks):
            for result in blanks if reason else measure(sample):
                if result.measure in wanted:
                    why = None if result.group.value is not None else reason or result.reason or _CONSTANT
                    yield replace(result, seed=sample.seed, reason=why)


def _reason(sample: Sample, absent: str) -> str | None:
    if len(sample.names) < 2:  # noqa: PLR2004 - two are together
        return "Fewer than two members were observed for long enough."
    windows = len(sample.windows.starts_s)
    if windows > MAX_ORDERED or windows * len(sample.names) * sample.surrogates > MAX_DRAWN:
        return "These are too many minutes, members and surrogates for memory. Choose a range of time, or fewer."
    return too_short(windows, "have every member observed") + absent if windows < MIN_WINDOWS else None
