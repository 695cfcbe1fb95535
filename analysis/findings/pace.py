"""How often each sensor reports: its pace, by which jumps, unchanging values and gaps in lines are judged."""

import polars as pl

from pulsoid_rec.analysis.metrics.definitions import MICROSECONDS, Definitions

_BIN_US = 100_000  # steps are counted by the tenth of a second: finer than networks are
_FEWEST = 10  # fewer steps than these have no pace
_LATE = 1.5  # a reading may come later than the pace by this factor before it counts as missing


def binned_step_us() -> pl.Expr:
    """Return the time from `before_at` to `occurred_at` in microseconds, rounded to a tenth of a second."""
    exact_us = (pl.col("occurred_at") - pl.col("before_at")).dt.total_microseconds()
    return (exact_us + _BIN_US // 2) // _BIN_US * _BIN_US


def count_steps(readings: pl.LazyFrame) -> pl.LazyFrame:
    """Count the steps between readings by their length: `key`, `step_us` and `times`, for `find_paces`.

    Two readings at one instant are no step.
    """
    steps = readings.filter(pl.col("occurred_at") > pl.col("before_at"))
    return steps.group_by("key", step_us=binned_step_us()).agg(times=pl.len().cast(pl.Int64))


def find_paces(steps: pl.DataFrame, definitions: Definitions) -> pl.DataFrame:
    """Find how often each member's sensor reports, from what `count_steps` returned, added up.

    The pace is the lower median of the steps, to a tenth of a second: jitter, single readings that are lost, pauses and
    duplicates do not change it.

    Returns `key`; `pace_s`; `longest_us`, the longest step that is not a gap of this sensor: one and a half times the
    pace, and at least `max_hold_us`; and `late`, the share of the steps that are longer than `max_hold_us` and no
    longer than `longest_us`. Ordered by key; no row for a member with fewer than ten steps.
    """
    of_all = pl.col("times").sum()
    longest_us = (pl.col("pace_us") * _LATE).cast(pl.Int64).clip(lower_bound=definitions.max_hold_us)
    is_late = (pl.col("step_us") > definitions.max_hold_us) & (pl.col("step_us") <= longest_us)
    return (
        steps.lazy()
        .sort("key", "step_us")
        .with_columns(is_lower=2 * pl.col("times").cum_sum().over("key") < of_all.over("key"))
        .with_columns(pace_us=pl.col("step_us").filter(~pl.col("is_lower")).min().over("key"))
        .group_by("key", maintain_order=True)
        .agg(
            steps=of_all,
            pace_s=pl.col("pace_us").first() / MICROSECONDS,
            longest_us=longest_us.first(),
            late=pl.col("times").filter(is_late).sum() / of_all,
        )
        .filter(pl.col("steps") >= _FEWEST)
        .drop("steps")
        .collect()
    )
