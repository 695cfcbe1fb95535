"""The charts of a page: which ones, in how much detail, and their specifications and data as JSON."""

from collections import Counter
from datetime import timedelta, tzinfo
from typing import NamedTuple

import polars as pl

from pulsoid_rec.analysis.charts.amounts import distribution_drawing, zone_drawing
from pulsoid_rec.analysis.charts.course import course_drawing
from pulsoid_rec.analysis.charts.drawing import Drawing
from pulsoid_rec.analysis.charts.history import calendar, member_history
from pulsoid_rec.analysis.charts.members import member_drawings
from pulsoid_rec.analysis.charts.season import period_drawing, season_calendar
from pulsoid_rec.analysis.charts.timeline import timeline_drawing
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.season import season_periods
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.group.course import SessionCourse, course_of_readings, name_pairs
from pulsoid_rec.analysis.group.windows import MIN_WINDOWS, WINDOW_S

_MAX_BUCKETS = 480
_MIN_BUCKETS = 24
_ALL_BUCKETS = 60_000  # buckets of all members of all sessions together: some 2 MB of page
_MAX_MEMBER_CHARTS = 200  # with more members than this, over all sessions, no member has a chart
_MAX_HISTORIES = 12
_MOST_TOGETHER = 12  # members, and the longest session, of which the page shows how alike they moved
_LONGEST_COURSE = timedelta(days=1)

COURSE_TITLE = "How alike heart rates moved: correlation in each half minute"

CROWD = 8  # with more members than this, their own charts are smaller


class PageChart(NamedTuple):
    """A chart on the page; `id` is that of its element, `title` its label for screen readers."""

    id: str
    title: str
    drawing: Drawing

    @property
    def spec(self) -> str:
        """Its Vega-Lite specification, as JSON: without data, values and height."""
        return self.drawing.template(width="container")


