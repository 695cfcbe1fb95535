"""The charts of a page, as their makes and their data, kept apart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import altair as alt
import polars as pl

from pulsoid_rec.analysis.charts.amounts import distribution, zone_bars
from pulsoid_rec.analysis.charts.history import calendar, member_history
from pulsoid_rec.analysis.charts.members import member_timeline, members_values
from pulsoid_rec.analysis.charts.timeline import timeline
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.session_view import SessionView

_FILL = "container"
_BUCKETS = 480
_FEWEST_BUCKETS = 24
_ALL_BUCKETS = 60_000
"""Buckets of all members of all sessions together: some 2 MB of page."""

_MOST_CARDS = 200
"""With more members than this, over all sessions, nobody has a chart of their own."""

_MOST_HISTORIES = 12

CROWD = 8
"""With more members than this, their own charts are smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart on the page: its element's id, what it shows in words, and its Vega-Lite specification.

    `values` holds each layer's data as JSON text, in the order in which the specification refers to data; what the
    specification has of data itself is not used.
    """

    id: str
    title: str
    spec: Mapping[str, Any]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How finely a report's sessions are drawn: buckets for a line, whether members have charts of their own."""

    max_hold_s: float
    buckets: int
    cards: bool


def drawing_of(report: ReportData) -> Drawing:
    """Choose how finely to draw, so that the page stays small however much it is about."""
    everybody = max(1, report.summary.height)
    buckets = max(_FEWEST_BUCKETS, min(_BUCKETS, _ALL_BUCKETS // everybody))
    return Drawing(max_hold_s=report.options.max_hold_s, buckets=buckets, cards=everybody <= _MOST_CARDS)


def overview_figure(part: SessionView, id_: str, drawing: Drawing) -> Figure | None:
    """Draw all members over time, with zones if there is only one; None when there is nothing to draw."""
    if part.readings.filter("plausible").is_empty():
        return None
    if len(part.names) == 1:
        alone = next(iter(part.names))
        values = members_values(part, max_hold_s=drawing.max_hold_s, buckets=drawing.buckets)
        chart = member_timeline(part, alone, values[alone], width=_FILL, height=300)
    else:
        chart = timeline(part, max_hold_s=drawing.max_hold_s, buckets=drawing.buckets, width=_FILL, chooser=False)
    return _figure(f"{id_}-time", "Heart rate over time", chart)


def member_figures(part: SessionView, id_: str, drawing: Drawing) -> dict[str, Figure]:
    """Draw each member alone, by profile id; empty for a session of one, and where there are too many."""
    present = part.summary.filter(pl.col("readings") > 0)["profile_id"].to_list()
    if not drawing.cards or not present or len(part.names) == 1:
        return {}
    buckets = max(_FEWEST_BUCKETS, drawing.buckets // 2)
    values = members_values(part, max_hold_s=drawing.max_hold_s, buckets=buckets)
    # All of them are made alike: what differs is the data.
    height = 96 if len(part.names) > CROWD else 130
    like = member_timeline(part, present[0], values[present[0]], width=_FILL, height=height)
    spec = like.to_dict(validate=False)
    return {
        member: Figure(
            id=f"{id_}-m{place}",
            title=f"Heart rate of {part.names[member]} over time",
            spec=spec,
            values=tuple(values[member]),
        )
        for place, member in enumerate(present)
    }


def zones_figure(part: SessionView, id_: str) -> Figure | None:
    """Draw time in zones; None when no HRmax is known."""
    if part.summary.filter(pl.col("hr_max").is_not_null() & (pl.col("readings") > 0)).is_empty():
        return None
    return _figure(f"{id_}-zones", "Time in zones", zone_bars(part, width=_FILL, legend=False))


def distribution_figure(part: SessionView, id_: str) -> Figure | None:
    """Draw time at each heart rate; None when no time was observed."""
    if part.time_at_bpm.filter(pl.col("held_s") > 0).is_empty():
        return None
    return _figure(f"{id_}-spread", "Time at each heart rate", distribution(part, width=_FILL))


def history_figures(report: ReportData, zone: tzinfo | None = None) -> list[Figure]:
    """Draw what only several sessions can show; nothing for a report of one."""
    if report.sessions.height <= 1:
        return []
    figures = [_figure("calendar", "When the sessions were", calendar(report.sessions, zone=zone, width=_FILL))]
    often = (
        report.summary.filter(pl.col("bpm_mean").is_not_null())
        .group_by("profile_id", maintain_order=True)
        .agg(pl.len().alias("sessions"), pl.col("name").last())
        .filter(pl.col("sessions") > 1)
    )
    if often.height <= _MOST_HISTORIES:
        for number, (id_, name) in enumerate(often.select("profile_id", "name").iter_rows()):
            chart = member_history(report.summary, id_, zone=zone, width=_FILL)
            figures.append(_figure(f"history{number}", f"{name} in each session", chart))
    return figures


def _figure(id_: str, title: str, chart: alt.LayerChart) -> Figure:
    spec = chart.to_dict(validate=False)
    values = tuple(spec["datasets"][name] for name in _names(spec))
    return Figure(id=id_, title=title, spec=spec, values=values)


def _names(spec: Any) -> Iterator[str]:
    """List the names of the data that a specification refers to, in its order."""
    if isinstance(spec, list):
        for part in spec:
            yield from _names(part)
    elif isinstance(spec, dict):
        for key, part in spec.items():
            if key == "data":
                yield part["name"]
            elif key != "datasets":
                yield from _names(part)
