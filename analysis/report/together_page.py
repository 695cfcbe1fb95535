"""How alike the members of each session moved: figures, the course below the heart rates, and the pairs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

import polars as pl

from pulsoid_rec.analysis.findings.local_time import fixed_zone, format_clock, format_instant
from pulsoid_rec.analysis.group.figures import FIGURES, measure_with_pairs, tested_row
from pulsoid_rec.analysis.group.sessions_together import SessionTogether
from pulsoid_rec.analysis.group.synchrony import MeasureResult, TogetherResult
from pulsoid_rec.analysis.report.group_page import GroupPage, Part
from pulsoid_rec.analysis.report.html_tables import Cell, Table
from pulsoid_rec.analysis.report.together_words import (
    COURSE_REMARK,
    LABELS,
    LEGEND,
    describe_basis,
    describe_findings,
    describe_pairs,
    format_value,
    group_rows,
)
from pulsoid_rec.recorder.contract.wording import format_count

if TYPE_CHECKING:
    from pulsoid_rec.analysis.report.html_charts import PageChart

_COLUMNS = [column for column in FIGURES if column.head]
_HEADS = tuple(("By chance", c.head) if c.name.startswith("chance") else (c.head, "") for c in _COLUMNS)

_ELSEWHERE = ("Measures", "explained on the page (-o together.html) and in docs/group.md.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCharts:
    """The charts of a session, and what is to be known of its readings; empty on a terminal."""

    over_time: tuple["PageChart", ...] = ()
    pairs: tuple["PageChart", ...] = ()
    notes: tuple[str, ...] = ()


def make_together_page(
    sessions: Sequence[SessionTogether],
    drawn: Sequence[SessionCharts] = (),
    generated_at: datetime | None = None,
    zone: tzinfo | None = None,
) -> GroupPage:
    """Make the page of sessions, one at least, with the charts `drawn` of each; without them it is for a terminal.

    That has no charts, and no method of each measure. Clock times are of `zone`; None for this computer's.
    """
    parts: list[Part] = []
    notes: list[str] = []
    for each, charts in zip(sessions, drawn or [SessionCharts()] * len(sessions), strict=True):
        name = f"{_name(each, zone)}: " if len(sessions) > 1 else ""
        parts += [_figures(each, name), *_over_time(charts, name), *_pairs(each, charts, name)]
        notes += [f"{name}{note}" for note in charts.notes]
    first = sessions[0]
    what = _name(first, zone) if len(sessions) == 1 else format_count(len(sessions), "session")
    return GroupPage(
        title=first.room if len({each.result.room_id for each in sessions}) == 1 else "Together",
        facts=("How alike their hearts moved", what),
        notes=(*notes, *first.result.cautions),
        parts=tuple(parts),
        method=(*_method(first.result), *(_measures(first.result) if drawn else [_ELSEWHERE])),
        generated_at=generated_at,
    )


def _name(each: SessionTogether, zone: tzinfo | None) -> str:
    begin, end = each.started_at, each.ended_at
    when = f"{format_instant(begin, zone)} to {format_clock(end, zone, begin)} ({fixed_zone(begin, zone)})"
    return f"Session {each.result.session} of {each.room}, {when}"


def _figures(each: SessionTogether, name: str) -> Part:
    rows = group_rows(each)
    known, unknown = rows.filter(pl.col("value").is_not_null()), rows.filter(pl.col("value").is_null())
    lead = filter(None, (describe_findings(each), *describe_basis(each)))
    if known.is_empty():
        return Part(title=f"{name}All together", lead=(*lead, *unknown["reason"].unique(maintain_order=True)))
    reasons = (f"{label}: {reason}" for label, reason in unknown.select("label", "reason").iter_rows())
    cells = [(row["label"], _cells(row)) for row in rows.iter_rows(named=True)]
    table = Table(title="All together", heads=(("Measure", ""), *_HEADS), rows=cells)
    return Part(title=f"{name}All together", lead=tuple(lead), tables=(table,), remarks=tuple(reasons))


def _over_time(charts: SessionCharts, name: str) -> Iterator[Part]:
    if charts.over_time:
        remarks = (COURSE_REMARK,) if len(charts.over_time) > 1 else ()
        yield Part(title=f"{name}Over time", charts=charts.over_time, remarks=remarks)


def _pairs(each: SessionTogether, charts: SessionCharts, name: str) -> Iterator[Part]:
    measure = measure_with_pairs(each.result)
    if measure is not None and len(measure.pairs) > 1:
        tables = (_members_table(measure),) if measure.members else ()
        lead = tuple(describe_pairs(each))
        yield Part(title=f"{name}Pair by pair", lead=lead, charts=charts.pairs, tables=tables)


def _members_table(measure: MeasureResult) -> Table:
    rows = [(member.name, _cells(tested_row(member.tested))) for member in measure.members]
    title = f"{LABELS[measure.measure]} of each member with the others"
    return Table(title=title, heads=(("Member", ""), *_HEADS), rows=rows)


def _cells(row: Mapping[str, Any]) -> tuple[Cell, ...]:
    return tuple(Cell(text=format_value(row[column.name], column.decimals)) for column in _COLUMNS)


def _method(result: TogetherResult) -> Iterator[tuple[str, str]]:
    """Yield how it was computed: the same for all sessions of a page."""
    yield "Preparation", f"{result.preparation}. {result.preparation_note}"
    yield "Columns", f"{LEGEND} Here {result.surrogates:,} surrogates, seed {result.seed}."


def _measures(result: TogetherResult) -> Iterator[tuple[str, str]]:
    for measure in result.measures:
        chosen = ", ".join(f"{name} {value}" for name, value in measure.parameters.items())
        texts = (f"{measure.title}.", measure.method, measure.range, chosen and f"Parameters: {chosen}.")
        yield LABELS[measure.measure], " ".join(filter(None, texts))
