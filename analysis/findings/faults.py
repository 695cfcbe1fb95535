"""Values that cannot be a heart rate: zeros, impossible values, one value for minutes, jumps, two sensors at once."""

from datetime import timedelta
from typing import Final

import polars as pl

from pulsoid_rec.analysis.findings.pace import binned_step_us
from pulsoid_rec.analysis.metrics.definitions import MICROSECONDS

UNCHANGING_S = 180.0
"""A bpm that stays the same for this long or longer is a fault.

A heart speeds up and slows down with every breath. In 24 series of people sitting still at a game, smoothed and at one
reading a second, the longest such time was 45 s, and no longer when only every second, fifth or tenth reading was
taken; four times as long means a sensor that repeats itself.
"""

JUMP_BPM = 30
"""A larger change between a reading and the next one is a fault.

Within 1 s no heart does that. Within 10 s one may come near it, at the start of a sprint: a slow sensor's jump is a
weaker sign than a fast one's. In the 24 series above the largest change was 5, 8, 11, 19 and 27 bpm from one reading to
the next, to the second, fifth, tenth and fifteenth one.
"""

JUMP_PACES = 1.5
"""Two readings further apart than so many times the sensor's pace (of at least 1 s) have no jump between them."""

MOST_JUMP_S = 15.0
"""Nor do those further apart than this, whatever the pace: in 20 s hearts do change by more than `JUMP_BPM`."""

LEVELS_BPM = 8
"""A reading that is above both its neighbours, or below both, by at least this is of another sensor or a fault.

In the 24 series above, at any pace up to 10 s, at most 1 in 100 readings was.
"""

LEVELS_SHARE = 1 / 8
"""With a larger share of such readings, two sensors take turns under one profile, one up to seven times as slow."""

UNEVEN_S = 1.5
"""Of three readings within this time, the middle one is uneven if it is much nearer to one of the others.

Much is a fifth of the time. Two sensors with a reading a second each are at even steps only if they are half a second
apart, while one that reports with each heart beat always is.
"""

UNEVEN_SHARE = 1 / 2  # with a larger share of uneven readings, two sensors take turns under one profile
_NO_STEP = pl.lit(None, pl.Int64())

FINDINGS: Final = {
    "key": pl.UInt32(),
    "what": pl.String(),
    "times": pl.Int64(),
    "first_at": pl.Datetime("us", "UTC"),
    "last_at": pl.Datetime("us", "UTC"),
    "low_bpm": pl.Int32(),
    "high_bpm": pl.Int32(),
    "longest_s": pl.Float64(),
}
"""Columns of `judge_faults`."""


def count_implausible(readings: pl.LazyFrame) -> pl.LazyFrame:
    """Count zeros and other implausible values of a slice of readings, for `judge_faults`."""
    what = pl.when(pl.col("bpm") == 0).then(pl.lit("zeros")).otherwise(pl.lit("implausible"))
    return _count(readings.filter(~pl.col("plausible")), what, _NO_STEP, first_at="occurred_at", bpms=["bpm"])


def count_jumps(plausible: pl.LazyFrame) -> pl.LazyFrame:
    """Count changes that may be jumps of a slice of plausible readings, by the time they took, for `judge_faults`."""
    is_near = pl.col("occurred_at") - pl.col("before_at") <= timedelta(seconds=MOST_JUMP_S)
    return _count_changes(plausible.filter((pl.col("change").abs() > JUMP_BPM) & is_near), "jumps", binned_step_us())


def count_turns(plausible: pl.LazyFrame) -> pl.LazyFrame:
    """Count readings that may be two sensors' in turn in a slice of plausible readings, for `judge_faults`."""
    change, before = pl.col("change"), pl.col("before_change")
    is_off = (change.sign() * before.sign() < 0) & (pl.min_horizontal(change.abs(), before.abs()) >= LEVELS_BPM)
    step_us, before_us = pl.col("step_us"), pl.col("before_step_us")
    within_us = step_us + before_us
    is_uneven = (within_us <= UNEVEN_S * MICROSECONDS) & ((step_us - before_us).abs() * 5 >= within_us)
    kinds = {"levels": is_off, "uneven": is_uneven}
    return pl.concat([_count_changes(plausible.filter(condition), what) for what, condition in kinds.items()])


