"""Heart-rate zones, and the highest heart rate (HRmax) they are based on."""

import polars as pl

from pulsoid_rec.analysis.metrics.durations import in_seconds
from pulsoid_rec.recorder.contract.definitions import ZONE_PERCENTS, hr_max_from_age

ZONES = range(6)


def zone_of(bpm: pl.Expr, hr_max: pl.Expr) -> pl.Expr:
    """Return the zone of a heart rate, 0 to 5; bpm is whole, HRmax to a tenth.

    Compared as whole numbers: with floats, rounding could put a heart
    rate that is exactly a zone's lower bound below that zone.
    """
    begun = [reaches(bpm, hr_max, percent).cast(pl.Int8) for percent in ZONE_PERCENTS]
    return sum(begun, start=pl.lit(0, pl.Int8))


def reaches(bpm: pl.Expr, hr_max: pl.Expr, percent: int) -> pl.Expr:
    """Return whether a heart rate is at or above a percentage of HRmax; parameters as of `zone_of`."""
    return bpm.cast(pl.Int64) * 1000 >= (hr_max * 10).round().cast(pl.Int64) * percent


def time_in_zones(held: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Sum the seconds in each zone: columns `by` and `zone0_s` to `zone5_s`, one row a member.

    `held` has `bpm`, `held_us`, `hr_max` and `by`, the columns that identify members: plausible heart rates of those
    whose HRmax is known.
    """
    zone = zone_of(pl.col("bpm"), pl.col("hr_max"))
    in_zone = {f"zone{n}_s": in_seconds(pl.col("held_us").filter(pl.col("zone") == n).sum()) for n in ZONES}
    return held.with_columns(zone=zone).group_by(by).agg(**in_zone)


def hr_max_of(members: pl.DataFrame) -> pl.DataFrame:
    """Compute each member's HRmax: the given one, else from age, else null.

    `members` have `given_hr_max` Float64, `birth_year` Int64, both null where unknown, and `year` Int32: that of the
    session. Returns the same rows with `hr_max` (Float64, to a tenth of a beat per minute) and `hr_max_source`
    (`given`, `age`, null).
    """
    age = pl.col("year") - pl.col("birth_year")
    from_age = pl.when(age >= 0).then(hr_max_from_age(age).round(1))
    given = pl.col("given_hr_max").round(1)
    return members.with_columns(
        hr_max=pl.coalesce(given, from_age),
        hr_max_source=pl.when(given.is_not_null())
        .then(pl.lit("given"))
        .when(from_age.is_not_null())
        .then(pl.lit("age")),
    )
