"""A member's heart rate in one session, second by second, with its figures, phases and marks.

Formats that have a file for each member and session are made of it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pulsoid_rec.analysis.metrics.definitions import MICROSECONDS, Definitions
from pulsoid_rec.analysis.metrics.filters import Filter, to_microseconds
from pulsoid_rec.analysis.metrics.members import labels
from pulsoid_rec.analysis.metrics.phases import find_phases, select_marks
from pulsoid_rec.analysis.reading.grid_reading import read_grid
from pulsoid_rec.analysis.reading.marks import read_marks
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.analysis.reading.results import compute_results

NO_READING = -1
"""In place of bpm where no plausible reading holds."""

_MOST_CELLS = 500_000
"""Seconds, times members, that are read at once: some 100 MB."""

_MEMBERS_AT_ONCE = 100
"""Members whose whole session is in memory: 120 MB if that is a week. Each hundred takes a pass over the readings."""

_NO_FIGURES: Mapping[str, Any] = MappingProxyType({})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_INSTANT = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of a session; times are seconds since `Series.zero_at`, the end is exclusive."""

    label: str | None  # None before the first mark of one
    start_s: float
    end_s: float
    figures: Mapping[str, Any]  # the member's row of `summary.BY_PHASE`; empty if no reading of theirs is in it


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark of the member or of the whole room, and when it was made: seconds since `Series.zero_at`."""

    label: str
    at_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A member's heart rate in one session.

    Parameters
    ----------
    zero_at
        The session's first whole second (of the selected range), the same for all members; with moved times, moved.
    first_s
        Seconds from `zero_at` to the first of `bpm`.
    bpm
        A number a second: the plausible reading that holds at that instant, else `NO_READING`. It begins and ends with
        a reading; it is empty for a member without a second of heart rate.
    figures
        The member's row of the summary, with instants as recorded.
    """

    room_id: str
    room_name: str
    session: int
    profile_id: str
    name: str
    zero_at: datetime
    first_s: int
    bpm: npt.NDArray[np.int16]
    figures: Mapping[str, Any]
    phases: tuple[Phase, ...]
    marks: tuple[Mark, ...]

    @property
    def end_s(self) -> int:
        """The first second after the last of `bpm`, since `zero_at`."""
        return self.first_s + len(self.bpm)

    def runs(self) -> list[tuple[int, int]]:
        """Return where there are readings without a gap: first second and the one after the last, since `zero_at`."""
        there = np.flatnonzero(self.bpm != NO_READING)
        if not there.size:
            return []
        cuts = np.flatnonzero(np.diff(there) > 1)
        firsts, lasts = there[np.r_[0, cuts + 1]], there[np.r_[cuts, there.size - 1]]
        return [(self.first_s + int(a), self.first_s + int(b) + 1) for a, b in zip(firsts, lasts, strict=True)]


def move_back(instant: datetime, by: timedelta) -> datetime:
    """Return an instant moved back, but not to before the year 1."""
    return instant - min(by, instant - _FIRST_INSTANT)


