"""The charts of a page: which ones, in how much detail, and their specifications and data as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo

import altair as alt
import polars as pl

from pulsoid_rec.analysis.charts.amounts import distribution, zone_bars
from pulsoid_rec.analysis.charts.history import calendar, member_history
from pulsoid_rec.analysis.charts.members import MemberData, member_datasets, member_timeline
from pulsoid_rec.analysis.charts.style import colours_to_variables, encode
from pulsoid_rec.analysis.charts.timeline import timeline
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.session_view import SessionView

_WIDTH = "container"
_MAX_BUCKETS = 480
_MIN_BUCKETS = 24
_ALL_BUCKETS = 60_000
"""Buckets of all members of all sessions together: some 2 MB of page."""

_MAX_MEMBER_CHARTS = 200
"""With more members than this, over all sessions, no member has a chart."""

_MAX_HISTORIES = 12

CROWD = 8
"""With more members than this, their own charts are smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageChart:
    """A chart on the page; `id` is that of its element, `title` its label for screen readers."""

    id: str
    title: str
    spec: str
    """Its Vega-Lite specification without data, as JSON."""

    datasets: Mapping[str, str]
    """The data, as JSON, by the names that the specification refers to."""


def choose_buckets(report: ReportData) -> int:
    """Choose the number of buckets of a line, so that the page stays small even with many members and sessions."""
    return max(_MIN_BUCKETS, min(_MAX_BUCKETS, _ALL_BUCKETS // max(1, report.summary.height)))


def overview_chart(view: SessionView, id_: str, buckets: int) -> PageChart | None:
    """Draw all members over time, a single one with zones; None when there is nothing to draw."""
    if view.readings.filter("plausible").is_empty():
        return None
    if len(view.names) == 1:
        [(alone, data)] = member_datasets(view, buckets=buckets).items()
        chart = member_timeline(view, alone, data, width=_WIDTH, height=300)
    else:
        chart = timeline(view, buckets=buckets, width=_WIDTH, chooser=False)
    return _page_chart(f"{id_}-time", "Heart rate over time", chart)


def member_charts(view: SessionView, id_: str, buckets: int, members: int) -> dict[str, PageChart]:
    """Draw each member alone, by profile id; empty for a session of one, and where there are too many `members`."""
    present = view.summary.filter(pl.col("readings") > 0)["profile_id"].to_list()
    if members > _MAX_MEMBER_CHARTS or not present or len(view.names) == 1:
        return {}
    datasets = member_datasets(view, buckets=max(_MIN_BUCKETS, buckets // 2))
    # The charts differ only in their data: one is made for all of them, with the fields' names instead of data.
    height = 96 if len(view.names) > CROWD else 130
    fields = MemberData(*map(encode, MemberData._fields))
    template = _page_chart("", "", member_timeline(view, present[0], fields, width=_WIDTH, height=height))
    names = {json: name for name, json in template.datasets.items()}
    return {
        member: PageChart(
            id=f"{id_}-m{place}",
            title=f"Heart rate of {view.names[member]} over time",
            spec=template.spec,
            datasets={names[field]: data for field, data in zip(fields, datasets[member], strict=True)},
        )
        for place, member in enumerate(present)
    }


def zones_chart(view: SessionView, id_: str) -> PageChart | None:
    """Draw time in zones; None when no HRmax is known."""
    if view.summary.filter(pl.col("hr_max").is_not_null() & (pl.col("readings") > 0)).is_empty():
        return None
    return _page_chart(f"{id_}-zones", "Time in zones", zone_bars(view, width=_WIDTH, legend=False))


def distribution_chart(view: SessionView, id_: str) -> PageChart | None:
    """Draw time at each heart rate; None when no time was observed."""
    if view.time_at_bpm.filter(pl.col("held_s") > 0).is_empty():
        return None
    return _page_chart(f"{id_}-spread", "Time at each heart rate", distribution(view, width=_WIDTH))


def history_charts(report: ReportData, zone: tzinfo | None = None) -> list[PageChart]:
    """Draw the calendar, and each regular member's history; nothing for a report of one session."""
    if report.sessions.height <= 1:
        return []
    charts = [_page_chart("calendar", "When the sessions were", calendar(report.sessions, zone=zone, width=_WIDTH))]
    regulars = (
        report.summary.filter(pl.col("bpm_mean").is_not_null())
        .group_by("profile_id", maintain_order=True)
        .agg(pl.len().alias("sessions"), pl.col("name").last())
        .filter(pl.col("sessions") > 1)
    )
    if regulars.height <= _MAX_HISTORIES:
        for number, (id_, name) in enumerate(regulars.select("profile_id", "name").iter_rows()):
            chart = member_history(report.summary, id_, zone=zone, width=_WIDTH)
            charts.append(_page_chart(f"history{number}", f"{name} in each session", chart))
    return charts


def _page_chart(id_: str, title: str, chart: alt.LayerChart) -> PageChart:
    spec = chart.to_dict(validate=False)
    datasets = spec.pop("datasets")
    del spec["description"]  # The page has the title instead.
    return PageChart(id=id_, title=title, spec=encode(colours_to_variables(spec)), datasets=datasets)
