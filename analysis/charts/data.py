"""The data of charts over time: readings thinned with their extremes and gaps kept, and values to hover over."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from pulsoid_rec.analysis.findings.local_time import find_change, fixed_zone
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.findings.wording import DASH
from pulsoid_rec.analysis.metrics.filters import to_microseconds
from pulsoid_rec.recorder.contract.wording import format_count

HOVER_COLUMNS = 120  # columns of time to hover over in a wide chart: some 8 px each

CROWD_FIELDS = (
    "column",
    "low",
    "quarter",
    "middle",
    "three_quarters",
    "high",
    "present",
    "median",
    "highest",
    "lowest",
)
"""The keys of `crowd_hover`."""

_IS_FIRST = (pl.col("profile_id") != pl.col("profile_id").shift(1)).fill_null(value=True)
"""Whether a row is its member's first, where rows are ordered by profile."""


def thin(view: SessionView, buckets: int) -> pl.DataFrame:
    """Keep the first, last, lowest and highest reading of each of so many buckets of time, and mark gaps.

    A chart of them looks the same as one of all readings, if a bucket is at most two pixels wide (M4: Jugel, Jerzak,
    Hackenbroich and Markl 2014).

    Returns `profile_id`, `occurred_at`, `bpm`, `segment`: plausible readings ordered by profile and time, at most four
    a bucket and member; a member's readings with the same `segment` have no gap between them: no step longer than a
    reading holds, or than is usual for this sensor.
    """
    longest_us = dict(view.checks.paces.select("profile_id", "longest_us").iter_rows())
    usual_us = pl.col("profile_id").replace_strict(
        longest_us, default=view.definitions.max_hold_us, return_dtype=pl.Int64
    )
    is_gap = (pl.col("occurred_at").diff().dt.total_microseconds() > usual_us).fill_null(value=False)
    rows = (
        view.readings.lazy()
        .filter("plausible")
        .select("profile_id", "occurred_at", "bpm", is_first=_IS_FIRST, bucket=_bucket(view, buckets))
        .with_columns(
            segment=(pl.col("is_first") | is_gap).cum_sum(),
            # One number for member and bucket: grouping by text takes twice as long.
            cell=pl.col("is_first").cum_sum().cast(pl.Int64) * buckets + pl.col("bucket"),
        )
        .with_row_index("row")
        .collect()
    )
    row = pl.col("row")
    kept = (
        rows.lazy()
        .group_by("cell")
        .agg(
            row.min().alias("first"),
            row.max().alias("last"),
            row.get(pl.col("bpm").arg_min()).alias("lowest"),
            row.get(pl.col("bpm").arg_max()).alias("highest"),
        )
        .select(pl.concat_list("first", "last", "lowest", "highest").explode().unique())
        .collect()
        .to_series()
        .sort()
    )
    return rows[kept].select("profile_id", "occurred_at", "bpm", "segment")


def lines(thinned: pl.DataFrame, view: SessionView) -> list[dict[str, Any]]:
    """Convert the result of `thin` to the data of a chart, one object for each member who has readings.

    It has `member` (position in the summary), `name`, `t` (seconds since the session began) and `bpm`, the last two
    lists of equal length, with a null bpm at each gap.
    """
    # A tenth of a second is a pixel in a session of some minutes, and invisible in one of hours.
    digits = 1 if (view.ended_at - view.started_at) <= timedelta(hours=1) else 0
    seconds = ((pl.col("occurred_at") - view.started_at).dt.total_microseconds() / 1e6).round(digits)
    breaks = pl.col("segment") != pl.col("segment").shift(1).over("profile_id")
    rows = thinned.with_columns(t=seconds if digits else seconds.cast(pl.Int64), breaks=breaks.fill_null(value=False))
    by_member = rows.partition_by("profile_id", as_dict=True)
    members = []
    for place, (id_, name) in enumerate(view.names.items()):
        t: list[float] = []
        bpm: list[int | None] = []
        for at, value, is_broken in by_member.get((id_,), rows.clear()).select("t", "bpm", "breaks").iter_rows():
            if is_broken:
                t.append(at)
                bpm.append(None)
            t.append(at)
            bpm.append(value)
        if t:
            members.append({"member": place, "name": name, "t": t, "bpm": bpm})
    return members


