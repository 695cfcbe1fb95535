"""Responses to marks: each member's mean change as a thin line, and the mean over members with its interval."""

from typing import Any

import altair as alt
import polars as pl
import polars.selectors as cs

from pulsoid_rec.analysis.charts.drawing import Drawing, Source
from pulsoid_rec.analysis.charts.style import MEMBERS, encode, light
from pulsoid_rec.analysis.group.response_result import Responses
from pulsoid_rec.recorder.contract.wording import format_count

_DECIMALS = 2
_SIGNED = "datum.value === 0 ? '0' : format(datum.value, '+')"
_MEAN = {"change_bpm": "mean", "low_bpm": "low", "high_bpm": "high"}
_CHANCE = {"chance_low_bpm": "chance_low", "chance_high_bpm": "chance_high"}


def response_drawing(found: Responses) -> Drawing:
    """Prepare the chart of responses; up to six members have a colour each, more are drawn alike."""
    members = found.course.filter(pl.col("profile_id").is_not_null())
    names = tuple(found.members["name"])
    lines = members.select("name", "second", bpm=pl.col("change_bpm").round(_DECIMALS))
    means = found.mean.rename(_MEAN | _CHANCE).drop("profile_id", "name")
    first, last = found.window.baseline_s
    return Drawing(
        make=_make,
        shape=(names if len(names) <= len(MEMBERS) else (),),
        description=f"Change of heart rate around {format_count(found.used_marks, 'mark')}, in beats per minute",
        datasets={
            "lines": encode(lines.to_dicts()),
            "means": encode(means.with_columns(cs.float().round(_DECIMALS)).to_dicts()),
            "baseline": encode([{"from": first, "to": last}]),
            "mark": encode([{"at": 0}]),
        },
        values={"begin": -found.window.before_s, "end": found.window.after_s},
    )


def _make(source: Source, names: tuple[str, ...]) -> alt.LayerChart:
    """Make the chart; `names` are empty if members have no colours."""
    scale = alt.Scale(
        domainMin=alt.ExprRef(source.value("begin")), domainMax=alt.ExprRef(source.value("end")), nice=False
    )
    axis = alt.Axis(title="seconds from the mark", grid=False, tickCount=alt.ExprRef("max(3, width / 70)"))
    x = alt.X("second:Q", scale=scale, axis=axis)
    y_axis = alt.Axis(
        title="change, bpm",
        titleAngle=0,
        titleAnchor="end",
        titleAlign="left",
        titleY=-8,
        labelExpr=_SIGNED,
        tickMinStep=1,
    )
    y = alt.Y("bpm:Q", scale=alt.Scale(nice=True, zero=True), axis=y_axis)
    colour: Any = alt.ColorValue(light("quiet"))
    if names:
        colour = alt.Color(
            "name:N",
            legend=alt.Legend(columns=alt.ExprRef("max(1, floor(width / 110))"), offset=22),
            scale=alt.Scale(domain=list(names), range=list(MEMBERS)),
        )
    means = alt.Chart(source.data("means"))
    shaded = alt.Chart(source.data("baseline")).mark_rect(fill=light("quiet"), opacity=0.18, aria=False)
    at_mark = alt.Chart(source.data("mark"))
    rule = at_mark.mark_rule(stroke=light("ink"), strokeDash=[3, 3], aria=False).encode(x=alt.X("at:Q"))
    thin = alt.Chart(source.data("lines")).mark_line(strokeWidth=1.2, opacity=0.8, aria=False)
    band = means.mark_area(fill=light("accent"), opacity=0.2, aria=False)
    edges = [
        means.mark_line(stroke=light("muted"), strokeDash=[2, 3], strokeWidth=1, aria=False).encode(
            x=x, y=alt.Y(f"{edge}:Q")
        )
        for edge in _CHANCE.values()
    ]
    over = [
        means.mark_line(strokeWidth=width, stroke=light(name), aria=False).encode(x=x, y=alt.Y("mean:Q"))
        for name, width in (("paper", 5.5), ("accent", 2.6))
    ]
    layers = [
        shaded.encode(x=alt.X("from:Q"), x2=alt.X2("to:Q")),
        thin.encode(x=x, y=y, color=colour, detail="name:N"),
        *edges,
        band.encode(x=x, y=alt.Y("low:Q"), y2=alt.Y2("high:Q")),
        *over,
        rule,
        _hover(means, alt.X("begins:Q", scale=scale, axis=axis)),
    ]
    return alt.LayerChart(layer=layers).properties(height=300)


def _hover(means: alt.Chart, x: alt.X) -> alt.Chart:
    """Lay an invisible column over each second, which appears with its values under the pointer."""
    under = alt.selection_point(name="under", fields=["second"], on="pointerover", clear="pointerout", empty=False)
    wide = means.transform_calculate(
        begins="datum.second - 0.5",
        ends="datum.second + 0.5",
        when="format(datum.second, '+d') + ' s'",
        interval="format(datum.low, '+.1f') + ' to ' + format(datum.high, '+.1f')",
        chance="format(datum.chance_low, '+.1f') + ' to ' + format(datum.chance_high, '+.1f')",
    )
    tooltips = [
        alt.Tooltip("when:N", title="time"),
        alt.Tooltip("mean:Q", title="mean", format="+.1f"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("chance:N", title="by chance"),
    ]
    columns: alt.Chart = wide.mark_rect(fill=light("ink"), clip=True, aria=False).encode(
        x=x,
        x2=alt.X2("ends:Q"),
        fillOpacity=alt.FillOpacityValue(0, condition={"param": "under", "empty": False, "value": 0.12}),
        tooltip=tooltips,
    )
    return columns.add_params(under)
