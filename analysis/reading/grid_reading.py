"""Reads a grid from a recording: readings with their holds, in a range of time and just around it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.grid import make_grid
from pulsoid_rec.analysis.metrics.holds import MEMBER, hold_readings, sort_and_deduplicate
from pulsoid_rec.analysis.reading.recording import Recording


def read_grid(
    recording: Recording, wanted: Filter, definitions: Definitions, columns: Mapping[str, str], every_s: int
) -> pl.DataFrame:
    """Read what a filter selects as a grid, whose rows lie in its range of time.

    `recording` is a snapshot, so that all is of one state; `columns` and `every_s` are as of `grid.make_grid`, whose
    result is returned.
    """
    sessions = recording.sessions(wanted, definitions)
    # A reading before the range may hold into it, and one after it may end what holds at its end.
    hold = timedelta(seconds=definitions.max_hold_s)
    started_at, ended_at = sessions.select(pl.col("started_at").min(), pl.col("ended_at").max()).row(0)
    since = max(filter(None, (wanted.since, started_at)), default=None)
    until = min(filter(None, (wanted.until, ended_at)), default=None)
    around = replace(wanted, session="all", since=_shift(since, -hold), until=_shift(until, hold))
    lasts = recording.members(replace(around, since=None, until=None), definitions)
    readings = recording.readings(around, definitions).collect()
    readings = readings.join(sessions, on=["room_id", "session"], how="semi")
    held = hold_readings(sort_and_deduplicate(readings)[0], definitions, MEMBER, _later(lasts, around))
    from_at, until_at = pl.col("started_at"), pl.col("ended_at")
    if wanted.since is not None:
        from_at = pl.max_horizontal(from_at, pl.lit(wanted.since))
    if wanted.until is not None:
        until_at = pl.min_horizontal(until_at, pl.lit(wanted.until) - pl.duration(microseconds=1))
    return make_grid(held, sessions.with_columns(from_at=from_at, until_at=until_at), columns, every_s)


def _shift(instant: datetime | None, by: timedelta) -> datetime | None:
    try:
        return None if instant is None else instant + by
    except OverflowError:  # beyond the years 1 to 9999, where there are no readings
        return None


def _later(lasts: pl.DataFrame, around: Filter) -> pl.DataFrame | None:
    """Return the members with readings after those read; their last one may stand for the next, beyond any hold."""
    if around.until is None:
        return None
    later = lasts.filter(pl.col("last_at") >= around.until)
    return later.select(*MEMBER, occurred_at="last_at", plausible_at=pl.lit(None, lasts.schema["last_at"]))
