"""Responses as the parts of a page, which the terminal shows as well."""

from collections.abc import Sequence
from dataclasses import replace
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
_LEGEND = (
    "Thick: the mean over members, each of them once, with its 95 % interval. Thin: each member's mean. Between the "
    "dotted lines: what chance gives at that second, in 95 % of tries. Shaded: the baseline. Dashed: the mark."
)


def make_response_page(found: Responses, charts: Sequence["PageChart"] = ()) -> GroupPage:
    """Prepare a result for the page, with its `charts`, or for the terminal."""
    change = Part(title="Change after the mark", lead=(describe_finding(found),))
    parts = [change]
    if found.used_marks:
        parts = [
            replace(change, charts=tuple(charts), remarks=(_LEGEND,) if charts else ()),
            Part(title="Member by member", tables=(_table(found),)),
            Part(title="What it does not show", remarks=LIMITS),
        ]
    return GroupPage(
        title=describe_title(found),
        facts=(describe_amount(found),),
        notes=tuple(describe_notes(found)),
        parts=tuple(parts),
        method=tuple(describe_method(found)) if found.used_marks else (),
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
