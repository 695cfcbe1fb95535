"""Charts of one member each: on one scale, with the member's own zones behind the line."""

import altair as alt

from pulsoid_rec.analysis.charts.data import lines, member_hover, thin
from pulsoid_rec.analysis.charts.drawing import Drawing, Source
from pulsoid_rec.analysis.charts.layers import (
    hover,
    line,
    offline_bands,
    offline_values,
    session_values,
    time_axis,
    with_readings,
)
from pulsoid_rec.analysis.charts.mark_layers import mark_datasets, mark_rules, phase_bands
from pulsoid_rec.analysis.charts.style import ZONES, encode, light, styled
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.recorder.contract.definitions import ZONE_PERCENTS

_LABELLED = 0.09  # share of the chart's height from which a zone is high enough for its number
_LABELLED_PX = 250  # height from which marks have labels
_COLUMNS = 80  # columns to hover over: these charts are small


def member_drawings(view: SessionView, *, buckets: int = 240, height: int = 150) -> dict[str, Drawing]:
    """Prepare each member's heart rate over a session, with the zones behind it if HRmax is known, by profile id.

    The axis is the same for all members, so that their charts compare; they are in the order of the summary. Zones are
    empty if HRmax is unknown, lines if there is no plausible reading. `buckets` is as of `thin`, `height` in pixels.
    """
    line_of = {line["member"]: line for line in lines(thin(view, buckets), view)}
    hovers = member_hover(view, _COLUMNS)
    hr_max = dict(view.summary.select("profile_id", "hr_max").iter_rows())
    values, offline = session_values(view), encode(offline_values(view))
    return {
        profile_id: Drawing(
            make=_make,
            shape=(height,),
            description=f"Heart rate of {name} over time",
            datasets={
                "zones": encode(_zones(hr_max[profile_id], values["low"], values["high"])),
                "offline": offline,
                "lines": encode([line_of[place]] if place in line_of else []),
                "columns": encode([{"column": hovers["column"], "value": hovers[f"m{place}"]}]),
                **mark_datasets(view, profile_id),
            },
            values=values,
        )
        for place, (profile_id, name) in enumerate(view.names.items())
    }


def _make(source: Source, height: int, name: str = "under") -> alt.LayerChart:
    readings = line(source, width=1.2).encode(color=alt.ColorValue(light("ink")))
    tooltips = [alt.Tooltip("value:N", title="bpm")]
    layers = [
        _zone_bands(source),
        offline_bands(source),
        phase_bands(source),
        with_readings([readings], source),
        mark_rules(source, has_labels=height >= _LABELLED_PX),
        hover(source, ["column", "value"], columns=_COLUMNS, tooltips=tooltips, name=name),
    ]
    return alt.LayerChart(layer=layers).properties(height=height)


def small_multiples(view: SessionView, *, columns: int = 3) -> alt.ConcatChart:
    """Draw each member's heart rate in its own small chart with zones, on the same axes, `columns` side by side."""
    charts = [
        _make(drawing, 110, f"under{place}").properties(
            width=260, title=view.names[profile_id], description=drawing.description
        )
        for place, (profile_id, drawing) in enumerate(member_drawings(view).items())
    ]
    return styled(alt.ConcatChart(concat=charts, columns=columns))


def _zones(hr_max: float | None, low: float, high: float) -> list[dict[str, float | str]]:
    if hr_max is None:
        return []
    starts = [percent * hr_max / 100 for percent in ZONE_PERCENTS]
    ends = [*starts[1:], float("inf")]
    return [
        {
            "zone": zone,
            "from": max(start, low),
            "to": min(end, high),
            "label": f"Z{zone}" if min(end, high) - max(start, low) > (high - low) * _LABELLED else "",
        }
        for zone, (start, end) in enumerate(zip(starts, ends, strict=True), start=1)
        if min(end, high) > max(start, low)
    ]


def _zone_bands(source: Source) -> alt.LayerChart:
    """Colour the zones, and write each one's number beside it for those who cannot distinguish the colours."""
    colour = alt.Color("zone:O", legend=None, scale=alt.Scale(domain=[1, 2, 3, 4, 5], range=list(ZONES[1:])))
    bands = alt.Chart().mark_rect(opacity=0.45, aria=False).encode(y=alt.Y("from:Q"), y2=alt.Y2("to:Q"), color=colour)
    names = (
        alt.Chart()
        .transform_calculate(end=source.value("end"), middle="(datum.from + datum.to) / 2")
        .mark_text(align="left", dx=5, fontSize=10, fill=light("muted"), aria=False)
        .encode(x=time_axis("end"), y=alt.Y("middle:Q"), text=alt.Text("label:N"))
    )
    return alt.LayerChart(layer=[bands, names], data=source.data("zones"))
