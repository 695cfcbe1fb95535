"""A slice tallied by sorting, holding and grouping columns: what the packed tally is compared with."""

from collections.abc import Sequence

import polars as pl

from pulsoid_rec.analysis.metrics.holds import MEMBER
from pulsoid_rec.analysis.metrics.time_at_bpm import TALLY


def tally_readings(held: pl.DataFrame, duplicates: pl.DataFrame, by: Sequence[str] = MEMBER) -> pl.DataFrame:
    """Count and add up readings by member and bpm.

    Parameters
    ----------
    held
        As `hold_readings` gives them.
    duplicates
        As `sort_and_deduplicate` counted them.
    by
        Columns that tell one member's readings in one session from all others'.

    Returns
    -------
    Columns `by` and `TALLY`, in no order.
    """
    is_plausible = pl.col("plausible_at").is_not_null()
    counted = (
        held.lazy()
        .group_by(*by, pl.when(is_plausible).then("bpm").cast(TALLY["bpm"]))
        .agg(
            held_us=pl.col("held_us").sum(),
            readings=pl.len().cast(pl.Int64),
            duplicates=pl.lit(0, pl.Int64),
            untimely=pl.lit(0, pl.Int64),
            first_at=pl.col("plausible_at").min(),
            last_at=pl.col("plausible_at").max(),
            held_until_at=(pl.col("plausible_at") + pl.duration(microseconds="held_us")).max(),
            gaps=pl.col("gap_us").count().cast(pl.Int64),
            longest_gap_us=pl.col("gap_us").max(),
        )
        .collect()
    )
    return pl.concat([counted, duplicates.select(*by, "duplicates")], how="diagonal").select(*by, *TALLY)


def next_readings(held: pl.DataFrame, by: Sequence[str] = MEMBER, later: pl.DataFrame | None = None) -> pl.DataFrame:
    """Tell what readings before these need to know of them: when each member's next one comes.

    Parameters
    ----------
    held
        As `hold_readings` gives them.
    by
        Columns that tell one member's readings in one session from all others'.
    later
        What this function said of the part after these.

    Returns
    -------
    Columns `by`, `occurred_at` (the member's first reading) and `plausible_at` (the first plausible one, or null).
    """
    columns = [*by, "occurred_at", "plausible_at"]
    parts = [held.select(columns)] if later is None else [held.select(columns), later.select(columns)]
    return pl.concat(parts).group_by(by).agg(pl.col("occurred_at").min(), pl.col("plausible_at").min())
