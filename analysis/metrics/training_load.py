"""Training load (TRIMP), by Edwards and by Banister."""

import polars as pl

from pulsoid_rec.analysis.metrics.definitions import MICROSECONDS
from pulsoid_rec.analysis.metrics.zones import zone_of

_MINUTES = pl.col("held_us") / (60 * MICROSECONDS)

BANISTER_FACTORS = {"male": (0.64, 1.92), "female": (0.86, 1.67)}
"""Weight and exponent by sex (Banister 1991; Morton et al. 1990)."""


def training_loads(held: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Sum each member's training load.

    `held` has `bpm`, `held_us`, `hr_max`, `hr_rest`, `sex` and `by`, the columns that identify members: plausible heart
    rates of members whose HRmax is known.

    Returns columns `by`, `trimp_edwards` and `trimp_banister` (Float64), one row a member. Banister's is null unless
    resting heart rate and sex are known, and HRmax is above the resting heart rate.

    Edwards, S. (1993). The Heart Rate Monitor Book: minutes in each zone times its number. Banister, E. W. (1991).
    Modeling elite athletic performance: minutes times x times a weight that grows with x, x = (bpm - rest) / (max -
    rest), not below 0.
    """
    edwards = _MINUTES * zone_of(pl.col("bpm"), pl.col("hr_max"))
    reserve = pl.col("hr_max") - pl.col("hr_rest")
    x = pl.when(reserve > 0).then((pl.col("bpm") - pl.col("hr_rest")) / reserve).clip(lower_bound=0)
    weight = pl.col("sex").replace_strict({sex: a for sex, (a, _) in BANISTER_FACTORS.items()}, return_dtype=pl.Float64)
    growth = pl.col("sex").replace_strict({sex: k for sex, (_, k) in BANISTER_FACTORS.items()}, return_dtype=pl.Float64)
    banister = _MINUTES * x * weight * (growth * x).exp()
    return (
        held.with_columns(edwards=edwards, banister=banister)
        .group_by(by)
        .agg(
            trimp_edwards=pl.col("edwards").sum(),
            # Without the condition, an unknown load would be 0.
            trimp_banister=pl.when(pl.col("banister").count() > 0).then(pl.col("banister").sum()),
        )
    )
