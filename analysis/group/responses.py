"""Responses: what heart rates did around marks, tested against the same marks shifted around their sessions.

The mean response is that of the peri-event (event-related) average: each window minus its own baseline, averaged over
a member's windows, then over members, each of them once. The interval is the percentile bootstrap over marks (Efron &
Tibshirani 1993): a mark is drawn with the windows of all members that it is about, since they share it, and so are
marks at one second: they are one instant, however often it was marked.

The test shifts all marks of a session as one, circularly, each session by its own random amount: that keeps how the
marks follow each other, and how heart rates drift. Its statistic is the largest absolute mean after the mark, each
second in units of its own spread over the shifts (max-T, Westfall & Young 1993): without these units the last seconds
decide alone, as heart rates wander off their baseline with time. All shifts may be drawn, small ones too, as only that
makes the test exact for marks at random instants.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from pulsoid_rec.analysis.group.mark_windows import IntArray, MemberWindows, Window
from pulsoid_rec.analysis.group.session_grid import FloatArray, SessionGrid

LEAST_INSTANTS = 2  # with fewer used ones there is neither an interval nor a test
RESAMPLES = 1000
_EDGES = (2.5, 97.5)  # percentiles: the middle 95 %


@dataclass(frozen=True, slots=True, eq=False)
class MarkedSession:
    """A session with marks: each one's second (a row of the grid, perhaps outside of it), and whose it is."""

    grid: SessionGrid
    seconds: IntArray
    profile_ids: tuple[str | None, ...]  # None: of all members


@dataclass(slots=True, eq=False)
class MemberResponse:
    """A member's mean response, and what it is made of."""

    windows: int = 0  # marks that are about the member, in sessions that the member took part in
    used: int = 0
    overlapping: int = 0  # of the used ones, those that share seconds with another one
    mean: FloatArray = field(default_factory=lambda: np.empty(0))  # NaN where no window was observed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupResponse:
    """The mean response over members, by the seconds of the window, and how it compares with chance."""

    members: dict[str, MemberResponse]  # by profile id
    used_marks: int
    mean: FloatArray  # NaN where there is nothing
    band: FloatArray  # the middle 95 % over resampled marks: two rows, low and high
    chance: FloatArray  # the middle 95 % over shifted marks, likewise
    farthest: int | None  # index of the second after the mark that differs most, by the test's units
    p: float | None  # None with fewer than `LEAST_INSTANTS` used, or if nothing after them was observed


def compute_responses(
    sessions: Sequence[MarkedSession], window: Window, *, surrogates: int, seed: int
) -> GroupResponse:
    """Compute the mean response by member and over members, its interval, and its p.

    A window counts if at least `LEAST_OBSERVED` of it, and some of its baseline, is observed; so do those of shifted
    marks. A shift after which no window counts is taken for one that is as extreme as what was found.
    """
    rng = np.random.default_rng(seed)
    shifts = [rng.integers(0, len(session.grid.bpm), surrogates) for session in sessions]
    found, shifted = (_Mean(rows, window.length) for rows in (1, surrogates))
    collected = {id_: _collect(sessions, id_, window, shifts, shifted) for id_ in _members(sessions)}
    for each in collected.values():
        each.of.mean = found.add(each.filled.sum(axis=0)[None], each.seen.sum(axis=0)[None])[0]
    used = np.unique(np.concatenate([np.empty(0, np.int64), *(each.marks for each in collected.values())]))
    instants = _instants(sessions)
    mean, is_enough = found.mean[0], len(np.unique(instants[used])) >= LEAST_INSTANTS
    nothing = np.full((2, window.length), np.nan)
    farthest, p = _test(mean, shifted.mean, window) if is_enough else (None, None)
    return GroupResponse(
        members={id_: each.of for id_, each in collected.items()},
        used_marks=len(used),
        mean=mean,
        band=_middle(_resample(collected.values(), instants, used, rng)) if is_enough else nothing,
        chance=_middle(shifted.mean) if is_enough else nothing,
        farthest=farthest,
        p=p,
    )


def _instants(sessions: Sequence[MarkedSession]) -> IntArray:
    """Return the number of each mark's instant, over all sessions: marks at one second of a session have one."""
    at = [(number, second) for number, session in enumerate(sessions) for second in session.seconds.tolist()]
    numbers = {instant: place for place, instant in enumerate(sorted(set(at)))}
    return np.array([numbers[instant] for instant in at], np.int64)


def _resample(
    collected: Collection["_Collected"], instants: IntArray, used: IntArray, rng: np.random.Generator
) -> FloatArray:
    """Return the mean over members for as many instants drawn with repetition, a row for each of the draws."""
    known = np.unique(instants[used])
    times = rng.multinomial(len(known), np.full(len(known), 1 / len(known)), RESAMPLES).astype(np.float64)
    resampled = _Mean(RESAMPLES, next(iter(collected)).filled.shape[1])
    for each in collected:
        drawn = times[:, np.searchsorted(known, instants[each.marks])]
        resampled.add(drawn @ each.filled, drawn @ each.seen)
    return resampled.mean


