"""How alike hearts moved over a session, below the lines of heart rates: all together, and behind it each two."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import numpy.typing as npt

from pulsoid_rec.analysis.charts.data import HOVER_COLUMNS
from pulsoid_rec.analysis.charts.drawing import Drawing, Source
from pulsoid_rec.analysis.charts.layers import hover, line, offline_bands, offline_values, session_values
from pulsoid_rec.analysis.charts.mark_layers import mark_datasets, mark_rules, phase_bands
from pulsoid_rec.analysis.charts.pairs import format_correlation
from pulsoid_rec.analysis.charts.style import encode, light
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.findings.wording import DASH

MOST_PAIRS = 66  # that are drawn: those of twelve members
_HEIGHT = 140
_FIELDS = ("column", "all", "highest", "lowest")


def course_drawing(
    view: SessionView,
    begins_s: npt.NDArray[np.float64],
    length_s: float,
    group: npt.NDArray[np.float64],
    pairs: npt.NDArray[np.float64],
    names: Sequence[str],
) -> Drawing:
    """Prepare the correlation in each window of a session: of all members as a line, behind it a thin one a pair.

    Parameters
    ----------
    view
        The session; the axis of time is that of its heart rates.
    begins_s, length_s
        When each window begins, in seconds since the session did, ascending; and how long all of them are.
    group, pairs
        Correlations of shape (windows,) and (windows, pairs); NaN where there is none.
    names
        What the pairs are called. More than `MOST_PAIRS` are not drawn, but in the tooltips.
    """
    middles = np.round(begins_s + length_s / 2, 1)
    shown = range(len(names)) if len(names) <= MOST_PAIRS else range(0)
    values = session_values(view)
    return Drawing(
        make=_make,
        description="Correlation of heart rates over time, of all members and of each two",
        datasets={
            "offline": encode(offline_values(view)),
            "group": encode([{"t": middles.tolist(), "r": _rounded(group)}]),
            "pairs": encode([{"pair": place, "t": middles.tolist(), "r": _rounded(pairs[:, place])} for place in shown]),
            "columns": encode([_hover_columns(values, begins_s, length_s, group, pairs, names)]),
            **mark_datasets(view),
        },
        values=values,
        height=_HEIGHT,
    )


def _rounded(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 2) for value in values]


def _hover_columns(
    values: dict[str, Any],
    begins_s: npt.NDArray[np.float64],
    length_s: float,
    group: npt.NDArray[np.float64],
    pairs: npt.NDArray[np.float64],
    names: Sequence[str],
) -> dict[str, list[Any]]:
    """Prepare the tooltips of equal columns of time: each one has the values of the window that its middle is in."""
    span_s = (values["end"] - values["begin"]) / 1000
    middles = (np.arange(HOVER_COLUMNS) + 0.5) * span_s / HOVER_COLUMNS
    rows = []
    for column, middle_s in enumerate(middles):
        window = int(np.searchsorted(begins_s, middle_s, "right")) - 1
        if window < 0 or middle_s >= begins_s[window] + length_s or np.isnan(pairs[window]).all():
            rows.append((column, DASH, DASH, DASH))
            continue
        ends = [int(find(pairs[window])) for find in (np.nanargmax, np.nanargmin)]
        named = (f"{format_correlation(pairs[window, pair])} {names[pair]}" for pair in ends)
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
