"""Below the heart rates, the page shows how alike they moved, where that can be seen and is quickly computed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from report_samples import crowd, readings_of, report_of

from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.session_view import SessionView, session_views
from pulsoid_rec.analysis.report.html_charts import course_chart
from pulsoid_rec.analysis.report.html_sections import make_sections


def view_of(report: ReportData) -> SessionView:
    (view,) = session_views(report)
    return view


def test_it_comes_after_the_lines_of_heart_rates() -> None:
    (section,) = make_sections(crowd(3, 900))
    assert [chart.id for chart in section.charts[:2]] == ["s0-time", "s0-course"]
    assert section.without_course == ""


@pytest.mark.parametrize(
    ("members", "seconds", "why"),
    [(1, 900, ""), (13, 900, "not drawn here of more than 12 members or 24 h"), (3, 200, "a session of 5 min")],
)
def test_of_one_alone_of_a_crowd_and_of_minutes_there_is_none(members: int, seconds: int, why: str) -> None:
    (section,) = make_sections(crowd(members, seconds))
    assert section.course is None
    assert why in section.without_course
    assert bool(why) == bool(section.without_course)


def test_of_a_session_of_days_there_is_none() -> None:
    view = view_of(crowd(3, 900))
    assert course_chart(replace(view, ended_at=view.started_at + timedelta(days=1, seconds=1)), "s0") is None


def test_of_hearts_that_never_change_nothing_is_drawn() -> None:
    series = {name: [(float(second), 80) for second in range(600)] for name in ("a", "b")}
    assert course_chart(view_of(report_of(readings_of(series))), "s0") is None
