"""Phases: what a session is divided into by marks of the kind `phase`, and marks placed on the clock of readings.

A phase goes from its mark to the next phase of its room, or the end of the session; what comes before the first is
phase 0, without a label. A reading belongs to the phase in which it occurred, with all of its hold and of the gap that
follows: these are computed on the whole session, so that the phases add up to it.
"""

from collections.abc import Sequence

import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.session_events import number_events
from pulsoid_rec.analysis.metrics.sessions import INSTANT

PLACED_MARKS = pl.Schema(
    {
        "room_id": pl.String(),
        "session": pl.Int64(),
        "profile_id": pl.String(),
        "label": pl.String(),
        "kind": pl.String(),
        "occurred_at": INSTANT,
        "marked_at": INSTANT,
        "mark_id": pl.String(),
        "source": pl.String(),
    }
)
"""Marks that count, with the session they belong to; `occurred_at` is `marked_at` on the clock of the readings."""

PHASES = pl.Schema(
    {
        "room_id": pl.String(),
        "session": pl.Int64(),
        "phase": pl.Int64(),
        "phase_label": pl.String(),
        "started_at": INSTANT,
        "ended_at": INSTANT,
    }
)
"""The phases of sessions, on the clock of the readings; the end is exclusive."""

IN_SESSION = ("room_id", "session")
_NEAREST_QUARTERS = 96
"""How many quarters of an hour away the readings may be that show the lead of a room's clock at a mark."""


def marks_that_count(marks: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the table `marks` that were not undone, each room's mark once, in the order of time."""
    mark = ["room_id", "mark_id"]
    undone = marks.filter(pl.col("kind") == "undo")
    made = marks.filter(pl.col("kind") != "undo").join(undone, on=mark, how="anti")
    return made.sort("marked_at", *mark, "label").unique(subset=mark, keep="first", maintain_order=True)


def join_nearest_quarter(marks: pl.DataFrame, quarters: pl.DataFrame) -> pl.DataFrame:
    """Add to each mark what the nearest `quarter` of its room within a day has; nulls where there is none."""
    return marks.sort("quarter").join_asof(
        quarters.sort("quarter"),
        on="quarter",
        by="room_id",
        strategy="nearest",
        tolerance=_NEAREST_QUARTERS,
        check_sortedness=False,  # sorted just above
    )


def place_marks(
    marks: pl.DataFrame, leads: pl.DataFrame, sessions: pl.DataFrame, definitions: Definitions
) -> pl.DataFrame:
    """Place marks on the clock of the readings, and find their sessions, of all of these rooms (`sessions.SCHEMA`).

    `marks` are as `marks_that_count` returns them, with `quarter`: the quarter of an hour of `marked_at`. `leads` have
    `room_id`, `quarter`, `room_lead_us`: the median of `occurred_at - received_at`, of quarters with readings. A mark
    is moved by the nearest one within a day; without any, as of imported readings, it stays where it is. It may come
    before the first and after the last reading of its session by as long as a silence may last.

    Returns `PLACED_MARKS`, ordered by room, session and time. Marks of no session are left out.
    """
    nearest = join_nearest_quarter(marks, leads)
    moved = pl.col("marked_at") + pl.duration(microseconds=pl.col("room_lead_us").fill_null(0))
    numbered = number_events(nearest.with_columns(occurred_at=moved), "occurred_at", sessions)
    gap = pl.duration(microseconds=definitions.session_gap_us)
    bounds = sessions.select(*IN_SESSION, "started_at", "ended_at")
    return (
        numbered.join(bounds, on=IN_SESSION)
        .filter(pl.col("occurred_at").is_between(pl.col("started_at") - gap, pl.col("ended_at") + gap))
        .select(*PLACED_MARKS)
        .cast(PLACED_MARKS)
        .sort(*IN_SESSION, "occurred_at", "marked_at", "mark_id")
    )


def select_marks(marks: pl.DataFrame, wanted: Filter, sessions: pl.DataFrame) -> pl.DataFrame:
    """Select those of `PLACED_MARKS` that are of some sessions, and of a filter's members and range of time, if any."""
    marks = marks.join(sessions, on=IN_SESSION, how="semi", maintain_order="left")
    if wanted.since is not None:
        marks = marks.filter(pl.col("occurred_at") >= wanted.since)
    if wanted.until is not None:
        marks = marks.filter(pl.col("occurred_at") < wanted.until)
    if wanted.members:
        marks = marks.filter(pl.col("profile_id").is_in(wanted.members) | pl.col("profile_id").is_null())
    return marks


def find_phases(marks: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Divide sessions into phases: `PHASES`, one or more of each session, ordered by room, session and time.

    `marks` are `PLACED_MARKS`; of phases that begin at one instant, or before the session, the last one counts.
    """
    bounds = sessions.select(*IN_SESSION, "started_at", last_at="ended_at")
    marked = (
        marks.filter(pl.col("kind") == "phase")
        .join(bounds, on=IN_SESSION)
        .filter(pl.col("occurred_at") <= pl.col("last_at"))
        .with_columns(begins_at=pl.max_horizontal("occurred_at", "started_at"))
        .sort(*IN_SESSION, "occurred_at", "marked_at", "mark_id")
        .unique(subset=[*IN_SESSION, "begins_at"], keep="last", maintain_order=True)
        .select(*IN_SESSION, "last_at", "begins_at", phase_label="label")
        .with_columns(phase=pl.int_range(1, pl.len() + 1).over(IN_SESSION))
    )
    from_start = marked.join(bounds, on=IN_SESSION).filter(pl.col("begins_at") == pl.col("started_at"))
    before = bounds.join(from_start, on=IN_SESSION, how="anti").select(
        *IN_SESSION,
        "last_at",
        begins_at="started_at",
        phase_label=pl.lit(None, pl.String),
        phase=pl.lit(0, pl.Int64),
    )
    end = pl.col("last_at") + pl.duration(microseconds=1)
    return (
        pl.concat([before, marked.select(before.columns).cast(before.schema)])
        .sort(*IN_SESSION, "phase")
        .with_columns(ended_at=pl.coalesce(pl.col("begins_at").shift(-1).over(IN_SESSION), end))
        .select(*IN_SESSION, "phase", "phase_label", started_at="begins_at", ended_at="ended_at")
        .cast(PHASES)
    )


def cuts_us(phases: pl.DataFrame) -> list[int]:
    """Return the instants at which any phase begins, in microseconds since 1970, ascending."""
    cuts: list[int] = phases["started_at"].dt.epoch("us").unique().sort().to_list()
    return cuts


def phases_at(phases: pl.DataFrame, at_us: int, by: Sequence[str] = IN_SESSION) -> pl.DataFrame:
    """Return which phase is on at an instant: `by` and `phase`; before a session it is that of its start.

    `phases` have `by`, `phase` and `started_at`.
    """
    has_begun = (pl.col("started_at").dt.epoch("us") <= at_us) | (
        pl.col("phase") == pl.col("phase").min().over(list(by))
    )
    return phases.filter(has_begun).group_by(by).agg(pl.col("phase").max())