def choose_buckets(members: int) -> int:
    """Choose the number of buckets of a line, so that the page stays small with many members over all sessions."""
    return max(_MIN_BUCKETS, min(_MAX_BUCKETS, _ALL_BUCKETS // max(1, members)))


def overview_chart(view: SessionView, named: SessionView, id_: str, buckets: int) -> PageChart | None:
    """Draw all members over time, a single one with zones; None when there is nothing to draw.

    `named` is the session with the members that can be brought forward.
    """
    if view.readings.filter("plausible").is_empty():
        return None
    if len(view.names) == 1:
        [drawing] = member_drawings(view, buckets=buckets, height=300).values()
    else:
        drawing = timeline_drawing(view, named, buckets=buckets)
    return PageChart(f"{id_}-time", "Heart rate over time", drawing)


def course_chart(view: SessionView, id_: str) -> PageChart | None:
    """Draw how alike members moved; None if too few were observed for long enough, or it would take too long."""
    if _observed(view) < 2 or _is_too_much(view):  # noqa: PLR2004 - two are together
        return None
    course = course_of_readings(view.readings, view.started_at, view.ended_at, view.definitions)
    return None if course is None else draw_course(view, course, id_)


def why_no_course(view: SessionView) -> str:
    """Return why the page has no `course_chart` of a session; empty for a session of one member."""
    if _observed(view) < 2:  # noqa: PLR2004 - two are together
        return ""
    if _is_too_much(view):
        hours = _LONGEST_COURSE.total_seconds() / 3600
        return f"How alike heart rates moved is not drawn here of more than {_MOST_TOGETHER} members or {hours:g} h."
    return (
        "How alike heart rates moved is not drawn: that takes two members who are observed in at least half of a "
        f"session of {MIN_WINDOWS * WINDOW_S / 60:g} min, and change."
    )


def _observed(view: SessionView) -> int:
    return view.summary.filter(pl.col("readings") > 0).height


def _is_too_much(view: SessionView) -> bool:
    return view.ended_at - view.started_at > _LONGEST_COURSE or _observed(view) > _MOST_TOGETHER


def draw_course(view: SessionView, course: SessionCourse, id_: str) -> PageChart:
    """Draw how alike members moved, as `course` has it, below the lines of their heart rates."""
    drawing = course_drawing(view, course, name_pairs(course.profile_ids, view.names))
    return PageChart(f"{id_}-course", COURSE_TITLE, drawing)


def member_charts(view: SessionView, id_: str, buckets: int, members: int) -> dict[str, PageChart]:
    """Draw each member alone, by profile id; empty for a session of one, and where there are too many `members`."""
    present = view.summary.filter(pl.col("readings") > 0)["profile_id"].to_list()
    if members > _MAX_MEMBER_CHARTS or not present or len(view.names) == 1:
        return {}
    height = 96 if len(view.names) > CROWD else 130
    drawings = member_drawings(view, buckets=max(_MIN_BUCKETS, buckets // 2), height=height)
    return {
        member: PageChart(f"{id_}-m{place}", f"Heart rate of {view.names[member]} over time", drawings[member])
        for place, member in enumerate(present)
    }


def zones_chart(view: SessionView, id_: str) -> PageChart | None:
    """Draw time in zones; None when no HRmax is known."""
    if view.summary.filter(pl.col("hr_max").is_not_null() & (pl.col("readings") > 0)).is_empty():
        return None
    return PageChart(f"{id_}-zones", "Time in zones", zone_drawing(view))


def distribution_chart(view: SessionView, id_: str) -> PageChart | None:
    """Draw time at each heart rate; None when no time was observed."""
    if view.time_at_bpm.filter(pl.col("held_s") > 0).is_empty():
        return None
    return PageChart(f"{id_}-spread", "Time at each heart rate", distribution_drawing(view))


def season_charts(report: ReportData, members: pl.DataFrame, zone: tzinfo | None = None) -> list[PageChart]:
    """Draw the days of a season, and the history of each of those `members` who were observed longest."""
    unit, periods = season_periods(report, zone)
    longest = members.filter(pl.col("sessions") > 1).top_k(_MAX_HISTORIES, by="observed_s")
    charts = [PageChart("calendar", "The days with sessions", season_calendar(report.sessions, zone))]
    member = ["room_id", "profile_id"]
    shown = members.select(*member, "name").join(longest, on=member, how="semi", maintain_order="left")
    of = periods.join(shown, on=member).partition_by(member, as_dict=True)
    for number, (room_id, profile_id, name) in enumerate(shown.iter_rows()):
        if (room_id, profile_id) in of:
            ends = (periods["period"][0], periods["period"][-1])
            drawing = period_drawing(of[room_id, profile_id], unit, ends)
            title = f"{name}, by {unit}" if len(report.rooms) == 1 else f"{name} ({report.rooms[room_id]}), by {unit}"
            charts.append(PageChart(f"history{number}", title, drawing))
    return charts


def history_charts(report: ReportData, zone: tzinfo | None = None) -> list[PageChart]:
    """Draw the calendar, and each regular member's history; nothing for a report of one session."""
    if report.sessions.height <= 1:
        return []
    sessions, summary = (frame.with_columns(_room_label(report)) for frame in (report.sessions, report.summary))
    charts = [PageChart("calendar", "When the sessions were", calendar(sessions, zone))]
    regulars = (
        report.summary.filter(pl.col("bpm_mean").is_not_null())
        .group_by("profile_id", maintain_order=True)
        .agg(pl.len().alias("sessions"), pl.col("name").last())
        .filter(pl.col("sessions") > 1)
    )
    if regulars.height <= _MAX_HISTORIES:
        for number, (id_, name) in enumerate(regulars.select("profile_id", "name").iter_rows()):
            drawing = member_history(summary, id_, zone)
            charts.append(PageChart(f"history{number}", f"{name} in each session", drawing))
    return charts


def _room_label(report: ReportData) -> pl.Expr:
    """Return each row's room by name, or by id if others have that name."""
    times = Counter(report.rooms.values())
    return pl.col("room_id").replace({id_: name for id_, name in report.rooms.items() if times[name] == 1})