def read_series(
    recording: Recording,
    wanted: Filter,
    definitions: Definitions,
    members: pl.DataFrame,
    show_progress: Callable[[float], None] | None = None,
) -> Iterator[Series]:
    """Read what a filter selects, member by member, ordered by room, session, name and id.

    `members` is what is known of them (`members.SCHEMA`). All is of one state of the file, which is open until the last
    is read. `show_progress` is called with the share that is read, 0 to 1. Nothing selected gives nothing.
    """
    with recording.snapshot() as now:
        marks = read_marks(now, wanted.rooms, definitions)
        with now.selection(wanted, definitions) as selection:
            sessions = selection.sessions
            phases = find_phases(marks, sessions)
            results = compute_results(selection, members, phases)
        marks = select_marks(marks, wanted, sessions)
        by_phase = results.summary.clear() if results.by_phase is None else results.by_phase
        rooms, done = now.room_names(), 0
        for session in sessions.iter_rows(named=True):
            this = {"room_id": session["room_id"], "session": session["session"]}
            summary = results.summary.filter(**this)
            people = labels(summary)
            step = max(1, _MOST_CELLS // max(1, len(people)))
            bpm: dict[str, npt.NDArray[np.int16]] = {}
            for place, figures in enumerate(summary.iter_rows(named=True)):
                id_ = figures["profile_id"]
                if place % _MEMBERS_AT_ONCE == 0:
                    batch = list(people)[place : place + _MEMBERS_AT_ONCE]
                    zero_at, bpm = _read_bpm(now, wanted, definitions, session, batch, step=step)
                first_s, trimmed = _trim(bpm[id_])
                yield Series(
                    **this,
                    room_name=rooms.get(this["room_id"], this["room_id"]),
                    profile_id=id_,
                    name=people[id_],
                    zero_at=move_back(zero_at, _shift(recording, this["room_id"])),
                    first_s=first_s,
                    bpm=trimmed,
                    figures=figures,
                    phases=_phases(phases.filter(**this), by_phase.filter(**this, profile_id=id_), zero_at),
                    marks=_marks(marks.filter(**this), id_, zero_at),
                )
                done += 1
                if show_progress is not None:
                    show_progress(done / results.summary.height)


def _read_bpm(
    now: Recording,
    wanted: Filter,
    definitions: Definitions,
    session: Mapping[str, Any],
    people: list[str],
    *,
    step: int,
) -> tuple[datetime, dict[str, npt.NDArray[np.int16]]]:
    """Read a session's grid, so many seconds at a time: its first second, and by profile id a number a second."""
    from_us, until_us = to_microseconds(session["started_at"]), to_microseconds(session["ended_at"]) + 1
    if wanted.since_us is not None:
        from_us = max(from_us, wanted.since_us)
    if wanted.until_us is not None:
        until_us = min(until_us, wanted.until_us)
    zero, end = (-(-us // MICROSECONDS) for us in (from_us, until_us))
    bpm = {id_: np.full(max(0, end - zero), NO_READING, np.int16) for id_ in people}
    columns = {id_: f"member {place}" for place, id_ in enumerate(people)}
    for first in range(zero, end, step):
        since, until = (_EPOCH + timedelta(seconds=second) for second in (first, min(first + step, end)))
        part = replace(wanted, rooms=(session["room_id"],), session=session["session"], since=since, until=until)
        grid = read_grid(now, part, definitions, columns, every_s=1)
        for id_, column in columns.items():
            bpm[id_][first - zero : first - zero + grid.height] = grid[column].fill_null(NO_READING).to_numpy()
    return _EPOCH + timedelta(seconds=zero), bpm


def _trim(bpm: npt.NDArray[np.int16]) -> tuple[int, npt.NDArray[np.int16]]:
    """Return the first second with a reading, and the numbers from there to the last one."""
    there = np.flatnonzero(bpm != NO_READING)
    if not there.size:
        return 0, bpm[:0]
    return int(there[0]), bpm[there[0] : there[-1] + 1]


def _shift(recording: Recording, room_id: str) -> timedelta:
    pseudonyms = recording.pseudonyms
    return timedelta(0) if pseudonyms is None or not pseudonyms.shift_times else pseudonyms.shift(room_id)


def _phases(phases: pl.DataFrame, by_phase: pl.DataFrame, zero_at: datetime) -> tuple[Phase, ...]:
    figures = {row["phase"]: row for row in by_phase.iter_rows(named=True)}
    return tuple(
        Phase(
            row["phase_label"],
            (row["started_at"] - zero_at).total_seconds(),
            (row["ended_at"] - zero_at).total_seconds(),
            figures.get(row["phase"], _NO_FIGURES),
        )
        for row in phases.iter_rows(named=True)
    )


def _marks(marks: pl.DataFrame, profile_id: str, zero_at: datetime) -> tuple[Mark, ...]:
    return tuple(
        Mark(row["label"], (row["occurred_at"] - zero_at).total_seconds())
        for row in marks.filter(pl.col("kind") == "mark").iter_rows(named=True)
        if row["profile_id"] in {None, profile_id}
    )
