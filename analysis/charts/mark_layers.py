"""Marks and phases in charts over time: bands behind the lines, and rules with labels over them."""

from typing import Any

import altair as alt
import polars as pl

from pulsoid_rec.analysis.charts.data import wall_ms
from pulsoid_rec.analysis.charts.drawing import Source
from pulsoid_rec.analysis.charts.layers import time_axis
from pulsoid_rec.analysis.charts.style import encode, light
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.metrics.sessions import INSTANT

_LABEL_PX = 130  # of a label that is drawn; it runs upwards beside its rule
_MOST_LABELS = 60  # that fit beside each other in a chart as wide as a page

_TEXT: dict[str, Any] = {"angle": 270, "align": "right", "baseline": "top", "dx": -2, "dy": 2, "fontSize": 10}
_LOOKS: list[dict[str, Any]] = [{"stroke": light("paper"), "strokeWidth": 3}, {"fill": light("ink")}]  # over any line


def mark_datasets(view: SessionView, profile_id: str | None = None) -> dict[str, str]:
    """Return the data of `phase_bands` and `mark_rules`; of a member's own marks those of `profile_id` alone, if given.

    Only what lies within the chart: a mark may come before the first reading, and a phase go on after the last.
    """
    begins = pl.max_horizontal("started_at", pl.lit(view.started_at, INSTANT))
    ends = pl.min_horizontal("ended_at", pl.lit(view.ended_at, INSTANT))
    shaded = view.phases.filter(pl.col("phase") % 2 == 1).select(begins=begins, ends=ends)
    bands = [
        {"from": wall_ms(begin, view), "to": wall_ms(end, view)} for begin, end in shaded.iter_rows() if begin < end
    ]
    marks = view.marks.filter(pl.col("occurred_at").is_between(view.started_at, view.ended_at))
    if profile_id is not None:
        marks = marks.filter(pl.col("profile_id").is_null() | (pl.col("profile_id") == profile_id))
    rules = [
        {"at": wall_ms(row["occurred_at"], view), "label": view.mark_label(row), "is_phase": row["kind"] == "phase"}
        for row in marks.iter_rows(named=True)
    ]
    return {"phases": encode(bands), "marks": encode(_join_labels(rules, view))}


def _join_labels(rules: list[dict[str, Any]], view: SessionView) -> list[dict[str, Any]]:
    """Write labels that would overlap the one before after that one, in a line; rules are in the order of time."""
    apart_ms = (view.ended_at - view.started_at).total_seconds() * 1000 / _MOST_LABELS
    joined: list[dict[str, Any]] = []
    labelled: dict[str, Any] | None = None
    for rule in rules:
        if labelled is not None and rule["at"] - labelled["at"] < apart_ms:
            labelled["label"] += f", {rule['label']}"
            joined.append(rule | {"label": ""})
        else:
            labelled = dict(rule)
            joined.append(labelled)
    return joined


def phase_bands(source: Source) -> alt.Chart:
    """Shade every second phase, the first one first."""
    mark: alt.Chart = alt.Chart(source.data("phases")).mark_rect(fill=light("accent"), opacity=0.09, aria=False)
    return mark.encode(x=time_axis("from"), x2=alt.X2("to:T"))


def mark_rules(source: Source, *, has_labels: bool = True) -> alt.LayerChart:
    """Draw a line at each mark, dashed unless a phase begins there, with its label along it."""
    dashes = alt.StrokeDashValue([3, 3], condition={"test": "datum.is_phase", "value": [1, 0]})
    rules = alt.Chart().mark_rule(stroke=light("muted"), strokeWidth=1, aria=False)
    layers = [rules.encode(x=time_axis("at"), strokeDash=dashes)]
    if has_labels:
        texts = alt.Chart().encode(x=time_axis("at"), y=alt.value(0), text=alt.Text("label:N"))
        layers += [texts.mark_text(**_TEXT, **look, limit=_LABEL_PX, aria=False) for look in _LOOKS]
    return alt.LayerChart(layer=layers, data=source.data("marks"))
