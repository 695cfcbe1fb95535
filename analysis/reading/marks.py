"""Reads the marks of a recording, archived ones too, and places them on the clock of its readings."""

import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.phases import NEAREST_QUARTERS, PLACED_MARKS, marks_that_count, place_marks
from pulsoid_rec.analysis.reading.archive import days_of, show
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.analysis.reading.room_leads import read_leads
from pulsoid_rec.recorder.contract.activity import QUARTER
from pulsoid_rec.recorder.contract.tables import HEART_RATE, MARKS


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
        received = received.with_columns(quarter=_quarter("first_received_at")).sort("quarter")
        nearest = marks.sort("quarter").join_asof(
            received.select("room_id", "quarter", found="quarter"),
            on="quarter",
            by="room_id",
            strategy="nearest",
            tolerance=NEAREST_QUARTERS,
            check_sortedness=False,  # sorted just above
        )
        needed = received.join(nearest, left_on=["room_id", "quarter"], right_on=["room_id", "found"], how="semi")
        show(connection, HEART_RATE, days=days_of(needed))
        return place_marks(marks, read_leads(connection, needed), scan.sessions, definitions)


def _quarter(column: str) -> pl.Expr:
    return (pl.col(column).dt.epoch("us") - QUARTER.start_us(0)) // QUARTER.width_us
