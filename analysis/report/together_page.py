"""How alike the members of each session moved, as a page: figures, the course below the heart rates, and the pairs."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from pulsoid_rec.analysis.charts.pairs import pairs_drawing
from pulsoid_rec.analysis.charts.timeline import timeline_drawing
from pulsoid_rec.analysis.findings.local_time import format_instant
from pulsoid_rec.analysis.findings.notes import session_notes
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.session_view import SessionView, session_views
from pulsoid_rec.analysis.group.figures import FIGURES, tested_row
from pulsoid_rec.analysis.group.sessions_together import SessionTogether
from pulsoid_rec.analysis.group.synchrony import MeasureResult, TogetherResult
from pulsoid_rec.analysis.report.group_page import GroupPage, Part, render_group_page
from pulsoid_rec.analysis.report.html_charts import COURSE_REMARK, PageChart, choose_buckets, draw_course
from pulsoid_rec.analysis.report.html_tables import Cell, Table
from pulsoid_rec.analysis.report.together_words import (
    LEGEND,
    describe_basis,
    describe_findings,
    describe_pairs,
    format_value,
    group_rows,
    measure_with_pairs,
)
from pulsoid_rec.recorder.contract.wording import format_count

_COLUMNS = [column for column in FIGURES if column.head]
_HEADS = tuple((column.head, "by chance" if column.name.startswith("chance") else "") for column in _COLUMNS)


def render_together(sessions: Sequence[SessionTogether], report: ReportData, zone: tzinfo | None = None) -> str:
    """Render sessions, of which `report` has the readings, as a complete HTML document, which needs no network.

    Clock times are of `zone`; None for this computer's.
    """
    views = {(view.room_id, view.session): view for view in session_views(report, zone)}
    parts: list[Part] = []
    notes: list[str] = []
    for number, each in enumerate(sessions):
        view = views[each.result.room_id, each.result.session]
        name = f"{each.room}, session {view.session}: " if len(sessions) > 1 else ""
        parts += _parts(each, view, name, f"s{number}", choose_buckets(report.summary.height))
        notes += [name + note.text for note in session_notes(view)]
    cautions = sessions[0].result.cautions if sessions else ()
    parts.insert(1, Part(title="What this does not show", lead=cautions))
    page = GroupPage(
        title="Together" if len(sessions) != 1 else sessions[0].room,
        facts=_facts(sessions, list(views.values())),
        notes=tuple(notes),
        parts=tuple(parts),
        method=tuple(_method(sessions[0].result)) if sessions else (),
        generated_at=report.generated_at,
    )
    return render_group_page(page)


def _facts(sessions: Sequence[SessionTogether], views: Sequence[SessionView]) -> tuple[str, ...]:
    if len(sessions) != 1:
        return (format_count(len(sessions), "session") if sessions else "No readings match",)
    view = views[0]
    begin = format_instant(view.started_at, view.local_zone)
    when = f"Session {view.session}, {begin} to {view.clock(view.ended_at)} ({view.zone})"
    return ("How alike their hearts moved", when)


def _parts(each: SessionTogether, view: SessionView, name: str, id_: str, buckets: int) -> Iterator[Part]:
    result = each.result
    yield Part(
        title=f"{name}All together",
        lead=tuple(filter(None, (describe_findings(each), *describe_basis(each)))),
        tables=(_table(each),),
        remarks=(LEGEND,),
    )
    charts = [PageChart(f"{id_}-time", "Heart rate", timeline_drawing(view, view, buckets=buckets, chooser=True))]
    remarks = ["A break in a line is a gap."]
    if each.course is not None:
        charts.append(draw_course(view, each.course, id_))
        remarks.append(COURSE_REMARK)
    yield Part(title=f"{name}Over time", charts=tuple(charts), remarks=tuple(remarks))
    measure = measure_with_pairs(result)
    if measure is not None and len(measure.pairs) > 1:
        yield Part(
            title=f"{name}Pair by pair",
            lead=tuple(describe_pairs(each)),
            charts=(PageChart(f"{id_}-pairs", f"{measure.title}, neighbours are alike", pairs_drawing(measure.pairs)),),
            tables=(_members_table(measure),) if measure.members else (),
            remarks=("Blue: the two rise together; orange: one rises as the other falls; pale: neither.",),
        )


def _table(each: SessionTogether) -> Table:
    rows, remarks = [], {}
    for row in group_rows(each).iter_rows(named=True):
        unknown = None if row["reason"] is None else remarks.setdefault(row["reason"], len(remarks) + 1)
        rows.append((row["title"], _cells(row, unknown)))
    return Table(title="All together", heads=(("Measure", ""), *_HEADS), rows=rows, remarks=tuple(remarks))


def _members_table(measure: MeasureResult) -> Table:
    rows = [(member.name, _cells(tested_row(member.tested))) for member in measure.members]
    return Table(title=f"{measure.title}: each member with the others", heads=(("Member", ""), *_HEADS), rows=rows)


def _cells(row: Mapping[str, Any], unknown: int | None = None) -> tuple[Cell, ...]:
    cells = ((row[column.name], column) for column in _COLUMNS)
    return tuple(Cell(text=format_value(of, c.decimals), mark=unknown if of is None else None) for of, c in cells)


def _method(result: TogetherResult) -> Iterator[tuple[str, str]]:
    """Yield how it was computed: the same for all sessions of a page."""
    yield "Preparation", f"{result.preparation}: {result.preparation_note}"
    yield "Chance", f"{result.surrogates:,} surrogates, seed {result.seed}. {LEGEND}"
    for measure in result.measures:
        chosen = "; ".join(f"{name} {value}" for name, value in measure.parameters.items())
        yield measure.title, " ".join(filter(None, (measure.method, measure.range, chosen and f"Parameters: {chosen}.")))
