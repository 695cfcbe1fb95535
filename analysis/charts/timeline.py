"""A session's heart rates over time, all members at once."""

from typing import Any

import altair as alt
import polars as pl

from pulsoid_rec.analysis.charts.data import (
    HOVER_COLUMNS,
    bpm_domain,
    crowd_hover,
    lines,
    member_hover,
    thin,
)
from pulsoid_rec.analysis.charts.layers import crowd_bands, hover, line, offline_bands, offline_values, with_readings
from pulsoid_rec.analysis.charts.style import MEMBERS, inline, light, styled
from pulsoid_rec.analysis.findings.session_view import SessionView


def timeline(view: SessionView, *, buckets: int = 480, width: int | str = 760, chooser: bool = True) -> alt.LayerChart:
    """Draw every member's heart rate over a session, on one pair of axes.

    A line breaks where a member was silent for longer than a reading holds. Up to six members have a colour each. More
    are drawn together, as their lowest and highest, their middle half and their median, and one at a time can be
    brought forward. Times in which the room was not recorded are shaded. Hover or tap to read values.

    Parameters
    ----------
    view
        The session, with its readings.
    buckets
        As of `thin`: about one for two pixels of width.
    width
        Pixels, or "container" to fill the element it is in.
    chooser
        Whether it has a menu and a legend of its own; the page has members' buttons instead, which set the parameter
        `picked` to a member's place in the summary (-1 for nobody).

    Returns
    -------
    altair.LayerChart
        The chart; axes without a line when there is no plausible reading.
    """
    domain = bpm_domain(view.readings)
    if len(view.names) <= len(MEMBERS):
        legend = alt.Legend() if chooser else None
        scale = alt.Scale(domain=list(view.names.values()), range=list(MEMBERS))
        colour: Any = alt.Color("name:N", legend=legend, scale=scale)
        columns = member_hover(view, HOVER_COLUMNS)
        tooltips = [alt.Tooltip(f"m{i}:N", title=_row_title(name)) for i, name in enumerate(view.names.values())]
        coloured = [line(view, domain).encode(detail="member:N", color=colour)]
        bands = []
    else:
        colour = alt.value(light("accent"))
        columns = crowd_hover(view, HOVER_COLUMNS)
        tooltips = [alt.Tooltip(f"{key}:N") for key in ("present", "median", "highest", "lowest")]
        coloured = []
        bands = [crowd_bands(inline([columns]), list(columns), HOVER_COLUMNS, view)]
    casing = line(view, domain, width=5).encode(color=alt.value(light("paper")))
    front = line(view, domain, width=2.2).encode(color=colour)
    picked = [each.transform_filter("datum.member === picked") for each in (casing, front)]
    layers = [
        offline_bands(inline(offline_values(view))),
        *bands,
        with_readings([*coloured, *picked], inline(lines(thin(view, buckets), view)), view),
        hover(view, inline([columns]), list(columns), columns=HOVER_COLUMNS, tooltips=tooltips),
    ]
    present = view.summary.filter(pl.col("readings") > 0).height
    description = f"Heart rate of {present} members over time, in beats per minute"
    chart = alt.LayerChart(layer=layers).add_params(_picked(view, menu=chooser))
    return styled(chart.properties(width=width, height=320, description=description))


def _row_title(name: str) -> str:
    """Make a name the title of a tooltip's row: Vega-Lite writes it into code, and escapes only quotes."""
    title = name.replace("\\", "\\\\")
    # A tooltip shows rows of these names as a heading and an image.
    return f"{title} " if title in {"title", "image"} else title


def _picked(view: SessionView, *, menu: bool) -> alt.Parameter:
    if not menu:
        return alt.param(name="picked", value=-1)
    options, labels = [-1, *range(len(view.names))], ["nobody", *view.names.values()]
    select = alt.binding_select(options=options, labels=labels, name="Bring forward: ")
    return alt.param(name="picked", value=-1, bind=select)
