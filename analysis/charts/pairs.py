"""How alike each two members' hearts moved, as a matrix: a row and a column a member, neighbours alike."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from pulsoid_rec.analysis.charts.drawing import Drawing, Source
from pulsoid_rec.analysis.charts.style import encode, light
from pulsoid_rec.analysis.findings.wording import DASH
from pulsoid_rec.analysis.group.synchrony import FloatArray, PairFigure, Tested
from pulsoid_rec.recorder.contract.wording import format_count

_ROW = 34  # height of a member's row, in pixels: for up to `_MANY` members, and for more
_LOW_ROW = 20
_MANY = 12  # of more members only the tooltips have the figures
_LEAST_STRONGEST = 0.3  # the correlation that has the strongest colour is never below this, so that noise stays pale


def pairs_drawing(pairs: Sequence[PairFigure]) -> Drawing:
    """Prepare a matrix of the correlations of all pairs of several members, who are ordered by likeness.

    A pair without a value has a dash. Colours diverge from 0, and are strongest at the largest correlation, or 0.3.
    """
    names = {id_: name for pair in pairs for id_, name in zip(pair.profile_ids, pair.names, strict=True)}
    place = {id_: number for number, id_ in enumerate(names)}
    correlation = np.full((len(names), len(names)), np.nan)
    for pair in pairs:
        first, second = (place[id_] for id_ in pair.profile_ids)
        value = np.nan if pair.tested.value is None else pair.tested.value
        correlation[first, second] = correlation[second, first] = value
    order = [list(names)[number] for number in order_by_likeness(correlation)]
    strongest = max(_LEAST_STRONGEST, np.nanmax(np.abs(correlation), initial=0.0))
    cells = {}
    for pair in pairs:
        for ids in (pair.profile_ids, pair.profile_ids[::-1]):
            cells[ids] = _cell(names[ids[0]], names[ids[1]], pair.tested, float(strongest))
    return Drawing(
        make=_make,
        shape=(len(names) <= _MANY,),
        description=f"Correlation of each two of {format_count(len(names), 'member')}",
        datasets={
            "cells": encode([cells[a, b] for a in order for b in order if a != b]),
            "members": encode([{"row": names[id_], "column": names[id_]} for id_ in order]),
        },
        height=(_ROW if len(names) <= _MANY else _LOW_ROW) * len(names),
    )


def order_by_likeness(correlation: FloatArray) -> list[int]:
    """Order members so that those alike are neighbours: by clusters of average linkage (Sokal & Michener 1958).

    The distance of two members is 1 - r; unknown correlations (NaN) count as 0. Of two clusters the one that was made
    first comes first.
    """
    distance = 1 - np.nan_to_num(correlation)
    np.fill_diagonal(distance, np.inf)
    clusters = [(number, [number]) for number in range(len(distance))]
    for made in range(len(distance), 2 * len(distance) - 1):
        one, other = sorted(np.unravel_index(np.argmin(distance), distance.shape))
        sizes = [len(clusters[place][1]) for place in (one, other)]
        joined = np.average(distance[[one, other]], axis=0, weights=sizes)
        distance[one], distance[:, one], distance[one, one] = joined, joined, np.inf
        distance = np.delete(np.delete(distance, other, axis=0), other, axis=1)
        (_, first), (_, last) = sorted([clusters[one], clusters.pop(other)])
        clusters[one] = (made, first + last)
    return [place for _, places in clusters for place in places]


def format_correlation(value: float) -> str:
    """Format a correlation with two decimals; an unknown one (NaN) as a dash."""
    if np.isnan(value):
        return DASH
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "\N{MINUS SIGN}")


def _cell(row: str, column: str, tested: Tested, strongest: float) -> dict[str, Any]:
    value = tested.value or 0.0
    return {
        "row": row,
        "column": column,
        "r": round(value, 3),
        "weight": round(abs(value) / strongest, 3),
        "text": format_correlation(np.nan if tested.value is None else value),
        "p": DASH if tested.p is None else f"{tested.p:.3f}",
    }


def _make(source: Source, has_figures: bool) -> alt.LayerChart:
    across = alt.Axis(
        orient="top", labelAngle=-30, labelLimit=110, labelColor=light("ink"), grid=False, labelOverlap=False
    )
    down = alt.Axis(labelLimit=150, labelColor=light("ink"), grid=False)
    scale = alt.Scale(paddingInner=0.06, paddingOuter=0)
    x, y = alt.X("column:N", sort=None, axis=across, scale=scale), alt.Y("row:N", sort=None, axis=down, scale=scale)
    tooltips = [
        alt.Tooltip("row:N", title="member"),
        alt.Tooltip("column:N", title="and"),
        alt.Tooltip("text:N", title="correlation"),
        alt.Tooltip("p:N"),
    ]
    empty = alt.Chart(source.data("members")).mark_rect(fill=light("rule"), aria=False).encode(x=x, y=y)
    cells = (
        alt.Chart(source.data("cells"))
        .mark_rect(aria=False, stroke=light("rule"), strokeWidth=1)
        .encode(
            x=x,
            y=y,
            fill=alt.FillValue(light("alike"), condition={"test": "datum.r < 0", "value": light("opposite")}),
            fillOpacity=alt.FillOpacity("weight:Q", scale=None, legend=None),
            tooltip=tooltips,
        )
    )
    layers = [empty, cells]
    if has_figures:
        text = alt.Chart(source.data("cells")).mark_text(fill=light("ink"), fontSize=11, aria=False)
        layers.append(text.encode(x=x, y=y, text=alt.Text("text:N"), tooltip=tooltips))
    return alt.LayerChart(layer=layers)
