"""A session's readings as an array: a row a second, a column a member, NaN wherever no reading holds."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from pulsoid_rec.analysis.metrics.definitions import MICROSECONDS, Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.grid import INDEX, column_names
from pulsoid_rec.analysis.reading.grid_reading import read_grid
from pulsoid_rec.analysis.reading.recording import NOBODY, Recording

FloatArray = npt.NDArray[np.float64]


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
        for room_id, session in now.sessions(wanted, definitions).select("room_id", "session").iter_rows():
            there = people.filter(room_id=room_id, session=session)
            columns = column_names(there)
            one = replace(wanted, rooms=(room_id,), session=session)
            grid = read_grid(now, one, definitions, columns, every_s=1)
            if grid.is_empty():
                continue
            yield SessionGrid(
                room_id,
                session,
                grid["at"].dt.epoch("us")[0] // MICROSECONDS,
                grid.drop(*INDEX).cast(pl.Float64).fill_null(float("nan")).to_numpy(),
                tuple(columns),
                tuple(columns.values()),
            )
