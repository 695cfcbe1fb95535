"""Time in zones, and time at each heart rate, member by member."""

from typing import Any

import altair as alt
import polars as pl

from pulsoid_rec.analysis.charts.drawing import Drawing, Source
from pulsoid_rec.analysis.charts.style import ZONES, encode, light
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.findings.wording import format_share
from pulsoid_rec.recorder.contract.wording import format_duration

_ROW = 22  # height of a member's row, in pixels
_RIDGE = 34
_LOW_RIDGE = 22  # height of a member's row in the distribution, in pixels: for up to `_MANY` members, and for more
_MANY = 12

_LONG_S = 3 * 3600.0  # if a member was observed for longer, the axis is in hours
_TICKS = alt.ExprRef("max(2, width / 70)")
_ZONE_LABEL = "datum.value === 0 ? 'below zone 1' : 'zone ' + datum.value"

ZONE_NAMES = ("below zone 1", "zone 1", "zone 2", "zone 3", "zone 4", "zone 5")


def zone_drawing(view: SessionView, *, legend: bool = False) -> Drawing:
    """Prepare each member's time in zones as one bar, from below zone 1 on the left to zone 5.

    Members without a known HRmax have none. The `legend` explains the zones' colours.
    """
    observed = view.summary["observed_s"].max()
    rows = _zone_rows(view, _labels(view))
    return Drawing(
        make=_make_zones,
        shape=(isinstance(observed, float) and observed >= _LONG_S, legend),
        description="Time in zones",
        datasets={"zones": encode(rows)},
        height=_ROW * max(1, len({row["label"] for row in rows})),
    )


def _make_zones(source: Source, hours: bool, legend: bool) -> alt.LayerChart:
    unit = 3600.0 if hours else 60.0
    colour = alt.Color(
        "zone:O",
        scale=alt.Scale(domain=list(range(6)), range=list(ZONES)),
        legend=alt.Legend(symbolType="square", columns=6, labelExpr=_ZONE_LABEL) if legend else None,
    )
    title = "hours" if hours else "minutes"
    x = alt.X("begins:Q", axis=alt.Axis(title=title, titleAnchor="end", tickCount=_TICKS, labelOverlap=True))
    y = alt.Y("label:N", sort=None, axis=alt.Axis(labelLimit=170, labelColor=light("ink"), grid=False))
    tooltips = [alt.Tooltip(f"{key}:N") for key in ("member", "zone name", "time", "share of observed time")]
    bars = (
        alt.Chart(source.data("zones"))
        .transform_calculate(begins=f"datum.from / {unit}", ends=f"datum.to / {unit}")
        .mark_bar(height=14, aria=False)
        .encode(y=y, x=x, x2=alt.X2("ends:Q"), color=colour, tooltip=tooltips)
    )
    return alt.LayerChart(layer=[bars])


def _zone_rows(view: SessionView, labels: dict[str, str]) -> list[dict[str, Any]]:
    rows = []
    zones = [f"zone{zone}_s" for zone in range(6)]
    known = view.summary.filter(pl.col("hr_max").is_not_null() & (pl.col("readings") > 0))
    for id_, *held in known.select("profile_id", *zones).iter_rows():
        begins_s = 0.0
        total_s = sum(held)
        for zone, held_s in enumerate(held):
            if held_s:
                rows.append(
                    {
                        "label": labels[id_],
                        "member": view.names[id_],
                        "zone": zone,
                        "zone name": ZONE_NAMES[zone],
                        "from": round(begins_s, 1),
                        "to": round(begins_s + held_s, 1),
                        "time": format_duration(held_s),
                        "share of observed time": format_share(held_s / total_s),
                    }
                )
            begins_s += held_s
    return rows


