"""A session's heart rates over time, all members at once."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from pulsoid_rec.analysis.charts.data import CROWD_FIELDS, HOVER_COLUMNS, crowd_hover, lines, member_hover, thin
from pulsoid_rec.analysis.charts.drawing import Drawing, Source
from pulsoid_rec.analysis.charts.layers import (
    crowd_bands,
    hover,
    line,
    offline_bands,
    offline_values,
    session_values,
    with_readings,
)
from pulsoid_rec.analysis.charts.mark_layers import mark_datasets, mark_rules, phase_bands
from pulsoid_rec.analysis.charts.style import MEMBERS, encode, light
from pulsoid_rec.analysis.findings.session_view import SessionView


def timeline_drawing(view: SessionView, named: SessionView, *, buckets: int = 480, chooser: bool = False) -> Drawing:
    """Prepare the heart rates of all members of `view` over time, with lines of those of `named`.

    A line breaks where a member was silent for longer than a reading holds, and than is usual for the sensor. Up to six
    members have a colour each. More are drawn together, as their lowest and highest, their middle half and their
    median, and one at a time can be brought forward. Times in which the room was not recorded are shaded.

    `buckets` is as of `thin`: about one for two pixels of width. The `chooser` is a menu and a legend; the page has
    members' buttons instead, which set the parameter `picked` to a member's place in the summary (-1 for nobody).
    """
    has_colours = len(view.names) <= len(MEMBERS)
    columns = member_hover(view, HOVER_COLUMNS) if has_colours else crowd_hover(view, HOVER_COLUMNS)
    present = view.summary.filter(pl.col("readings") > 0).height
    return Drawing(
        make=_make,
        shape=(tuple(named.names.values()) if has_colours or chooser else (), has_colours, chooser),
        description=f"Heart rate of {present} members over time, in beats per minute",
        datasets={
            "offline": encode(offline_values(view)),
            "lines": encode(lines(thin(named, buckets), named)),
            "columns": encode([columns]),
            **mark_datasets(view),
        },
        values=session_values(view),
    )


def _make(source: Source, names: tuple[str, ...], has_colours: bool, menu: bool) -> alt.LayerChart:
    """Make the chart; `names` are empty if it needs none."""
    if has_colours:
        scale = alt.Scale(domain=list(names), range=list(MEMBERS))
        colour: Any = alt.Color("name:N", legend=alt.Legend() if menu else None, scale=scale)
        fields: Sequence[str] = ("column", *(f"m{i}" for i in range(len(names))))
        tooltips = [alt.Tooltip(f"m{i}:N", title=_row_title(name)) for i, name in enumerate(names)]
        coloured = [line(source).encode(detail=alt.Detail("member:N"), color=colour)]
        bands = []
    else:
        colour = alt.ColorValue(light("accent"))
        fields = CROWD_FIELDS
        tooltips = [alt.Tooltip(f"{key}:N") for key in ("present", "median", "highest", "lowest")]
        coloured = []
        bands = [crowd_bands(source, fields, HOVER_COLUMNS)]
    casing = line(source, width=5).encode(color=alt.ColorValue(light("paper")))
    front = line(source, width=2.2).encode(color=colour)
    picked = [each.transform_filter("datum.member === picked") for each in (casing, front)]
    layers = [
        offline_bands(source),
        phase_bands(source),
        *bands,
        with_readings([*coloured, *picked], source),
        mark_rules(source),
        hover(source, fields, columns=HOVER_COLUMNS, tooltips=tooltips),
    ]
    chart: alt.LayerChart = alt.LayerChart(layer=layers).add_params(_picked(names, menu=menu))
    return chart.properties(height=320)


def _row_title(name: str) -> str:
    """Make a name the title of a tooltip's row: Vega-Lite writes it into code, and escapes only quotes."""
    title = name.replace("\\", "\\\\")
    # A tooltip shows rows of these names as a heading and an image.
    return f"{title} " if title in {"title", "image"} else title


def _picked(names: Sequence[str], *, menu: bool) -> alt.Parameter:
    if not menu:
        return alt.param(name="picked", value=-1)
    options, labels = [-1, *range(len(names))], ["nobody", *names]
    select = alt.binding_select(options=options, labels=labels, name="Bring forward: ")
    return alt.param(name="picked", value=-1, bind=select)
