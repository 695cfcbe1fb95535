"""Time at bpm: per room, session, member and bpm, the seconds held and the number of readings.

It is the one heavy pass over the data. Its result, the tally, is small (some 200 rows a member) and exact, and the
tallies of separate stretches of time add up. All results of the summary come from it.
"""

from collections.abc import Sequence

import polars as pl

from pulsoid_rec.analysis.metrics.durations import in_seconds
from pulsoid_rec.analysis.metrics.holds import MEMBER
from pulsoid_rec.analysis.metrics.sessions import INSTANT

TALLY = pl.Schema(
    {
        "bpm": pl.Int32(),  # null: all that was not plausible
        "held_us": pl.Int64(),
        "readings": pl.Int64(),
        "duplicates": pl.Int64(),
        "untimely": pl.Int64(),
        "first_at": INSTANT,
        "last_at": INSTANT,
        "held_until_at": INSTANT,  # end of the last one's hold
        "gaps": pl.Int64(),
        "longest_gap_us": pl.Int64(),
    }
)
"""A tally's columns, after those that identify members."""

SCHEMA = pl.Schema(
    {
        "room_id": pl.String(),
        "session": pl.Int64(),
        "profile_id": pl.String(),
        "bpm": pl.Int32(),
        "held_s": pl.Float64(),
        "readings": pl.Int64(),
    }
)


def add_tallies(tallies: Sequence[pl.DataFrame], by: Sequence[str] = MEMBER) -> pl.DataFrame:
    """Add up tallies of separate stretches of time, at least one.

    Returns `by`, the columns that identify one member in one session, and `TALLY`, one row a member and bpm, in no
    order.
    """
    return (
        pl.concat(tallies, how="vertical")
        .group_by(*by, "bpm")
        .agg(
            pl.col("held_us", "readings", "duplicates", "untimely").sum(),
            pl.col("first_at").min(),
            pl.col("last_at", "held_until_at").max(),
            pl.col("gaps").sum(),
            pl.col("longest_gap_us").max(),
        )
    )


def time_at_bpm(tally: pl.DataFrame) -> pl.DataFrame:
    """Convert a tally by room, session and member to the seconds held and the number of readings at each plausible bpm.

    Returns `SCHEMA`, ordered by room, session, member and bpm.
    """
    return (
        tally.filter(pl.col("bpm").is_not_null())
        .with_columns(held_s=in_seconds(pl.col("held_us")))
        .select(*SCHEMA)
        .sort(*MEMBER, "bpm")
    )
