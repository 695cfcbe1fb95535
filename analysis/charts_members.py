"""A session member by member: small charts on one scale, each with its member's own zones behind the line."""

from typing import NamedTuple

import altair as alt

from analysis.charts_data import bpm_domain, hover_columns, lines, one_by_one, thin, wall_ms
from analysis.charts_layers import hover, line, of_readings, offline_bands, offline_values, time_axis
from analysis.charts_style import ZONES, inline, light, styled
from analysis.parts import Part
from analysis.zones import ZONE_PERCENTS

_READABLE = 0.09
"""Share of the chart's height that a zone must have to bear its number."""

_COLUMNS = 80
"""Stretches of time to hover over: these charts are small."""


class MemberValues(NamedTuple):
    """The data of a member's chart, by layers from back to front."""

    zones: alt.InlineData
    offline: alt.InlineData
    lines: alt.InlineData
    hover: alt.InlineData


def member_values(part: Part, profile_id: str, *, max_hold_s: float = 5.0, buckets: int = 240) -> MemberValues:
    """Prepare what a member's chart draws.

    Parameters
    ----------
    part
        The session.
    profile_id
        The member, one of `part.names`.
    max_hold_s
        Longest time a reading stands for, in seconds: across a longer silence no line is drawn.
    buckets
        Stretches of time whose extremes are kept: about one for two pixels of width.

    Returns
    -------
    MemberValues
        Zones are empty where HRmax is unknown, lines where there is no plausible reading.
    """
    alone = part.only(profile_id)
    thinned = thin(alone.readings, part.started_at, part.ended_at, max_hold_s=max_hold_s, buckets=buckets)
    told = one_by_one(hover_columns(alone.readings, alone, _COLUMNS), alone, _COLUMNS)
    hr_max = alone.summary["hr_max"].item()
    zones = [] if hr_max is None else _zones(hr_max, bpm_domain(part.readings))
    drawn = inline(lines(thinned, alone))
    return MemberValues(zones=inline(zones), offline=offline_values(part), lines=drawn, hover=inline([told]))


def member_timeline(
    part: Part,
    profile_id: str,
    *,
    max_hold_s: float = 5.0,
    buckets: int = 240,
    width: int | str = 360,
    height: int = 150,
) -> alt.LayerChart:
    """Draw one member's heart rate over a session, with the zones behind it where HRmax is known.

    Parameters
    ----------
    part
        The session; its heart-rate axis is the same for all its members, so that their charts compare.
    profile_id, max_hold_s, buckets
        As of `member_values`.
    width
        Pixels, or "container" to fill what the chart is put into.
    height
        Pixels.

    Returns
    -------
    altair.LayerChart
        Layers for zones, line and hovering; without a line when the member has no plausible reading.
    """
    values = member_values(part, profile_id, max_hold_s=max_hold_s, buckets=buckets)
    return styled(_chart(part, profile_id, values).properties(width=width, height=height))


def _chart(part: Part, profile_id: str, values: MemberValues) -> alt.LayerChart:
    domain = bpm_domain(part.readings)
    drawn = of_readings([line(part, domain, width=1.2).encode(color=alt.value(light("ink")))], values.lines, part)
    place = list(part.names).index(profile_id)
    told = [alt.Tooltip("m0:N", title="bpm")]
    over = hover(part, values.hover, ["column", "m0"], columns=_COLUMNS, tooltips=told, name=f"under{place}")
    layers = [_zone_bands(values.zones, part), offline_bands(values.offline), drawn, over]
    return alt.LayerChart(layer=layers, description=f"Heart rate of {part.names[profile_id]} over time")


def small_multiples(part: Part, *, max_hold_s: float = 5.0, columns: int = 3) -> alt.ConcatChart:
    """Draw each member's heart rate in a small chart of its own, all on the same axes, zones behind.

    Parameters
    ----------
    part
        The session, with its readings.
    max_hold_s
        Longest time a reading stands for, in seconds.
    columns
        Charts side by side.

    Returns
    -------
    altair.ConcatChart
        A chart a member, in the order of the summary; empty for a session without members.
    """
    charts = []
    for profile_id, name in part.names.items():
        values = member_values(part, profile_id, max_hold_s=max_hold_s)
        charts.append(_chart(part, profile_id, values).properties(width=260, height=110, title=name))
    return styled(alt.ConcatChart(concat=charts, columns=columns))


def _zones(hr_max: float, domain: tuple[int, int]) -> list[dict[str, float | str]]:
    low, high = domain
    readable = (high - low) * _READABLE
    starts = [percent * hr_max / 100 for percent in ZONE_PERCENTS]
    ends = [*starts[1:], float("inf")]
    return [
        {
            "zone": zone,
            "from": max(start, low),
            "to": min(end, high),
            "label": f"Z{zone}" if min(end, high) - max(start, low) > readable else "",
        }
        for zone, (start, end) in enumerate(zip(starts, ends, strict=True), start=1)
        if min(end, high) > max(start, low)
    ]


def _zone_bands(zones: alt.InlineData, part: Part) -> alt.LayerChart:
    """Colour the zones, and write each one's number beside it, so that no colour need be told from another."""
    end = wall_ms(part.ended_at, part)
    colour = alt.Color("zone:O", legend=None, scale=alt.Scale(domain=[1, 2, 3, 4, 5], range=list(ZONES[1:])))
    bands = alt.Chart().mark_rect(opacity=0.45, aria=False).encode(y="from:Q", y2="to:Q", color=colour)
    names = (
        alt.Chart()
        .transform_calculate(end=f"{end}", middle="(datum.from + datum.to) / 2")
        .mark_text(align="left", dx=5, fontSize=10, fill=light("muted"), aria=False)
        .encode(x=time_axis("end"), y="middle:Q", text="label:N")
    )
    return alt.LayerChart(layer=[bands, names], data=zones)