def distribution_drawing(view: SessionView) -> Drawing:
    """Prepare how long each heart rate was held, a row for each member, with the median marked.

    Each row is scaled to its own longest-held bpm: places and shapes compare, heights do not. Members without observed
    time are left out.
    """
    labels = _labels(view)
    held = view.time_at_bpm.filter(pl.col("held_s") > 0)
    observed = set(held["profile_id"])
    members = [id_ for id_ in labels if id_ in observed]
    place = {id_: row for row, id_ in enumerate(members)}
    bpm = held["bpm"].to_list() or [42, 117]
    medians = [
        {"from": median + 0.5, "row": place[id_], "top": place[id_] - 0.9}
        for id_, median in view.summary.select("profile_id", "bpm_median").iter_rows()
        if id_ in place and median is not None
    ]
    return Drawing(
        make=_make_distribution,
        description="Time at each heart rate",
        datasets={"shapes": encode(_ridge_rows(held, view, place)), "medians": encode(medians)},
        values={"lowest": min(bpm) - 2, "highest": max(bpm) + 3, "labels": [labels[id_] for id_ in members]},
        height=8 + max(1, len(members)) * (_RIDGE if len(members) <= _MANY else _LOW_RIDGE),
    )


def _make_distribution(source: Source) -> alt.LayerChart:
    lowest, highest, labels = map(source.value, ("lowest", "highest", "labels"))
    # Rows count downwards from the top; a row's shape rises from its number towards the one above.
    bottom = alt.ExprRef(f"length({labels}) - 0.8")
    y = alt.Y(
        "row:Q",
        scale=alt.Scale(domainMin=-1, domainMax=bottom, reverse=True, nice=False, zero=False),
        axis=alt.Axis(
            values=alt.ExprRef(f"sequence(length({labels}))"),
            labelExpr=f"({labels})[datum.value]",
            labelLimit=170,
            gridOpacity=0.9,
            format="d",
        ),
    )
    x = alt.X(
        "from:Q",
        scale=alt.Scale(domainMin=alt.ExprRef(lowest), domainMax=alt.ExprRef(highest), zero=False, nice=False),
        axis=alt.Axis(title="bpm", titleAnchor="end", tickCount=_TICKS, labelOverlap=True, grid=False),
    )
    base = (
        alt.Chart(source.data("shapes"))
        .transform_flatten(["bpm", "share", "time"])
        .transform_calculate(**{"from": "datum.bpm", "to": "datum.bpm + 1", "top": "datum.row - 0.9 * datum.share"})
    )
    tooltips = [alt.Tooltip(f"{key}:N") for key in ("member", "bpm", "time")]
    shape = base.mark_rect(fill=light("quiet"), aria=False).encode(
        x=x, x2=alt.X2("to:Q"), y=y, y2=alt.Y2("top:Q"), tooltip=tooltips
    )
    median = alt.Chart(source.data("medians")).mark_rule(stroke=light("accent"), strokeWidth=2, aria=False)
    return alt.LayerChart(layer=[shape, median.encode(x=x, y=y, y2=alt.Y2("top:Q"))])


def _ridge_rows(held: pl.DataFrame, view: SessionView, place: dict[str, int]) -> list[dict[str, Any]]:
    """Make an object for each member: name, row, and lists of bpm, share of the longest hold, and time as text."""
    longest = pl.col("held_s").max().over("profile_id")
    rows = held.with_columns(share=(pl.col("held_s") / longest).round(3)).partition_by("profile_id", as_dict=True)
    return [
        {
            "member": view.names[id_],
            "row": row,
            "bpm": rows[id_,]["bpm"].to_list(),
            "share": rows[id_,]["share"].to_list(),
            "time": [format_duration(held_s) for held_s in rows[id_,]["held_s"]],
        }
        for id_, row in place.items()
    ]


def _labels(view: SessionView) -> dict[str, str]:
    """Return labels of members with their coverage, by profile id."""
    coverage = dict(view.summary.select("profile_id", "coverage").iter_rows())
    # Isolated, so that a name from right to left does not turn the number.
    return {id_: f"\u2068{name}\u2069 · {format_share(coverage[id_])}" for id_, name in view.names.items()}
