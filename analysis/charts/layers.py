"""The layers of charts over time: axes, lines that break at gaps, shading, and columns to hover over."""

import json

import altair as alt

from pulsoid_rec.analysis.charts.data import clock_change, wall_ms
from pulsoid_rec.analysis.charts.style import light
from pulsoid_rec.analysis.findings.session_view import SessionView

_DAY_MS = 86_400_000

_CLOCK = {"hours": "%H:%M", "minutes": "%H:%M", "seconds": "%H:%M:%S", "milliseconds": "%H:%M:%S"}
_CLOCK |= dict.fromkeys(("year", "quarter", "month", "week", "date", "day"), "%d %b")


def time_axis(field: str, scale: alt.Scale | None = None, view: SessionView | None = None) -> alt.X:
    """Place a field along the local time; `line` sets the axis' start and end, and labels it for a session."""
    axis = alt.Axis(
        format=_CLOCK, tickCount=alt.ExprRef("max(2, width / 90)"), labelOverlap=True, labelFlush=True, grid=False
    )
    if view is not None and (changed := clock_change(view))[1]:
        text = f"utcFormat({_shown('datum.value', view)}, {json.dumps(_CLOCK)})"
        axis.labelExpr = f"datum.value < {changed[0]} ? {text} : [{text}, '{changed[2]}']"
    return alt.X(f"{field}:T", scale=scale or alt.Scale(type="utc", nice=False), axis=axis)


def _shown(wall: str, view: SessionView) -> str:
    """Return an expression for what clocks showed at a `wall_ms`."""
    changed_ms, shift_ms, _ = clock_change(view)
    return f"toNumber({wall}) + ({wall} < {changed_ms} ? 0 : {shift_ms})" if shift_ms else wall


def line(view: SessionView, domain: tuple[int, int], *, width: float = 1.4) -> alt.Chart:
    """Draw heart rates as a line, broken at nulls, with the data of `with_readings`."""
    begin, end = (wall_ms(at, view) for at in (view.started_at, view.ended_at))
    # The axis needs some length even for a session of one reading.
    ends = alt.ExprRef(f"{begin}"), alt.ExprRef(f"{max(end, begin + 1000)}")
    x = time_axis("at", alt.Scale(type="utc", nice=False, domainMin=ends[0], domainMax=ends[1]), view)
    axis = alt.Axis(
        tickCount=5, minExtent=26, title="bpm", titleAngle=0, titleAnchor="end", titleAlign="left", titleY=-8
    )
    y = alt.Y("bpm:Q", scale=alt.Scale(domain=domain, zero=False, nice=False), axis=axis)
    mark: alt.Chart = alt.Chart().mark_line(strokeWidth=width, strokeCap="round", strokeJoin="round", aria=False)
    return mark.encode(x=x, y=y)


def with_readings(layers: list[alt.Chart], data: alt.InlineData, view: SessionView) -> alt.LayerChart:
    """Give several lines the readings, as `data.lines` returns them."""
    chart: alt.LayerChart = alt.LayerChart(layer=layers, data=data).transform_flatten(["t", "bpm"])
    return chart.transform_calculate(at=f"{wall_ms(view.started_at, view)} + 1000 * datum.t")


def offline_values(view: SessionView) -> list[dict[str, int]]:
    """Return the times in which the room was not recorded, as the data of `offline_bands`."""
    spans = [(max(time.begins_at, view.started_at), min(time.ends_at, view.ended_at)) for time in view.offline]
    return [{"from": wall_ms(begin, view), "to": wall_ms(end, view)} for begin, end in spans]


def offline_bands(data: alt.InlineData) -> alt.Chart:
    """Shade the times in which the room was not recorded."""
    mark: alt.Chart = alt.Chart(data).mark_rect(fill=light("quiet"), opacity=0.35, aria=False)
    return mark.encode(x=time_axis("from"), x2="to:T")


def crowd_bands(data: alt.InlineData, fields: list[str], columns: int, view: SessionView) -> alt.LayerChart:
    """Draw many members as their extremes, their middle half and their median, as `data.crowd_hover` returns them."""
    start, end = wall_ms(view.started_at, view), wall_ms(view.ended_at, view)
    x, y = time_axis("at"), alt.Y("low:Q")
    extremes = alt.Chart().mark_area(fill=light("quiet"), opacity=0.25, aria=False).encode(x=x, y=y, y2="high:Q")
    half = alt.Chart().mark_area(fill=light("quiet"), opacity=0.5, aria=False)
    half = half.encode(x=x, y="quarter:Q", y2="three_quarters:Q")
    median = alt.Chart().mark_line(stroke=light("ink"), strokeWidth=1.6, aria=False).encode(x=x, y="middle:Q")
    chart: alt.LayerChart = alt.LayerChart(layer=[extremes, half, median], data=data).transform_flatten([*fields])
    return chart.transform_calculate(at=f"{start} + {(end - start) / columns} * (datum.column + 0.5)")


def hover(
    view: SessionView,
    data: alt.InlineData,
    fields: list[str],
    *,
    columns: int,
    tooltips: list[alt.Tooltip],
    name: str = "under",
) -> alt.Chart:
    """Lay invisible columns over a chart, which appear with their values under the pointer or a finger.

    Parameters
    ----------
    view
        The session.
    data, fields, columns
        What `data.member_hover` or `crowd_hover` returned, its keys, and the length of its lists.
    tooltips
        What to show below the time.
    name
        The selection's name; charts side by side need different ones.
    """
    under = alt.selection_point(name=name, fields=["column"], on="pointerover", clear="pointerout", empty=False)
    start, end = wall_ms(view.started_at, view), wall_ms(view.ended_at, view)
    width_ms = (end - start) / columns
    clock = "%H:%M:%S" if start // _DAY_MS == end // _DAY_MS else "%d %b %H:%M:%S"
    chart: alt.Chart = (
        alt.Chart(data)
        .transform_flatten([*fields])
        .transform_calculate(
            begins=f"{start} + {width_ms} * datum.column",
            ends=f"{start} + {width_ms} * (datum.column + 1)",
            when=" + ' to ' + ".join(
                f"utcFormat({_shown(f'datum.{end}', view)}, '{clock}')" for end in ("begins", "ends")
            ),
        )
        .mark_rect(fill=light("ink"), aria=False)
        .encode(
            x=time_axis("begins"),
            x2="ends:T",
            fillOpacity=alt.condition(under, alt.value(0.12), alt.value(0)),
            tooltip=[alt.Tooltip("when:N", title="time"), *tooltips],
        )
        .add_params(under)
    )
    return chart
