"""A session's heart rates over time, everybody at once."""

from typing import Any

import altair as alt
import polars as pl

from pulsoid_rec.analysis.charts.data import HOVER_COLUMNS, bpm_domain, hover_columns, lines, one_by_one, thin, together
from pulsoid_rec.analysis.charts.layers import crowd_bands, hover, line, of_readings, offline_bands, offline_values
from pulsoid_rec.analysis.charts.style import MEMBERS, inline, light, styled
from pulsoid_rec.analysis.findings.session_view import SessionView


def timeline(
    part: SessionView, *, max_hold_s: float = 5.0, buckets: int = 480, width: int | str = 760, chooser: bool = True
) -> alt.LayerChart:
    """Draw every member's heart rate over a session, on one pair of axes.

    A line breaks where a member was silent for longer than `max_hold_s`, and is never drawn across. Up to six members
    have a colour each. More are drawn together, as their lowest and highest, their middle half and their median, and
    one at a time is brought forward. Times in which nobody recorded are shaded. Hover or tap to read values.

    Parameters
    ----------
    part
        The session, with its readings.
    max_hold_s
        Longest time a reading stands for, in seconds.
    buckets
        Stretches of time whose extremes are kept: about one for two pixels of width.
    width
        Pixels, or "container" to fill what the chart is put into.
    chooser
        True for a menu and a legend of the chart's own; the report has members' buttons instead, which set the
        parameter `picked` to a member's place in the summary (-1 for nobody).

    Returns
    -------
    altair.LayerChart
        The chart; axes with no line when there is no plausible reading.
    """
    thinned = thin(part.readings, part.started_at, part.ended_at, max_hold_s=max_hold_s, buckets=buckets)
    drawn = inline(lines(thinned, part))
    heights = hover_columns(part.readings, part)
    domain = bpm_domain(part.readings)
    if len(part.names) <= len(MEMBERS):
        legend = alt.Legend() if chooser else None
        scale = alt.Scale(domain=list(part.names.values()), range=list(MEMBERS))
        colour: Any = alt.Color("name:N", legend=legend, scale=scale)
        told = one_by_one(heights, part)
        tooltips = [alt.Tooltip(f"m{i}:N", title=_row_title(name)) for i, name in enumerate(part.names.values())]
        everybody = [line(part, domain).encode(detail="member:N", color=colour)]
        behind = []
    else:
        colour = alt.value(light("accent"))
        told = together(heights, part)
        tooltips = [alt.Tooltip(f"{key}:N") for key in ("present", "median", "highest", "lowest")]
        everybody = []
        behind = [crowd_bands(inline([told]), list(told), HOVER_COLUMNS, part)]
    casing = line(part, domain, width=5).encode(color=alt.value(light("paper")))
    front = line(part, domain, width=2.2).encode(color=colour)
    chosen = [each.transform_filter("datum.member === picked") for each in (casing, front)]
    layers = [
        offline_bands(inline(offline_values(part))),
        *behind,
        of_readings([*everybody, *chosen], drawn, part),
        hover(part, inline([told]), list(told), columns=HOVER_COLUMNS, tooltips=tooltips),
    ]
    chart = (
        alt.LayerChart(layer=layers)
        .add_params(_picked(part, menu=chooser))
        .properties(width=width, height=320, description=_description(part))
    )
    return styled(chart)


def _row_title(name: str) -> str:
    """Word a name as the head of a tooltip's row, which Vega-Lite writes into code with its quotes escaped alone."""
    plain = "".join(character if character.isprintable() else " " for character in name).replace("\\", "\\\\")
    # A tooltip takes rows of these names for a heading and a picture.
    return f"{plain} " if plain in {"title", "image"} else plain


def _picked(part: SessionView, *, menu: bool) -> alt.Parameter:
    if not menu:
        return alt.param(name="picked", value=-1)
    choice = alt.binding_select(
        options=[-1, *range(len(part.names))], labels=["nobody", *part.names.values()], name="Bring forward: "
    )
    return alt.param(name="picked", value=-1, bind=choice)


def _description(part: SessionView) -> str:
    present = part.summary.filter(pl.col("readings") > 0).height
    return f"Heart rate of {present} members over time, in beats per minute"
