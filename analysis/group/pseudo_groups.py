"""Pseudo-groups: members of different sessions, put together as if they had met. What they share is the programme.

People at different times share neither events nor influence, but all that goes with the time since a session's start: a
warm-up, the halves of a match. What the real group has beyond it comes from being together (Bernieri et al. 1988).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np

from pulsoid_rec.analysis.group.cross_correlation import wcc_of
from pulsoid_rec.analysis.group.detrend import prepare
from pulsoid_rec.analysis.group.eigenvalue import eigenvalue_of
from pulsoid_rec.analysis.group.isc import isc_of
from pulsoid_rec.analysis.group.recurrence import recurrence_of
from pulsoid_rec.analysis.group.session_grid import SessionGrid
from pulsoid_rec.analysis.group.surrogates import compare_with_chance
from pulsoid_rec.analysis.group.synchrony import Figure, FloatArray, MeasureName, Preparation
from pulsoid_rec.analysis.group.windows import (
    MIN_PRESENCE,
    MIN_WINDOWS,
    WINDOW_S,
    keep_observed,
    never_changes,
    share_observed,
)

T = TypeVar("T")
GROUPS = 100
"""Number of pseudo-groups, and of choices of members of the real group where that is larger."""


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A member in one session: heart rates as recorded and prepared, a value a second."""

    profile_id: str
    session: int
    bpm: FloatArray
    prepared: FloatArray


def compare_with_pseudo_groups(
    sessions: Sequence[SessionGrid], preparation: Preparation, radius: float | None, seed: int
) -> dict[MeasureName, Figure]:
    """Compare the group of the first session with pseudo-groups from all of them, by every measure.

    Parameters
    ----------
    sessions
        The session, and those that pseudo-groups are made from together with it. A pseudo-group has at most one member
        of each, and nobody twice. With fewer sessions than members the groups are as large as there are sessions, and
        what is compared is the mean over such choices of the real members.
    preparation, radius, seed
        As for the real group; the radius is that of its MdRQA, None without one.

    Returns
    -------
    dict
        A figure by measure: p is the share of pseudo-groups of at least the value, the real group being one. Empty
        where no pseudo-groups can be made.
    """
    rng = np.random.default_rng((seed, 5))
    pools = [_members(number, grid, preparation) for number, grid in enumerate(sessions)]
    size = min(len(pools[0]), sum(map(bool, pools)))
    if size < 2:  # noqa: PLR2004 - two are together
        return {}
    if math.comb(len(pools[0]), size) > GROUPS:
        choices = [_choose(pools[0], size, rng) for _ in range(GROUPS)]
    else:
        choices = list(combinations(pools[0], size))
    real, pseudo = (
        [found for group in groups if (found := _statistics(group, radius))]
        for groups in (choices, _draw([pool for pool in pools if pool], size, rng))
    )
    if not real or not pseudo:
        return {}
    method = f"{len(pseudo)} pseudo-groups of {size}"
    return {
        key: Figure(
            key="pseudo_groups",
            tested=compare_with_chance(
                float(np.mean([found[key] for found in real])), np.array([found[key] for found in pseudo]), method
            ),
        )
        for key in real[0]
    }


def _members(number: int, grid: SessionGrid, preparation: Preparation) -> list[Member]:
    there = (share_observed(grid.bpm) >= MIN_PRESENCE) & ~never_changes(grid.bpm)
    prepared = prepare(grid.bpm, preparation)
    return [Member(grid.profile_ids[i], number, grid.bpm[:, i], prepared[:, i]) for i in np.flatnonzero(there)]


def _choose(among: Sequence[T], size: int, rng: np.random.Generator) -> tuple[T, ...]:
    return tuple(among[int(at)] for at in np.sort(rng.choice(len(among), size, replace=False)))


def _draw(pools: Sequence[Sequence[Member]], size: int, rng: np.random.Generator) -> Iterator[tuple[Member, ...]]:
    seen = set()
    for _ in range(10 * GROUPS):  # some attempts meet the same person twice, or a group again
        group = tuple(pool[int(rng.integers(len(pool)))] for pool in _choose(pools, size, rng))
        key = tuple((member.session, member.profile_id) for member in group)
        if key not in seen and len({profile_id for _, profile_id in key}) == size:
            seen.add(key)
            yield group
        if len(seen) == GROUPS:
            return


def _statistics(group: Sequence[Member], radius: float | None) -> Mapping[MeasureName, float] | None:
    seconds = min(len(member.bpm) for member in group)  # like times: as long as the shortest
    if seconds < MIN_WINDOWS * WINDOW_S:
        return None
    bpm, prepared = (
        np.stack([array[:seconds] for array in arrays], axis=1)
        for arrays in ([member.bpm for member in group], [member.prepared for member in group])
    )
    windows = keep_observed(bpm, prepared)
    if len(windows.starts_s) < MIN_WINDOWS:
        return None
    signed, absolute = wcc_of(windows)
    found: dict[MeasureName, float] = {
        "isc": isc_of(windows),
        "eigenvalue": eigenvalue_of(windows),
        "wcc": signed,
        "wcc-absolute": absolute,
    }
    return found if radius is None else {**found, "mdrqa": recurrence_of(windows, radius)}
