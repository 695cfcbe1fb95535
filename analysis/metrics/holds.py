"""Holds: how long each reading counts, and the gaps between plausible ones."""

from collections.abc import Sequence

import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions

MEMBER = ("room_id", "session", "profile_id")  # columns that identify one member in one session
ORDER = ("occurred_at", "received_at", "bpm")  # the order of a member's readings, whatever the order of the rows


def sort_and_deduplicate(readings: pl.DataFrame, by: Sequence[str] = MEMBER) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Sort each member's readings, and remove duplicates, of which the first received is kept.

    `readings` have `occurred_at`, `received_at`, `bpm` and `by`, the columns that identify one member in one session.

    Returns the readings ordered by time, each member's by `ORDER`; and the number of rows removed: columns `by` and
    `duplicates`, for members that have any.
    """
    by = list(by)
    # Recorded data is nearly sorted: sorting it by time is cheap, sorting it by all of ORDER is not. So only readings
    # of a member at one instant are sorted by all of it.
    rows = readings.sort("occurred_at", maintain_order=True)
    is_tied_to_last = pl.col("occurred_at").diff().over(by).dt.total_microseconds() == 0
    rows = rows.with_columns(is_tied=is_tied_to_last.fill_null(value=False))
    if not rows["is_tied"].any():
        return rows.drop("is_tied"), rows.select(by).clear().with_columns(duplicates=pl.lit(0, pl.Int64))
    rows = rows.with_columns(is_tied=pl.col("is_tied") | pl.col("is_tied").shift(-1, fill_value=False).over(by))
    tied, rows = rows.filter("is_tied").drop("is_tied"), rows.filter(~pl.col("is_tied")).drop("is_tied")
    kept = tied.sort(*by, *ORDER).unique(subset=[*by, "occurred_at", "bpm"], keep="first", maintain_order=True)
    counts = [
        frame.group_by(by).agg(duplicates=sign * pl.len().cast(pl.Int64)) for frame, sign in ((tied, 1), (kept, -1))
    ]
    duplicates = pl.concat(counts).group_by(by).agg(pl.col("duplicates").sum()).filter(pl.col("duplicates") > 0)
    return pl.concat([rows, kept]).sort("occurred_at", maintain_order=True), duplicates


def hold_readings(
    readings: pl.DataFrame,
    definitions: Definitions,
    by: Sequence[str] = MEMBER,
    later: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Compute how long each reading holds, and the gap that follows it.

    A reading holds until the member's next one in the session, plausible or not, at most `max_hold_s`; the last holds
    for no time. Of two at one instant the first received holds for no time. `readings` are as `sort_and_deduplicate`
    returns them. If they are only the earlier ones of several, `later` is each member's first later ones: columns `by`,
    `occurred_at`, and `plausible_at` of the first plausible one, or null.

    Returns the same rows in the same order, with `plausible_at` (`occurred_at` where the reading is plausible, else
    null), `held_us` (Int64), and `gap_us` (Int64: the time to the next plausible reading of the session where that is
    longer than a reading can hold, and this one is plausible; else null).
    """
    is_plausible = pl.col("bpm").is_between(definitions.min_bpm, definitions.max_bpm)
    seen = readings.with_columns(plausible_at=pl.when(is_plausible).then("occurred_at"))
    if later is not None and not later.is_empty():
        # One row a member, at the end, stands for all later readings.
        seen = pl.concat([seen, later], how="diagonal")
    next_at = pl.col("occurred_at").shift(-1).over(by)
    next_plausible_at = pl.col("plausible_at").shift(-1).backward_fill().over(by)
    silence_us = (pl.col("next_plausible_at") - pl.col("plausible_at")).dt.total_microseconds()
    held_us = (pl.col("next_at") - pl.col("occurred_at")).dt.total_microseconds()
    return (
        seen.lazy()
        .with_columns(next_at=next_at, next_plausible_at=next_plausible_at)
        .with_columns(
            held_us=held_us.clip(upper_bound=definitions.max_hold_us).fill_null(0),
            gap_us=pl.when(silence_us > definitions.max_hold_us).then(silence_us),
        )
        .drop("next_at", "next_plausible_at")
        .head(readings.height)
        .collect()
    )
