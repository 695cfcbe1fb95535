"""A session's readings as an array: a row a second, a column a member, NaN wherever no reading holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pulsoid_rec.analysis.metrics.definitions import MICROSECONDS, Definitions
from pulsoid_rec.analysis.metrics.filters import Filter, to_microseconds
from pulsoid_rec.analysis.metrics.grid import column_names
from pulsoid_rec.analysis.reading.grid_reading import read_grid
from pulsoid_rec.analysis.reading.recording import NOBODY, Recording

FloatArray = npt.NDArray[np.float64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_CELLS = 500_000
"""Seconds, times members, that are read at once: some 100 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class SessionGrid:
    """The readings of one session of one room on a grid of 1 s.

    Parameters
    ----------
    room_id, session
        Which session.
    first_s
        The instant of the first row, in whole seconds since 1970 (UTC); row `i` is `first_s + i`.
    bpm
        Beats per minute, of shape (seconds, members): each cell is the plausible reading that holds at that instant,
        for at most `max_hold_s`; NaN in a gap. Never interpolated.
    profile_ids, names
        The members, in the order of the columns; names are all different.
    """

    room_id: str
    session: int
    first_s: int
    bpm: FloatArray
    profile_ids: tuple[str, ...]
    names: tuple[str, ...]


def read_session_grids(
    recording: Recording, wanted: Filter, definitions: Definitions, members: pl.DataFrame = NOBODY
) -> Iterator[SessionGrid]:
    """Read the sessions that a filter selects, one after the other, ordered by room and number.

    Members are those with a reading in the session, ordered by name; `members` (`members.SCHEMA`) gives names. All is
    of one state of the file, which is open until the last session is read. Nothing selected gives nothing.
    """
    with recording.snapshot() as now:
        people = now.members(wanted, definitions, members)
        for row in now.sessions(wanted, definitions).iter_rows(named=True):
            room_id, session = row["room_id"], row["session"]
            there = people.filter(room_id=room_id, session=session)
            columns = column_names(there)
            one = replace(wanted, rooms=(room_id,), session=session)
            first_s, bpm = _read_bpm(now, one, definitions, row, columns)
            if len(bpm):
                yield SessionGrid(room_id, session, first_s, bpm, tuple(columns), tuple(columns.values()))


def _read_bpm(
    now: Recording, one: Filter, definitions: Definitions, session: Mapping[str, Any], columns: Mapping[str, str]
) -> tuple[int, FloatArray]:
    """Read the grid of one session, so many seconds at a time: its first second, and a row for each."""
    from_us, until_us = to_microseconds(session["started_at"]), to_microseconds(session["ended_at"]) + 1
    from_us = from_us if one.since_us is None else max(from_us, one.since_us)
    until_us = until_us if one.until_us is None else min(until_us, one.until_us)
    first, end = (-(-us // MICROSECONDS) for us in (from_us, until_us))
    bpm = np.full((max(0, end - first), len(columns)), np.nan)
    step = max(1, _MOST_CELLS // max(1, len(columns)))
    for begin in range(first, end, step):
        since, until = (_EPOCH + timedelta(seconds=second) for second in (begin, min(begin + step, end)))
        part = read_grid(now, replace(one, since=since, until=until), definitions, columns, every_s=1)
        for place, column in enumerate(columns.values()):
            bpm[begin - first : begin - first + part.height, place] = (
                part[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
            )
    return first, bpm
