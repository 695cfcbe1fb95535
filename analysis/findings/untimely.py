"""Notes on untimely readings: a clock that is wrong by more than a day, and is left out of every figure."""

import polars as pl

from pulsoid_rec.analysis.findings.note import Note, make_note, merge_many
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.metrics.definitions import MICROSECONDS
from pulsoid_rec.recorder.contract.wording import format_count, format_duration


def untimely_notes(view: SessionView) -> list[Note]:
    """Describe each member's readings that were left out of a session because their time is wrong."""
    columns = ["profile_id", "untimely", "least_error_us", "most_error_us"]
    rows = view.untimely.filter(pl.col("untimely") > 0).select(columns).sort("profile_id").rows()
    notes = [make_note(view, id_, "quality", _describe(count, least, most)) for id_, count, least, most in rows]
    total = int(view.untimely["untimely"].sum())
    return merge_many(notes, f"{format_count(total, 'reading')} of {len(notes)} members left out: their time is wrong")


def _describe(count: int, least_us: int, most_us: int) -> str:
    """Describe readings whose time is ahead of the room's by these microseconds; behind it where they are negative."""
    errors = [("behind", -least_us), ("ahead of", most_us)]
    if least_us > 0 or most_us < 0:
        near, far = sorted(abs(error) for error in (least_us, most_us))
        side = "ahead of" if least_us > 0 else "behind"
        between = f"{_format(near)} to " if _format(near) != _format(far) else ""
        when = f"{between}{_format(far)} {side}"
    else:
        when = " or ".join(f"up to {_format(error)} {side}" for side, error in errors)
    return f"{format_count(count, 'reading')} whose time is {when} their arrival, left out"


def _format(error_us: int) -> str:
    return format_duration(error_us / MICROSECONDS)
