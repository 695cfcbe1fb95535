"""The charts of the page about how alike members moved."""

from collections.abc import Sequence
from datetime import tzinfo

from pulsoid_rec.analysis.charts.pairs import pairs_drawing
from pulsoid_rec.analysis.charts.timeline import timeline_drawing
from pulsoid_rec.analysis.findings.notes import session_notes
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.session_view import SessionView, session_views
from pulsoid_rec.analysis.group.figures import measure_with_pairs
from pulsoid_rec.analysis.group.sessions_together import SessionTogether
from pulsoid_rec.analysis.report.html_charts import PageChart, choose_buckets, draw_course
from pulsoid_rec.analysis.report.together_page import SessionCharts
from pulsoid_rec.analysis.report.together_words import LABELS


def draw_together(
    sessions: Sequence[SessionTogether], report: ReportData, zone: tzinfo | None = None
) -> list[SessionCharts]:
    """Draw sessions, of which `report` has the readings: heart rates, the course below them, and the pairs."""
    views = {(view.room_id, view.session): view for view in session_views(report, zone)}
    buckets = choose_buckets(report.summary.height)
    return [
        _draw(each, views[each.result.room_id, each.result.session], f"s{number}", buckets)
        for number, each in enumerate(sessions)
    ]


def _draw(each: SessionTogether, view: SessionView, id_: str, buckets: int) -> SessionCharts:
    over_time = [
        PageChart(
            f"{id_}-time", "Heart rate. A break is a gap", timeline_drawing(view, view, buckets=buckets, chooser=True)
        )
    ]
    if each.course is not None:
        over_time.append(draw_course(view, each.course, id_))
    measure = measure_with_pairs(each.result)
    pairs = []
    if measure is not None and len(measure.pairs) > 1:
        title = f"{LABELS[measure.measure]} of each two: blue, they rise together; orange, one rises as the other falls"
        pairs.append(PageChart(f"{id_}-pairs", title, pairs_drawing(measure.pairs)))
    return SessionCharts(
        over_time=tuple(over_time), pairs=tuple(pairs), notes=tuple(note.text for note in session_notes(view))
    )
