"""How alike hearts moved over a session, below the lines of heart rates: all together, and behind it each two."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from pulsoid_rec.analysis.charts.data import HOVER_COLUMNS
from pulsoid_rec.analysis.charts.drawing import Drawing, Source
from pulsoid_rec.analysis.charts.layers import hover, line, offline_bands, offline_values, session_values
from pulsoid_rec.analysis.charts.mark_layers import mark_datasets, mark_rules, phase_bands
from pulsoid_rec.analysis.charts.pairs import format_correlation
from pulsoid_rec.analysis.charts.style import encode, light, styled
from pulsoid_rec.analysis.charts.timeline import timeline_drawing
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.findings.wording import DASH
from pulsoid_rec.analysis.group.course import SessionCourse
from pulsoid_rec.analysis.group.synchrony import FloatArray
from pulsoid_rec.analysis.group.windows import WINDOW_S

MOST_PAIRS = 66  # that are drawn: those of twelve members
_HEIGHT = 140
_FIELDS = ("column", "members", "mean", "highest", "lowest")


def course_drawing(view: SessionView, course: SessionCourse, names: Sequence[str]) -> Drawing:
    """Prepare the correlation in each window of a session: of all members as a line, behind it a thin one a pair.

    The axis of time is that of the session's heart rates. `names` are what the pairs are called; more than `MOST_PAIRS`
    are only in the tooltips.
    """
    offset_s = (course.first_at - view.started_at).total_seconds()
    middles = np.round(offset_s + WINDOW_S * (np.arange(len(course.group)) + 0.5), 1).tolist()
    values = session_values(view)
    drawn = course.pairs if len(course.pairs) <= MOST_PAIRS else ()
    span_s = (values["end"] - values["begin"]) / 1000
    return Drawing(
        make=_make,
        description="Correlation of heart rates over time, of all members and of each two",
        datasets={
            "offline": encode(offline_values(view)),
            "group": encode([{"t": middles, "r": _rounded(course.group)}]),
            "pairs": encode([{"pair": place, "t": middles, "r": _rounded(pair)} for place, pair in enumerate(drawn)]),
            "columns": encode([_hover_columns(span_s, offset_s, course, names)]),
            **mark_datasets(view),
        },
        values=values,
        height=_HEIGHT,
    )


def timeline_with_course(
    view: SessionView, course: SessionCourse | None, names: Sequence[str], width: int
) -> alt.ConcatChart:
    """Draw all members' heart rates, and below them on the same axis of time how alike they moved."""
    drawings = [timeline_drawing(view, view, buckets=max(120, round(width * 480 / 760)), chooser=True)]
    if course is not None:
        drawings.append(course_drawing(view, course, names))
    charts = [
        each.make(each, *each.shape).properties(width=width, height=each.height or 320, description=each.description)
        for each in drawings
    ]
    description = "; below: ".join(each.description for each in drawings)
    return styled(alt.ConcatChart(concat=charts, columns=1, description=description))


def _rounded(values: FloatArray) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 2) for value in values]


def _hover_columns(span_s: float, offset_s: float, course: SessionCourse, names: Sequence[str]) -> dict[str, list[Any]]:
    """Prepare the tooltips of equal columns of time: each one has the values of the window that its middle is in."""
    rows: list[tuple[Any, ...]] = []
    for column in range(HOVER_COLUMNS):
        window = int(((column + 0.5) * span_s / HOVER_COLUMNS - offset_s) // WINDOW_S)
        pairs = course.pairs[:, window] if 0 <= window < len(course.group) else np.full(1, np.nan)
        if np.isnan(pairs).all():
            rows.append((column, DASH, DASH, DASH, DASH))
            continue
        ends = [int(find(pairs)) for find in (np.nanargmax, np.nanargmin)]
        named = (f"{format_correlation(pairs[pair])} {names[pair]}" for pair in ends)
        observed = f"{course.members[window]} of {len(course.profile_ids)}"
        rows.append((column, observed, format_correlation(course.group[window]), *named))
    return dict(zip(_FIELDS, map(list, zip(*rows, strict=True)), strict=True))


def _make(source: Source) -> alt.LayerChart:
    title: dict[str, Any] = {"titleAngle": 0, "titleAnchor": "end", "titleAlign": "left", "titleY": -8}
    axis = alt.Axis(values=[-1, 0, 1], minExtent=26, format="d", title="correlation", **title)  # as wide as that of bpm
    y = alt.Y("r:Q", scale=alt.Scale(domain=[-1, 1], nice=False), axis=axis)
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(stroke=light("muted"), strokeWidth=1, aria=False)
    drawn = line(source, width=0.8).encode(y=y, detail=alt.Detail("pair:N"), color=alt.ColorValue(light("quiet")))
    dots = line(source).mark_line(
        strokeWidth=2, point=alt.OverlayMarkDef(size=12, fill=light("accent"), aria=False), aria=False
    )
    layers = [
        offline_bands(source),
        phase_bands(source),
        _over_time(drawn.encode(opacity=alt.value(0.55)), source, "pairs"),
        zero.encode(y=alt.Y("zero:Q")),
        _over_time(dots.encode(y=y, color=alt.ColorValue(light("accent"))), source, "group"),
        mark_rules(source, has_labels=False),
        hover(
            source,
            _FIELDS,
            columns=HOVER_COLUMNS,
            name="under_course",
            tooltips=[alt.Tooltip(f"{field}:N") for field in _FIELDS[1:]],
        ),
    ]
    return alt.LayerChart(layer=layers)


def _over_time(chart: alt.Chart, source: Source, name: str) -> alt.LayerChart:
    """Give a line its data: lists of seconds since the session began, and of correlations."""
    layer: alt.LayerChart = alt.LayerChart(layer=[chart], data=source.data(name)).transform_flatten(["t", "r"])
    return layer.transform_calculate(at=f"{source.value('begin')} + 1000 * datum.t")
