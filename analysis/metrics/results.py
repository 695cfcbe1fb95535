"""All results for what a filter selects, worked out together."""

from dataclasses import dataclass

import polars as pl

from pulsoid_rec.analysis.metrics.summary import summarize
from pulsoid_rec.analysis.metrics.time_at_bpm import time_at_bpm


@dataclass(frozen=True, slots=True)
class Results:
    """The results for what a filter selects."""

    sessions: pl.DataFrame
    """As `Recording.sessions` gives them."""

    people: pl.DataFrame
    """As `members.describe_members` gives them."""

    tally: pl.DataFrame
    """As `pipeline.read_tally` gives it."""

    recovery: pl.DataFrame
    """As `pipeline.read_recovery` gives it."""

    @property
    def time_at_bpm(self) -> pl.DataFrame:
        """The time at bpm: `time_at_bpm.SCHEMA`."""
        return time_at_bpm(self.tally)

    @property
    def summary(self) -> pl.DataFrame:
        """The summary: `summary.SCHEMA`."""
        return summarize(self.tally, self.people, self.recovery)
