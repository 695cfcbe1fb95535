"""Heart-rate recovery: how far the heart rate falls in the minute after an effort."""

from collections.abc import Sequence

import polars as pl

from pulsoid_rec.analysis.metrics.definitions import MICROSECONDS, Definitions
from pulsoid_rec.analysis.metrics.holds import MEMBER
from pulsoid_rec.analysis.metrics.zones import reaches

EFFORT_PERCENT = 70  # an effort is at or above this percentage of HRmax
EFFORT_US = 120 * MICROSECONDS
LAST_US = 5 * MICROSECONDS
LATER_US = (57_500_000, 62_500_000)  # the 5 s centred 60 s after an effort's end: the first is in it, the second is not
SCHEMA = pl.Schema({"room_id": pl.String(), "session": pl.Int64(), "profile_id": pl.String(), "hrr60": pl.Float64()})


def margins_us(definitions: Definitions) -> tuple[int, int]:
    """Return how long before and after an effort's end readings are needed, in microseconds."""
    return EFFORT_US + definitions.max_hold_us, max(LATER_US[1], definitions.max_hold_us + 1)


def find_falls(readings: pl.DataFrame, definitions: Definitions, by: Sequence[str] = MEMBER) -> pl.DataFrame:
    """Find each effort's end, and how far the heart rate has fallen a minute later.

    An effort is a run of plausible readings at or above 70 % of HRmax, none more than `max_hold_s` after the one
    before, from the first to the last of which 2 minutes pass or more. Its end is known if a lower reading follows its
    last one within `max_hold_s`; other efforts are ignored. The fall is from the mean of its readings of the last 5 s
    to the mean of the plausible readings from 57.5 s to 62.5 s after its end. `readings` are as
    `holds.sort_and_deduplicate` returns them, with `hr_max` (null where unknown).

    Returns columns `by`, `ended_at`, `fall_bpm` (Float64; negative where the heart rate rose; null where there is no
    reading 60 s later), in no order.

    Cole, C. R. et al. (1999). Heart-rate recovery immediately after exercise as a predictor of mortality. New England
    Journal of Medicine 341(18), for the measure.
    """
    by = list(by)
    is_plausible = pl.col("bpm").is_between(definitions.min_bpm, definitions.max_bpm)
    seen = (
        readings.filter(is_plausible & pl.col("hr_max").is_not_null())
        .sort(by, maintain_order=True)
        .with_columns(is_effort=reaches(pl.col("bpm"), pl.col("hr_max"), EFFORT_PERCENT))
        .with_columns(silence_us=pl.col("occurred_at").diff().over(by).dt.total_microseconds())
    )
    breaks = (pl.col("silence_us") > definitions.max_hold_us) | pl.col("is_effort").ne(
        pl.col("is_effort").shift(1).over(by)
    )
    runs = (
        seen.with_columns(run=breaks.fill_null(value=True).cast(pl.Int64).cum_sum())
        .group_by(*by, "run")
        .agg(
            pl.col("is_effort").first(),
            pl.col("silence_us").first(),
            started_at=pl.col("occurred_at").first(),
            ended_at=pl.col("occurred_at").last(),
            last_bpm=pl.col("bpm").filter(_before_end_us() < LAST_US).mean(),
        )
        .sort(*by, "run")
        .with_columns(silence_after_us=pl.col("silence_us").shift(-1).over(by))
    )
    lasted_us = (pl.col("ended_at") - pl.col("started_at")).dt.total_microseconds()
    is_ended = pl.col("silence_after_us") <= definitions.max_hold_us
    efforts = runs.filter(pl.col("is_effort") & (lasted_us >= EFFORT_US) & is_ended)
    seen = seen.join(efforts, on=by, how="semi", maintain_order="left")
    return _with_later_mean(efforts, seen, by).select(
        *by, "ended_at", fall_bpm=pl.col("last_bpm") - pl.col("later_bpm")
    )


def _before_end_us() -> pl.Expr:
    return (pl.col("occurred_at").last() - pl.col("occurred_at")).dt.total_microseconds()


def _with_later_mean(efforts: pl.DataFrame, seen: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Add the mean a minute after each effort: the difference of the cumulative sums at the window's two ends."""
    sums = seen.select(
        *by,
        "occurred_at",
        sum_bpm=pl.col("bpm").cast(pl.Int64).cum_sum().over(by),
        count=pl.col("bpm").cum_count().over(by).cast(pl.Int64),
    ).sort("occurred_at", "count")
    for end, after_us in zip(("from", "until"), LATER_US, strict=True):
        efforts = (
            efforts.with_columns(edge_at=pl.col("ended_at") + pl.duration(microseconds=after_us))
            .sort("edge_at")
            .join_asof(
                sums.rename({"sum_bpm": f"sum_{end}", "count": f"count_{end}"}),
                left_on="edge_at",
                right_on="occurred_at",
                by=by,
                strategy="backward",
                allow_exact_matches=False,
                check_sortedness=False,  # sorted by time just above
            )
            .drop("occurred_at", strict=False)
        )
    count = pl.col("count_until") - pl.col("count_from")
    mean = (pl.col("sum_until") - pl.col("sum_from")) / count
    return efforts.with_columns(later_bpm=pl.when(count > 0).then(mean))


def largest_falls(falls: pl.DataFrame, by: Sequence[str] = MEMBER) -> pl.DataFrame:
    """Find each member's largest fall, of those that `find_falls` returns.

    Returns
    -------
    Columns `by` and `hrr60`: a row for each member with an effort, null if readings cover no fall.
    """
    return falls.group_by(by).agg(hrr60=pl.col("fall_bpm").max())