def hover_columns(view: SessionView, columns: int) -> pl.DataFrame:
    """Divide a session's time into columns, at least 1, and summarize each member's heart rate in each of them.

    Returns `profile_id`, `column`, `low`, `high`, `median` (bpm, of the readings in it) and `text`, such as `142` or
    `138 to 151`, where there are plausible readings; ordered by column and profile.
    """
    bpm = pl.col("bpm")
    low, high = pl.col("low").cast(pl.String), pl.col("high").cast(pl.String)
    return (
        view.readings.lazy()
        .filter("plausible")
        .group_by("profile_id", column=_bucket(view, columns))
        .agg(low=bpm.min(), high=bpm.max(), median=bpm.median())
        .with_columns(text=pl.when(low == high).then(low).otherwise(pl.concat_str(low, pl.lit(" to "), high)))
        .sort("column", "profile_id")
        .collect()
    )


def member_hover(view: SessionView, columns: int) -> dict[str, list[Any]]:
    """Prepare tooltips with a line for each member.

    Returns `column` (all of them, from 0), and `m0`, `m1`, ... by the member's place in the summary: the text, or a
    dash.
    """
    values = hover_columns(view, columns).select("profile_id", "column", "text")
    texts = {(column, id_): text for id_, column, text in values.iter_rows()}
    members = {
        f"m{i}": [texts.get((column, id_), DASH) for column in range(columns)] for i, id_ in enumerate(view.names)
    }
    return {"column": list(range(columns)), **members}


def crowd_hover(view: SessionView, columns: int) -> dict[str, list[Any]]:
    """Prepare tooltips and bands that summarize many members.

    Returns `column` (all of them, from 0); the bpm `low`, `quarter`, `middle`, `three_quarters`, `high` (the lowest and
    highest reading of all, and quartiles of the members' medians; null without readings); and the texts `present`,
    `median`, `highest` and `lowest`.
    """
    by_column = hover_columns(view, columns).partition_by("column", as_dict=True)
    rows = [{"column": column, **_summarize(by_column.get((column,)), view)} for column in range(columns)]
    return {key: [row[key] for row in rows] for key in CROWD_FIELDS}


def _summarize(values: pl.DataFrame | None, view: SessionView) -> dict[str, Any]:
    if values is None:
        bands = dict.fromkeys(("low", "quarter", "middle", "three_quarters", "high"))
        return bands | {"present": "nobody", "median": DASH, "highest": DASH, "lowest": DASH}
    top = values.row(values["high"].arg_max() or 0, named=True)
    bottom = values.row(values["low"].arg_min() or 0, named=True)
    quarter, middle, three_quarters = (values["median"].quantile(share, "linear") for share in (0.25, 0.5, 0.75))
    return {
        "low": bottom["low"],
        "quarter": quarter,
        "middle": middle,
        "three_quarters": three_quarters,
        "high": top["high"],
        "present": format_count(values.height, "member"),
        "median": f"{middle:.0f}",
        "highest": f"{top['high']} {view.names[top['profile_id']]}",
        "lowest": f"{bottom['low']} {view.names[bottom['profile_id']]}",
    }


def wall_ms(at: datetime, view: SessionView) -> int:
    """Return an instant as the milliseconds since 1970 of a UTC clock that shows the session's local time.

    Charts draw it in UTC, so that readers in other time zones see the local times of the session, not of the browser.
    It is that of the session's start, and goes on evenly where clocks are changed: `clock_change` is for labels.
    """
    # Beyond the year 9999 in whole numbers, as a datetime ends there.
    return round((to_microseconds(at) + view.zone.utcoffset(None) // timedelta(microseconds=1)) / 1000)


def clock_change(view: SessionView) -> tuple[int, int, str]:
    """Return when, as of `wall_ms`, clocks were changed in the session, by how many milliseconds, and to which offset.

    They are 0, 0 and empty if they were not.
    """
    changed_at = find_change(view.started_at, view.ended_at, view.local_zone)
    if changed_at is None:
        return 0, 0, ""
    zone = fixed_zone(changed_at, view.local_zone)
    shift = zone.utcoffset(None) - view.zone.utcoffset(None)
    return wall_ms(changed_at, view), round(shift.total_seconds() * 1000), str(zone).removeprefix("UTC") or "+00:00"


def bpm_domain(readings: pl.DataFrame) -> tuple[int, int]:
    """Choose the lowest and highest bpm of an axis: round tens around all plausible readings, 40 to 120 for none."""
    plausible = readings.filter("plausible")["bpm"]
    low, high = plausible.min(), plausible.max()
    if not isinstance(low, int) or not isinstance(high, int):
        return 40, 120
    return (low - 3) // 10 * 10, -((high + 3) // -10) * 10


def _bucket(view: SessionView, buckets: int) -> pl.Expr:
    """Return which of so many equal parts of a session's time `occurred_at` is in."""
    span_us = max(1, (view.ended_at - view.started_at) // timedelta(microseconds=1))
    since_us = (pl.col("occurred_at") - view.started_at).dt.total_microseconds()
    return (since_us * buckets // span_us).clip(0, buckets - 1)
