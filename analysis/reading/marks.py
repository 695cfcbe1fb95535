"""Reads the marks of a recording, archived ones too, and places them on the clock of its readings."""

from datetime import datetime

import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.phases import (
    PLACED_MARKS,
    find_phases,
    join_nearest_quarter,
    marks_that_count,
    place_marks,
)
from pulsoid_rec.analysis.reading.archive import days_of, show
from pulsoid_rec.analysis.reading.recording import USUAL, Recording
from pulsoid_rec.analysis.reading.results import compute_results
from pulsoid_rec.analysis.reading.room_leads import read_leads
from pulsoid_rec.recorder.contract.activity import QUARTER
from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.tables import HEART_RATE, MARKS
from pulsoid_rec.recorder.contract.wording import format_list


def read_marks(recording: Recording, rooms: tuple[str, ...], definitions: Definitions) -> pl.DataFrame:
    """Read the marks that count, of these rooms or all: `phases.PLACED_MARKS`, ordered by room, session and time."""
    with recording.snapshot() as now, now.connect() as connection:
        marks = marks_that_count(now.events(MARKS, list(rooms) or None))
        if marks.is_empty():
            return pl.DataFrame(schema=PLACED_MARKS)
        scan = now.scan(connection, rooms, definitions)
        marks = marks.with_columns(quarter=_quarter("marked_at"))
        # A bucket's readings were received in one quarter.
        received = scan.buckets.filter(pl.col("imported") < pl.col("readings"))
        received = received.with_columns(quarter=_quarter("first_received_at"))
        nearest = join_nearest_quarter(marks, received.select("room_id", "quarter", found="quarter"))
        needed = received.join(nearest, left_on=["room_id", "quarter"], right_on=["room_id", "found"], how="semi")
        show(connection, HEART_RATE, days=days_of(needed))
        return place_marks(marks, read_leads(connection, needed), scan.sessions, definitions)


def find_mark(
    recording: Recording, label: str, rooms: tuple[str, ...], option: str, definitions: Definitions = USUAL
) -> datetime:
    """Find when the latest mark of a label is, in these rooms or all, by the clock of the readings.

    Raises `UsageError`, with what marks there are, if there is none; `option` is what it was given for.
    """
    marks = read_marks(recording, rooms, definitions)
    label = label if recording.pseudonyms is None else recording.pseudonyms.choose("label", label)
    found = marks.filter(pl.col("label") == label).sort("marked_at", "occurred_at")["occurred_at"].to_list()
    if not found:
        raise no_mark_error(label, marks, f" for {option}")
    latest: datetime = found[-1]
    return latest


def no_mark_error(label: str, marks: pl.DataFrame, where: str = "") -> UsageError:
    """Return the error that there is no mark of a label (`where`); it lists the latest labels of `marks`."""
    labels = [plain(each) for each in marks.sort("marked_at", descending=True)["label"].unique(maintain_order=True)]
    hint = f"The latest are {format_list(labels)}." if labels else "There are no marks of a session."
    return UsageError(f"There is no mark {plain(label)!r}{where}", hint)


def read_summary_by_phase(
    recording: Recording, wanted: Filter, definitions: Definitions, members: pl.DataFrame
) -> pl.DataFrame:
    """Summarize each member's readings in each phase: `summary.BY_PHASE`; parameters as of `Recording.results`."""
    with recording.snapshot() as now:
        marks = read_marks(now, wanted.rooms, definitions)
        with now.selection(wanted, definitions) as selection:
            results = compute_results(selection, members, find_phases(marks, selection.sessions))
    return results.summary if results.by_phase is None else results.by_phase


def _quarter(column: str) -> pl.Expr:
    return (pl.col(column).dt.epoch("us") - QUARTER.start_us(0)) // QUARTER.width_us
