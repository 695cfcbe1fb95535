"""The result of `responses`: figures as frames, and all that they were computed from and with."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from pulsoid_rec.analysis.group.mark_windows import Window

COURSE = pl.Schema(
    {
        "profile_id": pl.String(),
        "name": pl.String(),
        "second": pl.Int64(),
        "change_bpm": pl.Float64(),
        "low_bpm": pl.Float64(),
        "high_bpm": pl.Float64(),
        "chance_low_bpm": pl.Float64(),
        "chance_high_bpm": pl.Float64(),
    }
)
"""Responses by second; `profile_id` and `name` are null for the mean over members, which alone has the last four."""

MEMBERS = pl.Schema(
    {
        "profile_id": pl.String(),
        "name": pl.String(),
        "windows": pl.Int64(),
        "used": pl.Int64(),
        "unobserved": pl.Int64(),
        "overlapping": pl.Int64(),
    }
)
"""How many windows each member has: those used, those left out as too little was observed, and overlapping ones."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Responses:
    """What heart rates did around the marks of a label, and how that compares with chance."""

    label: str
    window: Window
    sessions: int
    marks: int  # with this label, in these sessions
    used_marks: int  # with a used window of at least one member
    absent: int  # marks of members who are not among those read, or have no readings in the session
    members: pl.DataFrame  # `MEMBERS`, ordered by name
    course: pl.DataFrame  # `COURSE`: the mean over members, then each member, by second
    farthest_s: int | None  # the second after the mark that is farthest from chance; None without a test
    p: float | None
    surrogates: int
    seed: int
    lag_s: float | None  # median of receipt minus occurrence of readings; None where all were imported
    generated_at: datetime | None  # when the recording was read (aware, UTC); None where times are moved

    @property
    def mean(self) -> pl.DataFrame:
        """The mean over members: the rows of `course` without a member."""
        return self.course.filter(pl.col("profile_id").is_null())

    @property
    def farthest(self) -> dict[str, Any] | None:
        """The mean's row at the second after the mark that is farthest from chance; None without a test."""
        return (
            None
            if self.farthest_s is None
            else self.mean.row(by_predicate=pl.col("second") == self.farthest_s, named=True)
        )
