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
from pulsoid_rec.analysis.charts.style import encode, light
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.findings.wording import DASH
from pulsoid_rec.analysis.group.synchrony import Course, FloatArray

MOST_PAIRS = 66  # that are drawn: those of twelve members
_HEIGHT = 140
_FIELDS = ("column", "all", "highest", "lowest")


def course_drawing(view: SessionView, course: Course, offset_s: float, names: Sequence[str]) -> Drawing:
    """Prepare the correlation in each window of a session: of all members as a line, behind it a thin one a pair.

    `course` is that of windowed cross-correlation, which begins `offset_s` after the session; the axis of time is that
    of the session's heart rates. `names` are what its pairs are called; more than `MOST_PAIRS` are only in the
    tooltips.
    """
    begins_s, group, pairs = _with_breaks(course)
    begins_s += offset_s
    middles = np.round(begins_s + course.window_s / 2, 1).tolist()
    values = session_values(view)
    columns = _hover_columns((values["end"] - values["begin"]) / 1000, begins_s, course.window_s, group, pairs, names)
    return Drawing(
        make=_make,
        description="Correlation of heart rates over time, of all members and of each two",
        datasets={
            "offline": encode(offline_values(view)),
            "group": encode([{"t": middles, "r": _rounded(group)}]),
            "pairs": encode(
                [
                    {"pair": place, "t": middles, "r": _rounded(pair)}
                    for place, pair in enumerate(pairs if len(pairs) <= MOST_PAIRS else ())
                ]
            ),
            "columns": encode([columns]),
            **mark_datasets(view),
        },
        values=values,
        height=_HEIGHT,
    )


def _with_breaks(course: Course) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return when windows begin, and the correlations in them (pairs: one row each); NaN where one was dropped."""
    places = course.starts_s // course.window_s
    count = int(places[-1]) + 1 if len(places) else 0
    by_pair = np.empty((0, len(places))) if course.pairs is None else course.pairs
    group, pairs = np.full(count, np.nan), np.full((len(by_pair), count), np.nan)
    group[places], pairs[:, places] = np.tanh(course.group), np.tanh(by_pair)
    return np.arange(count) * float(course.window_s), group, pairs


def _rounded(values: FloatArray) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 2) for value in values]


def _hover_columns(
    span_s: float, begins_s: FloatArray, length_s: float, group: FloatArray, pairs: FloatArray, names: Sequence[str]
) -> dict[str, list[Any]]:
    """Prepare the tooltips of equal columns of time: each one has the values of the window that its middle is in."""
    rows = []
    for column in range(HOVER_COLUMNS):
        middle_s = (column + 0.5) * span_s / HOVER_COLUMNS
        window = int(np.searchsorted(begins_s, middle_s, "right")) - 1
        is_inside = window >= 0 and middle_s < begins_s[window] + length_s
        if not is_inside or np.isnan(pairs[:, window]).all():
            rows.append((column, DASH, DASH, DASH))
            continue
        ends = [int(find(pairs[:, window])) for find in (np.nanargmax, np.nanargmin)]
        named = (f"{format_correlation(pairs[pair, window])} {names[pair]}" for pair in ends)
        rows.append((column, format_correlation(group[window]), *named))
    return dict(zip(_FIELDS, map(list, zip(*rows, strict=True)), strict=True))


def _make(source: Source) -> alt.LayerChart:
    axis = alt.Axis(values=[-1, -0.5, 0, 0.5, 1], minExtent=26, format=".1f")
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
            tooltips=[alt.Tooltip("all:N", title="all together"), alt.Tooltip("highest:N"), alt.Tooltip("lowest:N")],
        ),
    ]
    return alt.LayerChart(layer=layers)


def _over_time(chart: alt.Chart, source: Source, name: str) -> alt.LayerChart:
    """Give a line its data: lists of seconds since the session began, and of correlations."""
    layer: alt.LayerChart = alt.LayerChart(layer=[chart], data=source.data(name)).transform_flatten(["t", "r"])
    return layer.transform_calculate(at=f"{source.value('begin')} + 1000 * datum.t")
