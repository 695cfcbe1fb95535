"""How alike members moved over a session, without a test against chance: quick enough for every report.

The measures compare windows in which everybody is observed. A course is for the eye: it has each pair wherever the two
are, and the mean over pairs where at least half of the members are.
"""

import itertools
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from pulsoid_rec.analysis.group.correlations import mean_of_defined
from pulsoid_rec.analysis.group.cross_correlation import mean_z_within
from pulsoid_rec.analysis.group.synchrony import FloatArray, IntArray, Preparation
from pulsoid_rec.analysis.group.windows import MIN_PRESENCE, MIN_WINDOWS, WINDOW_S, cut_windows, share_observed
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.grid import INDEX, make_grid
from pulsoid_rec.analysis.metrics.holds import hold_readings
from pulsoid_rec.analysis.metrics.sessions import INSTANT


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SessionCourse:
    """Correlations within each window of `WINDOW_S` from the grid's first row on.

    Parameters
    ----------
    first_at
        When the first window begins.
    profile_ids
        The members compared; pairs are those of `itertools.combinations`.
    members
        How many of them are observed in each window.
    group, pairs
        Correlations of shape (windows,) and (pairs, windows): the mean over lags up to 5 s, and pairs, of Fisher's z,
        turned back. NaN where the members are too few, or a heart rate does not change.
    """

    first_at: datetime
    profile_ids: tuple[str, ...]
    members: IntArray
    group: FloatArray
    pairs: FloatArray


def find_course(
    bpm: FloatArray, first_at: datetime, profile_ids: tuple[str, ...], preparation: Preparation = "high-pass"
) -> SessionCourse | None:
    """Correlate the members of a session in each window.

    None if fewer than two were observed for long enough, or no two hearts changed in any window. `bpm` is a grid
    of shape (seconds, members), of those of `profile_ids`; its first row is at `first_at`.
    """
    count = len(bpm) // WINDOW_S
    if count < MIN_WINDOWS:
        return None
    there = np.flatnonzero(share_observed(bpm) >= MIN_PRESENCE)
    if len(there) < 2:  # noqa: PLR2004 - two are together
        return None
    series = np.full((count, len(there), WINDOW_S), np.nan)
    members = np.zeros(count, np.int64)
    for number, member in enumerate(there):
        alone = cut_windows(bpm[:, [member]], preparation)
        used = alone.starts_s // WINDOW_S
        members[used] += 1
        series[used, number] = np.where(alone.constant[0, :, None], np.nan, alone.values[0])
    pairs = mean_z_within(series)[0][:, *np.triu_indices(len(there), 1)].T
    if np.isnan(pairs).all():
        return None
    group = np.where(2 * members >= len(there), mean_of_defined(pairs), np.nan)
    ids = tuple(profile_ids[member] for member in there)
    return SessionCourse(
        first_at=first_at, profile_ids=ids, members=members, group=np.tanh(group), pairs=np.tanh(pairs)
    )


def course_of_readings(
    readings: pl.DataFrame, started_at: datetime, ended_at: datetime, definitions: Definitions
) -> SessionCourse | None:
    """Put the readings of one session on a grid, and correlate its members in each window, as `find_course` does.

    `readings` are without duplicates, each member's in the order of time: `room_id`, `session`, `profile_id`, `bpm`,
    `occurred_at`.
    """
    ids = readings["profile_id"].unique().sort().to_list()
    columns = {id_: f"m{number}" for number, id_ in enumerate(ids)}
    ends = {"from_at": pl.lit(started_at, INSTANT), "until_at": pl.lit(ended_at, INSTANT)}
    session = readings.select("room_id", "session").head(1).with_columns(**ends)
    grid = make_grid(hold_readings(readings, definitions), session, columns)
    if grid.is_empty():
        return None
    bpm = grid.drop(*INDEX).cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return find_course(bpm, grid["at"][0], tuple(ids))


def name_pairs(profile_ids: tuple[str, ...], names: dict[str, str]) -> list[str]:
    """Return what each pair is called, in the order of `SessionCourse.pairs`."""
    return [f"{names[one]} and {names[other]}" for one, other in itertools.combinations(profile_ids, 2)]
