"""Readings made small enough to draw, with their extremes kept and their gaps left open."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.findings.wording import DASH
from pulsoid_rec.recorder.contract.wording import format_count

HOVER_COLUMNS = 120
"""Stretches of time into which a chart is cut for reading its values: some 8 px each on a wide screen."""

_IS_FIRST = (pl.col("profile_id") != pl.col("profile_id").shift(1)).fill_null(value=True)
"""Whether a row is its member's first, where rows are ordered by profile."""


def thin(
    readings: pl.DataFrame, started_at: datetime, ended_at: datetime, *, max_hold_s: float, buckets: int
) -> pl.DataFrame:
    """Keep of each bucket of time the first, last, lowest and highest reading, and mark where a gap lies between two.

    What is left draws the same picture as all readings do, so long as a bucket is no wider than two pixels (M4: Jugel,
    Jerzak, Hackenbroich and Markl 2014).

    Parameters
    ----------
    readings
        `profile_id`, `occurred_at`, `bpm`, `plausible`, ordered by profile and time.
    started_at, ended_at
        The time that the buckets divide (aware, UTC).
    max_hold_s
        Consecutive plausible readings further apart than this, in seconds, have a gap between them.
    buckets
        Number of buckets, at least 1.

    Returns
    -------
    pl.DataFrame
        `profile_id`, `occurred_at`, `bpm`, `segment`: plausible readings ordered by profile and time, at most four a
        bucket and member; two of a member with the same `segment` have no gap between them. Empty for none.
    """
    is_gap = (pl.col("occurred_at").diff() > timedelta(seconds=max_hold_s)).fill_null(value=False)
    rows = (
        readings.lazy()
        .filter("plausible")
        .select("profile_id", "occurred_at", "bpm", is_first=_IS_FIRST, bucket=_stretch(started_at, ended_at, buckets))
        .with_columns(
            segment=(pl.col("is_first") | is_gap).cum_sum(),
            # One number for member and bucket: grouping by a text takes twice as long.
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


def lines(thinned: pl.DataFrame, part: SessionView) -> list[dict[str, Any]]:
    """Turn thinned readings into one object a member, as charts take them.

    Parameters
    ----------
    thinned
        As `thin` gives.
    part
        The session, for its start and its members' labels and order.

    Returns
    -------
    list of dict
        `member` (position in the summary), `name`, `t` (seconds since the session began) and `bpm`, the last two lists
        of equal length, with a null bpm wherever a gap lies. Members without readings are left out.
    """
    # A tenth of a second is a pixel in a session of some minutes, and not to be seen in one of hours.
    digits = 1 if (part.ended_at - part.started_at) <= timedelta(hours=1) else 0
    seconds = (pl.col("occurred_at") - part.started_at).dt.total_microseconds() / 1e6
    breaks = pl.col("segment") != pl.col("segment").shift(1).over("profile_id")
    cut = thinned.with_columns(t=seconds.round(digits), breaks=breaks.fill_null(value=False))
    if digits == 0:
        cut = cut.with_columns(pl.col("t").cast(pl.Int64))
    by_member = cut.partition_by("profile_id", as_dict=True)
    drawn = []
    for member, (id_, name) in enumerate(part.names.items()):
        rows = by_member.get((id_,))
        if rows is None:
            continue
        t: list[float] = []
        bpm: list[int | None] = []
        for at, value, broken in rows.select("t", "bpm", "breaks").iter_rows():
            if broken:
                t.append(at)
                bpm.append(None)
            t.append(at)
            bpm.append(value)
        drawn.append({"member": member, "name": name, "t": t, "bpm": bpm})
    return drawn


def hover_columns(readings: pl.DataFrame, part: SessionView, columns: int = HOVER_COLUMNS) -> pl.DataFrame:
    """Cut a session into stretches of time, and say for each what each member's heart rate was.

    Parameters
    ----------
    readings
        `profile_id`, `occurred_at`, `bpm`, `plausible`.
    part
        The session.
    columns
        Number of stretches, at least 1.

    Returns
    -------
    pl.DataFrame
        `profile_id`, `column`, `low`, `high`, `median` (bpm, of the readings in it) and `words`, such as `142` or
        `138 to 151`; only where there are plausible readings; ordered by column and profile.
    """
    low, high = pl.col("low").cast(pl.String), pl.col("high").cast(pl.String)
    return (
        readings.lazy()
        .filter("plausible")
        .group_by("profile_id", column=_stretch(part.started_at, part.ended_at, columns))
        .agg(
            pl.col("bpm").min().alias("low"),
            pl.col("bpm").max().alias("high"),
            pl.col("bpm").median().alias("median"),
        )
        .with_columns(words=pl.when(low == high).then(low).otherwise(pl.concat_str(low, pl.lit(" to "), high)))
        .sort("column", "profile_id")
        .collect()
    )


def one_by_one(heights: pl.DataFrame, part: SessionView, columns: int = HOVER_COLUMNS) -> dict[str, list[Any]]:
    """Word each stretch of time for a tooltip with a line a member.

    Parameters
    ----------
    heights
        As `hover_columns` gives it.
    part, columns
        The session and the number of stretches, as of `hover_columns`.

    Returns
    -------
    dict of str to list
        `column` (every stretch, from 0), and `m0`, `m1`, ... by the member's place in the summary: the value's words,
        or a dash.
    """
    values = {
        (column, id_): words for id_, column, words in heights.select("profile_id", "column", "words").iter_rows()
    }
    told = {f"m{i}": [values.get((column, id_), DASH) for column in range(columns)] for i, id_ in enumerate(part.names)}
    return {"column": list(range(columns)), **told}


def together(heights: pl.DataFrame, part: SessionView, columns: int = HOVER_COLUMNS) -> dict[str, list[Any]]:
    """Sum up many members in each stretch of time.

    Parameters
    ----------
    heights
        As `hover_columns` gives it.
    part, columns
        The session and the number of stretches, as of `hover_columns`.

    Returns
    -------
    dict of str to list
        `column` (every stretch, from 0); the bpm `low`, `quarter`, `middle`, `three_quarters`, `high` (the lowest and
        highest reading of anybody, and quartiles of the members' medians; null where nobody has readings); and, in
        words, `present`, `median`, `highest` and `lowest`.
    """
    by_column = heights.partition_by("column", as_dict=True)
    rows = [_summed_up(by_column.get((column,)), part) for column in range(columns)]
    return {"column": list(range(columns)), **{key: [row[key] for row in rows] for key in rows[0]}}


def _summed_up(values: pl.DataFrame | None, part: SessionView) -> dict[str, Any]:
    if values is None:
        bands = dict.fromkeys(("low", "quarter", "middle", "three_quarters", "high"))
        return bands | {"present": "nobody", "median": DASH, "highest": DASH, "lowest": DASH}
    top = values.row(values["high"].arg_max() or 0, named=True)
    bottom = values.row(values["low"].arg_min() or 0, named=True)
    middle = values["median"]
    quarters = [middle.quantile(share, "linear") for share in (0.25, 0.5, 0.75)]
    return {
        "low": bottom["low"],
        "quarter": quarters[0],
        "middle": quarters[1],
        "three_quarters": quarters[2],
        "high": top["high"],
        "present": format_count(values.height, "member"),
        "median": f"{quarters[1]:.0f}",
        "highest": f"{top['high']} {part.names[top['profile_id']]}",
        "lowest": f"{bottom['low']} {part.names[bottom['profile_id']]}",
    }


def wall_ms(at: datetime, part: SessionView) -> int:
    """Give an instant as the milliseconds of a UTC clock that shows the session's local time.

    Charts draw with it in UTC, so that a reader in another time zone sees the times of the place and not of the
    browser.
    """
    local = at + (part.zone.utcoffset(None))
    return round(local.timestamp() * 1000)


def bpm_domain(readings: pl.DataFrame) -> tuple[int, int]:
    """Choose the lowest and highest bpm of an axis: round tens around all plausible readings, 40 to 120 for none."""
    plausible = readings.filter("plausible")["bpm"]
    low, high = plausible.min(), plausible.max()
    if not isinstance(low, int) or not isinstance(high, int):
        return 40, 120
    return (low - 3) // 10 * 10, -((high + 3) // -10) * 10


def _stretch(started_at: datetime, ended_at: datetime, stretches: int) -> pl.Expr:
    """Give the number of the stretch that `occurred_at` lies in, of this many of equal length."""
    span_us = max(1, (ended_at - started_at) // timedelta(microseconds=1))
    since_us = (pl.col("occurred_at") - started_at).dt.total_microseconds()
    return (since_us * stretches // span_us).clip(0, stretches - 1)
