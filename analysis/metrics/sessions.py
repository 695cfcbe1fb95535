"""Sessions: readings of a room with no long silence of all its members between them, numbered by their receipt."""

import polars as pl

INSTANT = pl.Datetime("us", "UTC")

SCHEMA = pl.Schema(
    {
        "room_id": pl.String(),
        "session": pl.Int64(),
        "started_at": INSTANT,
        "ended_at": INSTANT,
        "members": pl.Int64(),
        "readings": pl.Int64(),
        "first_received_at": INSTANT,
        "last_received_at": INSTANT,
    }
)


def number_stretches(stretches: pl.DataFrame, session_gap_us: int) -> pl.DataFrame:
    """Add the number of the session that each stretch of readings belongs to.

    `stretches` have `room_id`, `first_at`, `last_at`, `first_received_at` and any other columns: one or more timely
    readings a row, with no silence longer than `session_gap_us` within it. All of the room are needed, of all members
    and plausible or not, or the numbers would change.

    Returns the same rows, ordered by room and first instant, with `session` (Int64) added: from 1, in the order of the
    first receipt of each session, so that readings received later do not change the numbers of those before.
    """
    silence = pl.col("first_at") - pl.col("last_at").cum_max().shift(1)
    begins = silence.dt.total_microseconds() > session_gap_us
    found = stretches.sort("room_id", "first_at", "last_at").with_columns(
        place=begins.fill_null(value=False).cast(pl.Int64).cum_sum().over("room_id")
    )
    numbers = (
        found.group_by("room_id", "place")
        .agg(pl.col("first_received_at").min())
        .sort("room_id", "first_received_at", "place")
        .select("room_id", "place", session=pl.int_range(1, pl.len() + 1).over("room_id"))
    )
    return found.join(numbers, on=["room_id", "place"], maintain_order="left").drop("place")


def list_sessions(stretches: pl.DataFrame) -> pl.DataFrame:
    """List the sessions that numbered stretches make up: `SCHEMA`, ordered by room and session.

    `stretches` are as `number_stretches` returns them, with `profile_id`, `last_received_at` and `readings` (a count)
    as well.
    """
    return (
        stretches.group_by("room_id", "session")
        .agg(
            started_at=pl.col("first_at").min(),
            ended_at=pl.col("last_at").max(),
            members=pl.col("profile_id").n_unique().cast(pl.Int64),
            readings=pl.col("readings").sum().cast(pl.Int64),
            first_received_at=pl.col("first_received_at").min(),
            last_received_at=pl.col("last_received_at").max(),
        )
        .sort("room_id", "session")
        .select(*SCHEMA)
        .cast(SCHEMA)
    )