@dataclass(slots=True, eq=False)
class _Collected:
    """A member's windows that are used, a row each."""

    of: MemberResponse
    marks: IntArray  # the number of each row's mark, over all sessions
    filled: FloatArray  # changes from the baseline, 0 where not observed
    seen: FloatArray  # 1 where observed, else 0


def _members(sessions: Sequence[MarkedSession]) -> list[str]:
    return list(dict.fromkeys(id_ for session in sessions for id_ in session.grid.profile_ids))


def _collect(
    sessions: Sequence[MarkedSession], id_: str, window: Window, shifts: Sequence[IntArray], shifted: "_Mean"
) -> _Collected:
    """Collect a member's windows, and add those of shifted marks to `shifted`."""
    of, marks, responses = MemberResponse(), [np.empty(0, np.int64)], [np.empty((0, window.length))]
    sums, counts = np.zeros((2, len(shifts[0]) if shifts else 0, window.length))
    for session, first, shift in zip(sessions, _numbers(sessions), shifts, strict=True):
        if id_ not in session.grid.profile_ids:
            continue
        about = np.array([each is None or each == id_ for each in session.profile_ids], dtype=bool)
        bpm = session.grid.bpm[:, session.grid.profile_ids.index(id_)]
        of.windows += int(about.sum())
        inside = np.flatnonzero(about & (session.seconds >= 0) & (session.seconds < len(bpm)))
        windows, seconds = MemberWindows(bpm, window), session.seconds[inside]
        usable = windows.usable[seconds]
        of.used += int(usable.sum())
        of.overlapping += _count_overlapping(seconds[usable], window.length)
        marks.append(first + inside[usable])
        responses.append(windows.responses(seconds[usable]))
        added = windows.add_up((seconds + shift[:, None]) % len(bpm))
        sums, counts = sums + added[0], counts + added[1]
    shifted.add(sums, counts)
    rows = np.concatenate(responses)
    return _Collected(of, np.concatenate(marks), np.nan_to_num(rows), (~np.isnan(rows)).astype(np.float64))


def _numbers(sessions: Sequence[MarkedSession]) -> Iterator[int]:
    """Yield the number of each session's first mark, over all sessions."""
    number = 0
    for session in sessions:
        yield number
        number += len(session.seconds)


def _count_overlapping(seconds: IntArray, length: int) -> int:
    apart = np.diff(np.sort(seconds), prepend=-length, append=2**62)
    return int(((apart[1:] < length) | (apart[:-1] < length)).sum())


class _Mean:
    """Means over members, each of them once, a row for each set of marks."""

    def __init__(self, rows: int, seconds: int) -> None:
        self._sums, self._members = np.zeros((2, rows, seconds))

    def add(self, sums: FloatArray, counts: FloatArray) -> FloatArray:
        """Add a member's sums over windows, and their counts; return the member's means."""
        means = _divide(sums, counts)
        self._sums += np.nan_to_num(means)
        self._members += counts > 0
        return means

    @property
    def mean(self) -> FloatArray:
        return _divide(self._sums, self._members)


def _divide(sums: FloatArray, counts: FloatArray) -> FloatArray:
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _middle(means: FloatArray) -> FloatArray:
    """Return the edges of the middle 95 % of each second's means; NaN where there are none."""
    edges = np.full((2, means.shape[1]), np.nan)
    some = ~np.isnan(means).all(axis=0)
    edges[:, some] = np.nanpercentile(means[:, some], _EDGES, axis=0)
    return edges


def _test(mean: FloatArray, shifted: FloatArray, window: Window) -> tuple[int, float] | tuple[None, None]:
    """Return the index of the second after the mark that differs most, and p = (1 + #{T_s >= T}) / (1 + S).

    None if nothing after the mark was observed.
    """
    after = np.flatnonzero(window.seconds > 0)
    sizes = np.abs(np.vstack([mean, shifted])[:, after])
    known = ~np.isnan(sizes)
    if not known[0].any():
        return None, None
    spread = np.sqrt((np.where(known, sizes, 0.0) ** 2).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    units = np.where(known & (spread > 0), sizes / np.where(spread > 0, spread, 1.0), 0.0)
    largest = np.where(known.any(axis=1), units.max(axis=1), np.inf)
    least = largest[0] * (1 - 1e-9)  # what is equal may differ in its last digits
    p = (1 + int((largest[1:] >= least).sum())) / (1 + len(shifted))
    return int(after[units[0].argmax()]), p
