"""All results for what a filter selects: what a report is made of."""

from dataclasses import dataclass

import polars as pl

from pulsoid_rec.analysis.metrics.members import describe_members
from pulsoid_rec.analysis.metrics.recovery import largest_falls
from pulsoid_rec.analysis.metrics.summary import summarize
from pulsoid_rec.analysis.metrics.time_at_bpm import add_tallies, time_at_bpm
from pulsoid_rec.analysis.reading.config_names import read_config_names
from pulsoid_rec.analysis.reading.pipeline import Selection, read_recovery, read_tally


@dataclass(frozen=True, slots=True)
class Results:
    """All results for what a filter selects, of one state of the file."""

    sessions: pl.DataFrame
    """`sessions.SCHEMA`."""

    people: pl.DataFrame
    """As `members.describe_members` returns it."""

    config_names: pl.DataFrame
    """As `config_names.read_config_names` returns them."""

    tally: pl.DataFrame
    """As `pipeline.read_tally` returns it."""

    recovery: pl.DataFrame
    """`recovery.SCHEMA`."""

    untimely: pl.DataFrame
    """`untimely.UNTIMELY`."""

    by_phase: pl.DataFrame | None = None
    """The summary by phase, if it is wanted: `summary.BY_PHASE`."""

    @property
    def time_at_bpm(self) -> pl.DataFrame:
        """The time at bpm: `time_at_bpm.SCHEMA`."""
        return time_at_bpm(self.tally)

    @property
    def summary(self) -> pl.DataFrame:
        """The summary: `summary.SCHEMA`."""
        return summarize(self.tally, self.people, self.recovery)


def describe_selected(selection: Selection, config_names: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Describe the selected members, as `members.describe_members` does."""
    started = selection.sessions.select("room_id", "session", "started_at")
    present = selection.present.join(started, on=["room_id", "session"])
    return describe_members(present, config_names, members)


def compute_results(selection: Selection, members: pl.DataFrame, phases: pl.DataFrame | None = None) -> Results:
    """Compute all results of what is selected; `members` is what is known of them: `members.SCHEMA`.

    With `phases` (`phases.PHASES`, of all these sessions) also by phase, in the same pass over the readings.
    """
    tally, config_names = read_tally(selection, phases=phases), read_config_names(selection.connection)
    people = describe_selected(selection, config_names, members)
    recovery = read_recovery(selection, people, phases)
    if phases is None:
        return Results(selection.sessions, people, config_names, tally, recovery, selection.untimely)
    return Results(
        selection.sessions,
        people,
        config_names,
        add_tallies([tally.drop("phase")]),
        largest_falls(recovery.rename({"hrr60": "fall_bpm"})),
        selection.untimely,
        summarize(tally, people, recovery, phases),
    )
