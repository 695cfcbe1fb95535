"""Charts of one member each: on one scale, with the member's own zones behind the line."""

from typing import NamedTuple

import altair as alt

from pulsoid_rec.analysis.charts.data import bpm_domain, lines, member_hover, thin, wall_ms
from pulsoid_rec.analysis.charts.layers import hover, line, offline_bands, offline_values, time_axis, with_readings
from pulsoid_rec.analysis.charts.style import ZONES, encode, inline, light, styled
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.metrics.zones import ZONE_PERCENTS

_LABELLED = 0.09
"""Share of the chart's height from which a zone is high enough for its number."""

_COLUMNS = 80
"""Columns to hover over: these charts are small."""


class MemberData(NamedTuple):
    """The data of a member's chart as JSON, by layers from back to front."""

    zones: str
    offline: str
    lines: str
    hover: str


def member_datasets(view: SessionView, *, buckets: int = 240) -> dict[str, MemberData]:
    """Prepare the data of each member's chart.

    Parameters
    ----------
    view
        The session, with its readings.
    buckets
        As of `thin`.

    Returns
    -------
    dict of str to MemberData
        By profile id, in the order of the summary. Zones are empty if HRmax is unknown, lines if there is no plausible
        reading.
    """
    line_of = {line["member"]: line for line in lines(thin(view, buckets), view)}
    values = member_hover(view, _COLUMNS)
    hr_max = dict(view.summary.select("profile_id", "hr_max").iter_rows())
    domain, offline = bpm_domain(view.readings), encode(offline_values(view))
    return {
        profile_id: MemberData(
            zones=encode([] if hr_max[profile_id] is None else _zones(hr_max[profile_id], domain)),
            offline=offline,
            lines=encode([line_of[place]] if place in line_of else []),
            hover=encode([{"column": values["column"], "value": values[f"m{place}"]}]),
        )
        for place, profile_id in enumerate(view.names)
    }


def member_timeline(
    view: SessionView, profile_id: str, data: MemberData, *, width: int | str = 360, height: int = 150
) -> alt.LayerChart:
    """Draw one member's heart rate over a session, with the zones behind it if HRmax is known.

    Parameters
    ----------
    view
        The session; its heart-rate axis is the same for all its members, so that their charts compare.
    profile_id
        The member, one of `view.names`.
    data
        The member's, as `member_datasets` returns it.
    width, height
        Pixels; the width may be "container", to fill the element it is in.
    """
    return styled(_chart(view, profile_id, data).properties(width=width, height=height))


def _chart(view: SessionView, profile_id: str, data: MemberData) -> alt.LayerChart:
    readings = line(view, bpm_domain(view.readings), width=1.2).encode(color=alt.value(light("ink")))
    place = list(view.names).index(profile_id)
    tooltips = [alt.Tooltip("value:N", title="bpm")]
    layers = [
        _zone_bands(inline(data.zones), view),
        offline_bands(inline(data.offline)),
        with_readings([readings], inline(data.lines), view),
        hover(view, inline(data.hover), ["column", "value"], columns=_COLUMNS, tooltips=tooltips, name=f"under{place}"),
    ]
    return alt.LayerChart(layer=layers, description=f"Heart rate of {view.names[profile_id]} over time")


def small_multiples(view: SessionView, *, columns: int = 3) -> alt.ConcatChart:
    """Draw each member's heart rate in its own small chart with zones, on the same axes, `columns` side by side."""
    charts = [
        _chart(view, profile_id, data).properties(width=260, height=110, title=view.names[profile_id])
        for profile_id, data in member_datasets(view).items()
    ]
    return styled(alt.ConcatChart(concat=charts, columns=columns))


def _zones(hr_max: float, domain: tuple[int, int]) -> list[dict[str, float | str]]:
    low, high = domain
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


def _zone_bands(zones: alt.InlineData, view: SessionView) -> alt.LayerChart:
    """Colour the zones, and write each one's number beside it for those who cannot distinguish the colours."""
    end = wall_ms(view.ended_at, view)
    colour = alt.Color("zone:O", legend=None, scale=alt.Scale(domain=[1, 2, 3, 4, 5], range=list(ZONES[1:])))
    bands = alt.Chart().mark_rect(opacity=0.45, aria=False).encode(y="from:Q", y2="to:Q", color=colour)
    names = (
        alt.Chart()
        .transform_calculate(end=f"{end}", middle="(datum.from + datum.to) / 2")
        .mark_text(align="left", dx=5, fontSize=10, fill=light("muted"), aria=False)
        .encode(x=time_axis("end"), y="middle:Q", text="label:N")
    )
    return alt.LayerChart(layer=[bands, names], data=zones)
