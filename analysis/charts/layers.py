"""What charts over time are laid together from: axes, lines that break at gaps, and columns to hover over."""

import altair as alt

from pulsoid_rec.analysis.charts.data import wall_ms
from pulsoid_rec.analysis.charts.style import light
from pulsoid_rec.analysis.findings.session_view import SessionView

_DAY_MS = 86_400_000

_CLOCK = {"hours": "%H:%M", "minutes": "%H:%M", "seconds": "%H:%M:%S", "milliseconds": "%H:%M:%S"}
_CLOCK |= dict.fromkeys(("year", "quarter", "month", "week", "date", "day"), "%d %b")


def time_axis(field: str, scale: alt.Scale | None = None) -> alt.X:
    """Lay a field along the local time; from when to when, `line` says."""
    axis = alt.Axis(
        format=_CLOCK, tickCount=alt.ExprRef("max(2, width / 90)"), labelOverlap=True, labelFlush=True, grid=False
    )
    return alt.X(f"{field}:T", scale=scale or alt.Scale(type="utc", nice=False), axis=axis)


def line(part: SessionView, domain: tuple[int, int], *, width: float = 1.4) -> alt.Chart:
    """Draw heart rates as a line, broken where one is null; it takes its readings from `of_readings`."""
    begin, end = (wall_ms(at, part) for at in (part.started_at, part.ended_at))
    # An axis needs some length, which a session of one reading has not.
    ends = alt.ExprRef(f"{begin}"), alt.ExprRef(f"{max(end, begin + 1000)}")
    x = time_axis("at", alt.Scale(type="utc", nice=False, domainMin=ends[0], domainMax=ends[1]))
    axis = alt.Axis(
        tickCount=5, minExtent=26, title="bpm", titleAngle=0, titleAnchor="end", titleAlign="left", titleY=-8
    )
    y = alt.Y("bpm:Q", scale=alt.Scale(domain=domain, zero=False, nice=False), axis=axis)
    drawn: alt.Chart = (
        alt.Chart().mark_line(strokeWidth=width, strokeCap="round", strokeJoin="round", aria=False).encode(x=x, y=y)
    )
    return drawn


def of_readings(layers: list[alt.Chart], data: alt.InlineData, part: SessionView) -> alt.LayerChart:
    """Give lines their readings, as `charts_data.lines` has them, once for all of the lines."""
    given: alt.LayerChart = (
        alt.LayerChart(layer=layers, data=data)
        .transform_flatten(["t", "bpm"])
        .transform_calculate(at=f"{wall_ms(part.started_at, part)} + 1000 * datum.t")
    )
    return given


def offline_values(part: SessionView) -> list[dict[str, int]]:
    """Give the times in which nobody recorded the room, for `offline_bands`."""
    spans = [(max(time.begins_at, part.started_at), min(time.ends_at, part.ended_at)) for time in part.offline]
    return [{"from": wall_ms(begin, part), "to": wall_ms(end, part)} for begin, end in spans]


def offline_bands(data: alt.InlineData) -> alt.Chart:
    """Shade the times in which nobody recorded the room."""
    bands: alt.Chart = (
        alt.Chart(data).mark_rect(fill=light("quiet"), opacity=0.35, aria=False).encode(x=time_axis("from"), x2="to:T")
    )
    return bands


def crowd_bands(data: alt.InlineData, fields: list[str], columns: int, part: SessionView) -> alt.LayerChart:
    """Draw many members as their extremes, their middle half and their median, as `charts_data.together` has them."""
    start, end = wall_ms(part.started_at, part), wall_ms(part.ended_at, part)
    x, y = time_axis("at"), alt.Y("low:Q")
    extremes = alt.Chart().mark_area(fill=light("quiet"), opacity=0.25, aria=False).encode(x=x, y=y, y2="high:Q")
    half = alt.Chart().mark_area(fill=light("quiet"), opacity=0.5, aria=False)
    half = half.encode(x=x, y="quarter:Q", y2="three_quarters:Q")
    median = alt.Chart().mark_line(stroke=light("ink"), strokeWidth=1.6, aria=False).encode(x=x, y="middle:Q")
    bands: alt.LayerChart = (
        alt.LayerChart(layer=[extremes, half, median], data=data)
        .transform_flatten([*fields])
        .transform_calculate(at=f"{start} + {(end - start) / columns} * (datum.column + 0.5)")
    )
    return bands


def hover(
    part: SessionView,
    data: alt.InlineData,
    fields: list[str],
    *,
    columns: int,
    tooltips: list[alt.Tooltip],
    name: str = "under",
) -> alt.Chart:
    """Lay unseen columns over a chart, which show themselves and their values under the pointer or a finger.

    Parameters
    ----------
    part
        The session.
    data
        One object of equally long lists, as `charts_data.one_by_one` and `together` give it.
    fields
        Its keys.
    columns
        Length of its lists.
    tooltips
        What to show below the time.
    name
        Of the selection; no two charts laid side by side may share it.
    """
    under = alt.selection_point(name=name, fields=["column"], on="pointerover", clear="pointerout", empty=False)
    start, end = wall_ms(part.started_at, part), wall_ms(part.ended_at, part)
    width_ms = (end - start) / columns
    clock = "%H:%M:%S" if start // _DAY_MS == end // _DAY_MS else "%d %b %H:%M:%S"
    laid: alt.Chart = (
        alt.Chart(data)
        .transform_flatten([*fields])
        .transform_calculate(
            begins=f"{start} + {width_ms} * datum.column",
            ends=f"{start} + {width_ms} * (datum.column + 1)",
            when=f"utcFormat(datum.begins, '{clock}') + ' to ' + utcFormat(datum.ends, '{clock}')",
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
    return laid
