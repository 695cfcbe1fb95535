"""Readings on a grid of time: a row a second, a column a member, and null wherever no reading holds."""

from collections.abc import Mapping

import polars as pl

from pulsoid_rec.analysis.metrics.definitions import MICROSECONDS
from pulsoid_rec.analysis.metrics.holds import MEMBER
from pulsoid_rec.analysis.metrics.members import labels
from pulsoid_rec.analysis.metrics.sessions import INSTANT

_TEXTS = {"profile_id": pl.String(), "column": pl.String()}

INDEX = pl.Schema({"room_id": pl.String(), "session": pl.Int64(), "at": INSTANT})
"""The columns of a grid before its members'."""


def make_grid(held: pl.DataFrame, sessions: pl.DataFrame, columns: Mapping[str, str], every_s: int = 1) -> pl.DataFrame:
    """Sample readings on a grid of time, a row every so many seconds since 1970 (UTC).

    A cell is the member's reading that holds at that instant: a sample, not a mean. A reading holds until the member's
    next one, for at most `max_hold_s`, so gaps stay null. `held` is as `holds.hold_readings` returns it; `sessions` are
    those that rows are made for: `room_id`, `session`, and `from_at` and `until_at`, both inclusive; `columns` are the
    members', in order: names by profile id, all different and none of `INDEX`.

    Returns `INDEX`, then a column of Int32 for each member, ordered by room, session and time; a row for each instant
    of a session, even without any reading. No sessions give no rows.
    """
    begins_us = pl.col("occurred_at").dt.epoch("us")
    plausible = held.filter(pl.col("plausible_at").is_not_null())
    samples = _expand(plausible, [*MEMBER, "bpm"], begins_us, begins_us + pl.col("held_us"), every_s).join(
        pl.DataFrame({"profile_id": list(columns), "column": list(columns.values())}, schema_overrides=_TEXTS),
        on="profile_id",
    )
    cells = samples.pivot(on="column", index=list(INDEX), values="bpm")
    from_us, until_us = (pl.col(name).dt.epoch("us") for name in ("from_at", "until_at"))
    rows = _expand(sessions, ["room_id", "session"], from_us, until_us + 1, every_s).cast(INDEX).sort(*INDEX)
    rows = rows.join(cells, on=list(INDEX), how="left", maintain_order="left")
    return rows.select(
        *INDEX,
        *(
            (pl.col(name) if name in cells.columns else pl.lit(None)).cast(pl.Int32).alias(name)
            for name in columns.values()
        ),
    )


def column_names(members: pl.DataFrame) -> dict[str, str]:
    """Return the members' column names by profile id, ordered by name; all different, and none of `INDEX`.

    `members` has `profile_id` and `name`, in any order, with repetitions.
    """
    # A member with different names in two rooms has one column.
    people = members.select("profile_id", "name").sort("name", "profile_id").unique("profile_id", maintain_order=True)
    named = labels(people)
    return {id_: f"{name} ({id_[:8]})" if name in INDEX else name for id_, name in named.items()}


def _expand(rows: pl.DataFrame, keep: list[str], from_us: pl.Expr, until_us: pl.Expr, every_s: int) -> pl.DataFrame:
    """Repeat each row for every instant `at` of the grid from `from_us` (inclusive) to `until_us` (exclusive)."""
    step_us = every_s * MICROSECONDS
    first, end = (-((-us) // step_us) for us in (from_us, until_us))
    return (
        rows.select(*keep, first=first, end=end)
        .filter(pl.col("first") < pl.col("end"))
        .select(*keep, at=pl.int_ranges("first", "end"))
        .explode("at")
        .with_columns((pl.col("at") * step_us).cast(INSTANT))
    )
