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
_EDGES_US = (1 - LAST_US, 1, *LATER_US)  # of both windows, the end itself being in the first
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
    is_other = pl.any_horizontal(pl.col(column).ne_missing(pl.col(column).shift(1)) for column in by)
    silence_us = pl.col("occurred_at").diff().dt.total_microseconds()
    is_effort = pl.col("is_effort")
    seen = (
        readings.filter(is_plausible & pl.col("hr_max").is_not_null())
        .sort(by, maintain_order=True)
        .with_columns(
            is_effort=reaches(pl.col("bpm"), pl.col("hr_max"), EFFORT_PERCENT),
            is_apart=is_other | (silence_us > definitions.max_hold_us),  # from the one before
        )
        .with_columns(begins=pl.col("is_apart") | is_effort.ne_missing(is_effort.shift(1)))
        .with_columns(pl.col("begins").shift(-1, fill_value=True).alias("ends"))
        .with_columns(is_ended=~pl.col("is_apart").shift(-1, fill_value=True))
    )
    starts = seen.filter(is_effort & pl.col("begins")).select(started_at="occurred_at")
    ends = seen.filter(is_effort & pl.col("ends")).select(*by, "is_ended", ended_at="occurred_at")
    lasted_us = (pl.col("ended_at") - pl.col("started_at")).dt.total_microseconds()
    efforts = pl.concat([starts, ends], how="horizontal").filter("is_ended", lasted_us >= EFFORT_US)
    return _with_fall(efforts.select(*by, "ended_at"), seen, by)


def _with_fall(efforts: pl.DataFrame, seen: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Add the fall from the mean at each effort's end to that a minute later.

    The mean of a window is the difference of the cumulative sums at its two ends.
    """
    sums = (
        seen.select(*by, "occurred_at", sum_bpm=pl.col("bpm").cast(pl.Int64).cum_sum(), count=pl.int_range(pl.len()))
        .join(efforts, on=by, how="semi", maintain_order="left")
        .sort("occurred_at", maintain_order=True)
    )
    edges = pl.LazyFrame({"edge": range(len(_EDGES_US)), "after_us": _EDGES_US})
    before = (
        efforts.lazy()
        .with_row_index("effort")
        .join(edges, how="cross")
        .with_columns(edge_at=pl.col("ended_at") + pl.duration(microseconds="after_us"))
        .sort("edge_at")
        .join_asof(
            sums.lazy(),
            left_on="edge_at",
            right_on="occurred_at",
            by=by,
            strategy="backward",
            allow_exact_matches=False,
            check_sortedness=False,  # sorted by time just above
        )
        .sort("edge", "effort")
        .select("edge", "sum_bpm", "count")
        .collect()
    )
    from_, to, later_from, later_to = (before.filter(edge=edge).drop("edge") for edge in range(len(_EDGES_US)))
    last_bpm, later_bpm = (
        (until - since).select(pl.when(pl.col("count") > 0).then(pl.col("sum_bpm") / pl.col("count"))).to_series()
        for since, until in ((from_, to), (later_from, later_to))
    )
    return efforts.with_columns(fall_bpm=last_bpm - later_bpm)


def may_have_effort(tally: pl.DataFrame, people: pl.DataFrame, definitions: Definitions) -> pl.DataFrame:
    """Select the members who can have an effort, by how many of their readings are at or above 70 % of HRmax.

    In an effort none is more than `max_hold_s` after the one before. `tally` is that of whole sessions: `MEMBER` and
    `time_at_bpm.TALLY`; `people` have `MEMBER` and `hr_max`. Returns some of their rows.
    """
    fewest = -(-EFFORT_US // definitions.max_hold_us) + 1
    high = tally.join(people, on=MEMBER).filter(reaches(pl.col("bpm"), pl.col("hr_max"), EFFORT_PERCENT))
    enough = high.group_by(MEMBER).agg(pl.col("readings").sum()).filter(pl.col("readings") >= fewest)
    return people.join(enough, on=MEMBER, how="semi")


def largest_falls(falls: pl.DataFrame, by: Sequence[str] = MEMBER) -> pl.DataFrame:
    """Find each member's largest fall, of those that `find_falls` returns.

    Returns columns `by` and `hrr60`: a row for each member with an effort, null if readings cover no fall.
    """
    return falls.group_by(by).agg(hrr60=pl.col("fall_bpm").max())