def _count_changes(rows: pl.LazyFrame, what: str, step_us: pl.Expr = _NO_STEP) -> pl.LazyFrame:
    return _count(rows, pl.lit(what), step_us, first_at="before_at", bpms=["bpm", "before_bpm"])


def _count(rows: pl.LazyFrame, what: pl.Expr, step_us: pl.Expr, *, first_at: str, bpms: list[str]) -> pl.LazyFrame:
    return rows.group_by("key", what=what, step_us=step_us).agg(
        times=pl.len().cast(pl.Int64),
        first_at=pl.col(first_at).min(),
        last_at=pl.col("occurred_at").max(),
        low_bpm=pl.min_horizontal(pl.col(bpms).min()),
        high_bpm=pl.max_horizontal(pl.col(bpms).max()),
    )


def find_unchanging(plausible: pl.LazyFrame) -> pl.LazyFrame:
    """Find the times of one unchanging bpm of a slice of plausible readings, for `judge_faults`."""
    is_long = pl.col("occurred_at") - pl.col("since_at") >= timedelta(seconds=UNCHANGING_S)
    return plausible.filter(is_long).group_by("key", "since_at", "bpm").agg(last_at=pl.col("occurred_at").max())


def judge_faults(
    counts: pl.DataFrame, unchanging: pl.DataFrame, paces: pl.DataFrame, readings: pl.DataFrame
) -> pl.DataFrame:
    """Decide which counts are faults, now that all readings of each member are counted.

    `counts` and `unchanging` are what the functions above return, added up; `paces` as of `pace.find_paces`; `readings`
    have `key`, and `times`: the number of readings, implausible ones too.

    Returns a row for each member and fault found, by both, columns as in `FINDINGS`. `what` is `zeros`, `implausible`
    (all others outside the plausible range), `unchanging`, `jumps`, or, of two sensors in turn, `levels` or, only if
    not those, `uneven`; `times` counts unchanging times, jumps, and of the others readings; `first_at` and `last_at`
    are the first and last reading concerned; `low_bpm` and `high_bpm` the lowest and highest value concerned, for
    `unchanging` of the longest; `longest_s` is the longest unchanging time, the longest time that a jump took, else
    null.
    """
    fast_us = pl.col("pace_s").fill_null(1.0).clip(lower_bound=1.0) * JUMP_PACES * MICROSECONDS
    least = pl.col("what").replace_strict({"levels": LEVELS_SHARE, "uneven": UNEVEN_SHARE}, default=0.0)
    counted = (
        counts.lazy()
        .join(paces.lazy(), on="key", how="left")
        .filter((pl.col("what") != "jumps") | (pl.col("step_us") <= fast_us))
        .group_by("key", "what")
        .agg(
            pl.col("times").sum(),
            pl.col("first_at").min(),
            pl.col("last_at").max(),
            pl.col("low_bpm").min(),
            pl.col("high_bpm").max(),
            longest_s=pl.col("step_us").max() / MICROSECONDS,
        )
        .join(readings.lazy().select("key", sent="times"), on="key")
        .filter(pl.col("times") > least * pl.col("sent"))
        .filter((pl.col("what") != "uneven") | ~(pl.col("what") == "levels").any().over("key"))
    )
    length_s = (pl.col("last_at") - pl.col("since_at")).dt.total_microseconds() / MICROSECONDS
    longest_bpm = pl.col("bpm").get(length_s.arg_max())
    still = (
        unchanging.lazy()
        .sort("key", "since_at")
        .group_by("key")
        .agg(
            what=pl.lit("unchanging"),
            times=pl.len().cast(pl.Int64),
            first_at=pl.col("since_at").min(),
            last_at=pl.col("last_at").max(),
            low_bpm=longest_bpm,
            high_bpm=longest_bpm,
            longest_s=length_s.max(),
        )
    )
    found = pl.concat([counted, still], how="diagonal").select(pl.col(name).cast(to) for name, to in FINDINGS.items())
    return found.sort("key", "what").collect()
