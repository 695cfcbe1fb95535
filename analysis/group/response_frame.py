"""A result of `responses` as one row, for programs: figures, parameters, and in words method and limits."""

import polars as pl

from pulsoid_rec.analysis.group.response_result import COURSE, MEMBERS, Responses
from pulsoid_rec.analysis.group.response_words import LIMITS, describe_method, describe_notes

RESULT = pl.Schema(
    {
        "label": pl.String(),
        "p": pl.Float64(),  # null with fewer than two used marks
        "farthest_s": pl.Int64(),
        "farthest_bpm": pl.Float64(),
        "sessions": pl.Int64(),
        "marks": pl.Int64(),
        "used_marks": pl.Int64(),
        "absent": pl.Int64(),
        "lag_s": pl.Float64(),
        "before_s": pl.Int64(),
        "after_s": pl.Int64(),
        "baseline_s": pl.List(pl.Int64()),
        "surrogates": pl.Int64(),
        "seed": pl.Int64(),
        "notes": pl.List(pl.String()),
        "method": pl.List(pl.String()),
        "limits": pl.List(pl.String()),
        "members": pl.List(pl.Struct(MEMBERS)),
        "course": pl.List(pl.Struct(COURSE)),
    }
)
"""One row: fields of `Responses`, the mean's change where it is farthest from chance, and what is said of it."""


def result_frame(found: Responses) -> pl.DataFrame:
    """Return a result as one row of `RESULT`."""
    values = {name: getattr(found, name) for name in RESULT if hasattr(found, name)} | {
        "farthest_bpm": None if found.farthest is None else found.farthest["change_bpm"],
        "before_s": found.window.before_s,
        "after_s": found.window.after_s,
        "baseline_s": list(found.window.baseline_s),
        "notes": describe_notes(found),
        "method": [f"{term}: {meaning}" for term, meaning in describe_method(found)],
        "limits": list(LIMITS),
        "members": found.members.to_dicts(),
        "course": found.course.to_dicts(),
    }
    return pl.DataFrame([values], schema=RESULT)
