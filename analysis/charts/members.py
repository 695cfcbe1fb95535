"""A session member by member: small charts on one scale, each with its member's own zones behind the line."""

from typing import NamedTuple

import altair as alt

from pulsoid_rec.analysis.charts.data import bpm_domain, hover_columns, lines, one_by_one, thin, wall_ms
from pulsoid_rec.analysis.charts.layers import hover, line, of_readings, offline_bands, offline_values, time_axis
from pulsoid_rec.analysis.charts.style import ZONES, as_text, inline_text, light, styled
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.metrics.zones import ZONE_PERCENTS

_READABLE = 0.09
"""Share of the chart's height that a zone must have to bear its number."""

_COLUMNS = 80
"""Stretches of time to hover over: these charts are small."""


class MemberValues(NamedTuple):
    """The data of a member's chart as JSON texts, by layers from back to front."""

    zones: str
    offline: str
    lines: str
    hover: str


def members_values(part: SessionView, *, max_hold_s: float = 5.0, buckets: int = 240) -> dict[str, MemberValues]:
    """Prepare what each member's chart draws.

    Parameters
    ----------
    part
        The session.
    max_hold_s
        Longest time a reading stands for, in seconds: across a longer silence no line is drawn.
    buckets
        Stretches of time whose extremes are kept: about one for two pixels of width.

    Returns
    -------
    dict of str to MemberValues
        By profile id, in the order of the summary. Zones are empty where HRmax is unknown, lines where there is no
        plausible reading.
    """
    thinned = thin(part.readings, part.started_at, part.ended_at, max_hold_s=max_hold_s, buckets=buckets)
    drawn = {line["member"]: line for line in lines(thinned, part)}
    told = one_by_one(hover_columns(part.readings, part, _COLUMNS), part, _COLUMNS)
    hr_max = dict(part.summary.select("profile_id", "hr_max").iter_rows())
    domain, offline = bpm_domain(part.readings), as_text(offline_values(part))
    return {
        profile_id: MemberValues(
            zones=as_text([] if hr_max[profile_id] is None else _zones(hr_max[profile_id], domain)),
            offline=offline,
            lines=as_text([drawn[place]] if place in drawn else []),
            hover=as_text([{"column": told["column"], "value": told[f"m{place}"]}]),
        )
        for place, profile_id in enumerate(part.names)
    }


def member_timeline(
    part: SessionView,
    profile_id: str,
    values: MemberValues,
    *,
    width: int | str = 360,
    height: int = 150,
) -> alt.LayerChart:
    """Draw one member's heart rate over a session, with the zones behind it where HRmax is known.

    Parameters
    ----------
    part
        The session; its heart-rate axis is the same for all its members, so that their charts compare.
    profile_id
        The member, one of `part.names`.
    values
        As `members_values` prepares them.
    width
        Pixels, or "container" to fill what the chart is put into.
    height
        Pixels.

    Returns
    -------
    altair.LayerChart
        Layers for zones, line and hovering; without a line when the member has no plausible reading.
    """
    return styled(_chart(part, profile_id, values).properties(width=width, height=height))


def _chart(part: SessionView, profile_id: str, values: MemberValues) -> alt.LayerChart:
    domain = bpm_domain(part.readings)
    drawn = line(part, domain, width=1.2).encode(color=alt.value(light("ink")))
    place = list(part.names).index(profile_id)
    told = [alt.Tooltip("value:N", title="bpm")]
    layers = [
        _zone_bands(inline_text(values.zones), part),
        offline_bands(inline_text(values.offline)),
        of_readings([drawn], inline_text(values.lines), part),
        hover(
            part, inline_text(values.hover), ["column", "value"], columns=_COLUMNS, tooltips=told, name=f"under{place}"
        ),
    ]
    return alt.LayerChart(layer=layers, description=f"Heart rate of {part.names[profile_id]} over time")


def small_multiples(part: SessionView, *, max_hold_s: float = 5.0, columns: int = 3) -> alt.ConcatChart:
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
    for profile_id, values in members_values(part, max_hold_s=max_hold_s).items():
        chart = _chart(part, profile_id, values)
        charts.append(chart.properties(width=260, height=110, title=part.names[profile_id]))
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


def _zone_bands(zones: alt.InlineData, part: SessionView) -> alt.LayerChart:
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
