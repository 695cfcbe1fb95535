"""The summary: one row per room, session and member, from the tally of time at bpm alone."""

import polars as pl

from pulsoid_rec.analysis.metrics.columns import PHASE, SUMMARY
from pulsoid_rec.analysis.metrics.definitions import MICROSECONDS
from pulsoid_rec.analysis.metrics.durations import in_seconds
from pulsoid_rec.analysis.metrics.holds import MEMBER
from pulsoid_rec.analysis.metrics.training_load import training_loads
from pulsoid_rec.analysis.metrics.zones import time_in_zones

SCHEMA = pl.Schema({column.name: column.type for column in SUMMARY})  # the summary's columns, in their order
BY_PHASE = pl.Schema({column.name: column.type for column in (*SUMMARY[:2], *PHASE, *SUMMARY[2:])})
PEAK_US = 5 * MICROSECONDS  # `bpm_peak` is the highest heart rate that was held this long, it or a higher one
FLOOR_US = 60 * MICROSECONDS  # `bpm_floor` is the lowest heart rate that was held this long, it or a lower one


def summarize(
    tally: pl.DataFrame, people: pl.DataFrame, recovery: pl.DataFrame, phases: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Summarize each member's readings in each session: `SCHEMA`, ordered by room, session, name and id.

    With `phases` (`phases.PHASES`) it is `BY_PHASE`: tally and recovery have a `phase`, and each member a row for each
    in which a reading of theirs counts, which are ordered by room, session, phase, name and id.

    `tally` is by room, session and member, as `time_at_bpm.add_tallies` returns it; `people` a row for each of them, as
    of `members.describe_members`; `recovery` has `room_id`, `session`, `profile_id`, `hrr60`, as
    `recovery.largest_falls` returns it. A member without a plausible reading has a row with nulls; no members, no rows.
    """
    schema, by = (SCHEMA, list(MEMBER)) if phases is None else (BY_PHASE, [*MEMBER, "phase"])
    plausible = tally.filter(pl.col("bpm").is_not_null()).sort("bpm")
    known = plausible.join(people.filter(pl.col("hr_max").is_not_null()), on=MEMBER)
    rows = people.join(tally.select(by).unique(), on=MEMBER)
    if phases is not None:
        times = phases.rename({"started_at": "phase_started_at", "ended_at": "phase_ended_at"})
        rows = rows.join(times, on=["room_id", "session", "phase"])
    for results in (
        _count_readings(tally, by),
        bpm_statistics(plausible, by),
        time_in_zones(known, by),
        training_loads(known, by),
        recovery.select(*by, "hrr60"),
    ):
        rows = rows.join(results, on=by, how="left")
    order = [column for column in by if column != "profile_id"]
    return rows.select(*schema).cast(schema).sort(*order, "name", "profile_id")


def _count_readings(tally: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Count readings and gaps, and compute how much time they cover."""
    is_plausible = pl.col("bpm").is_not_null()
    return (
        tally.group_by(by)
        .agg(
            pl.col("first_at").min(),
            pl.col("last_at", "held_until_at").max(),
            pl.col("readings").filter(is_plausible).sum(),
            pl.col("duplicates", "untimely", "gaps").sum(),
            implausible=pl.col("readings").filter(~is_plausible).sum(),
            observed_s=pl.when(is_plausible.any()).then(in_seconds(pl.col("held_us").filter(is_plausible).sum())),
            longest_gap_s=pl.when(is_plausible.any()).then(in_seconds(pl.col("longest_gap_us").max().fill_null(0))),
        )
        .with_columns(span_s=in_seconds((pl.col("held_until_at") - pl.col("first_at")).dt.total_microseconds()))
        .with_columns(coverage=pl.when(pl.col("span_s") > 0).then(pl.col("observed_s") / pl.col("span_s")))
    )


def bpm_statistics(plausible: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Compute statistics in which each heart rate counts by the time it was held."""
    bpm, held_us, at_most_us = pl.col("bpm"), pl.col("held_us"), pl.col("at_most_us")
    total_us = held_us.sum()
    # Relative to the lowest: the mean of a single heart rate is then exact, and its deviation exactly 0.
    lowest = bpm.min()
    mean = lowest + ((bpm - lowest) * held_us).sum() / total_us
    variance = (held_us * (bpm - mean).pow(2)).sum() / total_us
    at_least_us = total_us - at_most_us + held_us

    def quantile(percent: int) -> pl.Expr:
        return bpm.filter(at_most_us * 100 >= total_us * percent).min()

    def if_held(statistic: pl.Expr) -> pl.Expr:
        return pl.when(total_us > 0).then(statistic)

    return (
        plausible.with_columns(at_most_us=held_us.cum_sum().over(by))
        .group_by(by)
        .agg(
            bpm_mean=if_held(mean),
            bpm_sd=if_held(variance.sqrt()),
            bpm_min=bpm.min(),
            bpm_floor=bpm.filter(at_most_us >= FLOOR_US).min(),
            bpm_p05=if_held(quantile(5)),
            bpm_median=if_held(quantile(50)),
            bpm_p95=if_held(quantile(95)),
            bpm_peak=bpm.filter(at_least_us >= PEAK_US).max(),
            bpm_max=bpm.max(),
        )
    )
