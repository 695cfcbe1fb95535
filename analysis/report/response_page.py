"""Responses as the parts of a page, which the terminal shows as well."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from pulsoid_rec.analysis.group.response_result import Responses
from pulsoid_rec.analysis.group.response_words import (
    LIMITS,
    describe_amount,
    describe_finding,
    describe_method,
    describe_notes,
    describe_title,
    format_change,
)
from pulsoid_rec.analysis.report.group_page import GroupPage, Part
from pulsoid_rec.analysis.report.html_tables import Cell, Table

if TYPE_CHECKING:
    from pulsoid_rec.analysis.report.html_charts import PageChart

_SECONDS = (-10, 0, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600)
_MOST_SECONDS = 9  # columns of the table


def make_response_page(found: Responses, charts: Sequence["PageChart"] = ()) -> GroupPage:
    """Prepare a result for the page, with its `charts`, or for the terminal."""
    remarks: list[str] = []
    if charts:
        remarks.append(
            "Thick: the mean over members, each of them once, and its 95 % interval. Thin: each member's mean. Dotted: "
            "what shifted marks give (the middle 95 %). Shaded: the baseline. Dashed: the mark."
        )
    return GroupPage(
        title=describe_title(found),
        facts=(describe_amount(found),),
        notes=tuple(describe_notes(found)),
        parts=(
            Part(
                title="Change after the mark",
                lead=(describe_finding(found),),
                charts=tuple(charts),
                tables=(_table(found),),
                remarks=tuple(remarks),
            ),
            Part(title="What it does not show", remarks=LIMITS),
        ),
        method=tuple(describe_method(found)),
        generated_at=found.generated_at,
    )


def _table(found: Responses) -> Table:
    """Make a table of changes at some seconds: a row for each member, one for their mean, and its interval."""
    window = found.window
    seconds = [second for second in _SECONDS if -window.before_s <= second <= window.after_s][:_MOST_SECONDS]
    counts = (("Used", "windows"), ("Left out", ""), ("Overlapping", ""))
    of = found.course.filter(pl.col("second").is_in(seconds)).partition_by("profile_id", as_dict=True)
    rows = [
        (
            member["name"],
            (
                *_cells(of[member["profile_id"],]["change_bpm"]),
                *(Cell(text=f"{member[name]:,}") for name in ("used", "unobserved", "overlapping")),
            ),
        )
        for member in found.members.iter_rows(named=True)
    ]
    totals = [Cell(text=f"{found.members[name].sum():,}") for name in ("used", "unobserved", "overlapping")]
    mean = of[None,]
    labels = {"change_bpm": "Mean over members", "low_bpm": "95 % interval, low", "high_bpm": "95 % interval, high"}
    rows += [
        (label, (*_cells(mean[name]), *(totals if name == "change_bpm" else [Cell(text=" ")] * len(totals))))
        for name, label in labels.items()
        if name == "change_bpm" or found.p is not None
    ]
    return Table(
        title="Change from the baseline, by seconds from the mark",
        heads=(("Member", ""), *((f"{second:+d} s" if second else "0 s", "bpm") for second in seconds), *counts),
        rows=rows,
    )


def _cells(changes: pl.Series) -> list[Cell]:
    return [Cell(text=format_change(change)) for change in changes]
