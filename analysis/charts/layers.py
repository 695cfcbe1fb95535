"""The layers of charts over time: axes, lines that break at gaps, shading, and columns to hover over."""

import json
from collections.abc import Sequence
from typing import Any

import altair as alt

from pulsoid_rec.analysis.charts.data import bpm_domain, clock_change, wall_ms
from pulsoid_rec.analysis.charts.drawing import Source
from pulsoid_rec.analysis.charts.style import light
from pulsoid_rec.analysis.findings.session_view import SessionView

_DAY_MS = 86_400_000

_CLOCK = {"hours": "%H:%M", "minutes": "%H:%M", "seconds": "%H:%M:%S", "milliseconds": "%H:%M:%S"}
_CLOCK |= dict.fromkeys(("year", "quarter", "month", "week", "date", "day"), "%d %b")


def time_axis(field: str, scale: alt.Scale | None = None, source: Source | None = None) -> alt.X:
    """Place a field along the local time; `line` sets the axis' start and end, and labels it for a session."""
    axis = alt.Axis(
        format=_CLOCK, tickCount=alt.ExprRef("max(2, width / 90)"), labelOverlap=True, labelFlush=True, grid=False
    )
    if source is not None:
        changed, offset = map(source.value, ("changed", "offset"))
        text = f"utcFormat({_shown('datum.value', source)}, {json.dumps(_CLOCK)})"
        axis.labelExpr = f"{offset} === '' || datum.value < {changed} ? {text} : [{text}, {offset}]"
    return alt.X(f"{field}:T", scale=scale or alt.Scale(type="utc", nice=False), axis=axis)


def _shown(wall: str, source: Source) -> str:
    """Return an expression for what clocks showed at a `wall_ms`."""
    changed, shift = map(source.value, ("changed", "shift"))
    return f"toNumber({wall}) + ({wall} < {changed} ? 0 : {shift})"


def session_values(view: SessionView) -> dict[str, Any]:
    """Return the values that the layers of a session's chart refer to: its ends, the axis of bpm, a format of times.

    And when clocks were changed, as `clock_change`.
    """
    begin, end = (wall_ms(at, view) for at in (view.started_at, view.ended_at))
    low, high = bpm_domain(view.readings)
    clock = "%H:%M:%S" if begin // _DAY_MS == end // _DAY_MS else "%d %b %H:%M:%S"
    values = {"begin": begin, "end": end, "low": low, "high": high, "clock": clock}
    return values | dict(zip(("changed", "shift", "offset"), clock_change(view), strict=True))


def line(source: Source, *, width: float = 1.4) -> alt.Chart:
    """Draw heart rates as a line, broken at nulls, with the data of `with_readings`."""
    begin, end, low, high = map(source.value, ("begin", "end", "low", "high"))
    # The axis needs some length even for a session of one reading.
    ends = alt.ExprRef(begin), alt.ExprRef(f"max({end}, {begin} + 1000)")
    x = time_axis("at", alt.Scale(type="utc", nice=False, domainMin=ends[0], domainMax=ends[1]), source)
    axis = alt.Axis(
        tickCount=5, minExtent=26, title="bpm", titleAngle=0, titleAnchor="end", titleAlign="left", titleY=-8
    )
    scale = alt.Scale(domainMin=alt.ExprRef(low), domainMax=alt.ExprRef(high), zero=False, nice=False)
    y = alt.Y("bpm:Q", scale=scale, axis=axis)
    mark: alt.Chart = alt.Chart().mark_line(strokeWidth=width, strokeCap="round", strokeJoin="round", aria=False)
    return mark.encode(x=x, y=y)


def with_readings(layers: list[alt.Chart], source: Source) -> alt.LayerChart:
    """Give several lines the readings, as `data.lines` returns them."""
    chart: alt.LayerChart = alt.LayerChart(layer=layers, data=source.data("lines")).transform_flatten(["t", "bpm"])
    return chart.transform_calculate(at=f"{source.value('begin')} + 1000 * datum.t")


def offline_values(view: SessionView) -> list[dict[str, int]]:
    """Return the times in which the room was not recorded, as the data of `offline_bands`."""
    spans = [(max(time.begins_at, view.started_at), min(time.ends_at, view.ended_at)) for time in view.offline]
    return [{"from": wall_ms(begin, view), "to": wall_ms(end, view)} for begin, end in spans]


def offline_bands(source: Source) -> alt.Chart:
    """Shade the times in which the room was not recorded."""
    mark: alt.Chart = alt.Chart(source.data("offline")).mark_rect(fill=light("quiet"), opacity=0.35, aria=False)
    return mark.encode(x=time_axis("from"), x2=alt.X2("to:T"))


def crowd_bands(source: Source, fields: Sequence[str], columns: int) -> alt.LayerChart:
    """Draw many members as their extremes, their middle half and their median, as `data.crowd_hover` returns them."""
    begin, end = source.value("begin"), source.value("end")
    x, y = time_axis("at"), alt.Y("low:Q")
    extremes = (
        alt.Chart().mark_area(fill=light("quiet"), opacity=0.25, aria=False).encode(x=x, y=y, y2=alt.Y2("high:Q"))
    )
    half = alt.Chart().mark_area(fill=light("quiet"), opacity=0.5, aria=False)
    half = half.encode(x=x, y=alt.Y("quarter:Q"), y2=alt.Y2("three_quarters:Q"))
    median = alt.Chart().mark_line(stroke=light("ink"), strokeWidth=1.6, aria=False).encode(x=x, y=alt.Y("middle:Q"))
    chart: alt.LayerChart = alt.LayerChart(layer=[extremes, half, median], data=source.data("columns"))
    chart = chart.transform_flatten([*fields])
    return chart.transform_calculate(at=f"{begin} + ({end} - {begin}) / {columns} * (datum.column + 0.5)")


def hover(
    source: Source, fields: Sequence[str], *, columns: int, tooltips: list[alt.Tooltip], name: str = "under"
) -> alt.Chart:
    """Lay invisible columns over a chart, which appear with their values under the pointer or a finger.

    The source has what `data.member_hover` or `crowd_hover` returned, as `columns`; `fields` are its keys, and
    `columns` the length of its lists. `name` is the selection's; charts side by side need different ones.
    """
    under = alt.selection_point(name=name, fields=["column"], on="pointerover", clear="pointerout", empty=False)
    begin, end, clock = map(source.value, ("begin", "end", "clock"))
    chart: alt.Chart = (
        alt.Chart(source.data("columns"))
        .transform_flatten([*fields])
        .transform_calculate(
            begins=f"{begin} + ({end} - {begin}) / {columns} * datum.column",
            ends=f"{begin} + ({end} - {begin}) / {columns} * (datum.column + 1)",
            when=" + ' to ' + ".join(
                f"utcFormat({_shown(f'datum.{edge}', source)}, {clock})" for edge in ("begins", "ends")
            ),
        )
        .mark_rect(fill=light("ink"), aria=False)
        .encode(
            x=time_axis("begins"),
            x2=alt.X2("ends:T"),
            fillOpacity=alt.FillOpacityValue(0, condition={"param": name, "empty": False, "value": 0.12}),
            tooltip=[alt.Tooltip("when:N", title="time"), *tooltips],
        )
        .add_params(under)
    )
    return chart
