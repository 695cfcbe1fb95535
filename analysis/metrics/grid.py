"""Readings on a grid of time: a row a second, a column a member, and null wherever no reading holds."""

from collections.abc import Mapping

import polars as pl

from pulsoid_rec.analysis.metrics.definitions import MICROSECONDS
from pulsoid_rec.analysis.metrics.members import labels
from pulsoid_rec.analysis.metrics.sessions import INSTANT

_TEXTS = {"profile_id": pl.String(), "column": pl.String()}

INDEX = pl.Schema({"room_id": pl.String(), "session": pl.Int64(), "at": INSTANT})
"""The columns of a grid before its members'."""


def make_grid(held: pl.DataFrame, sessions: pl.DataFrame, columns: Mapping[str, str], every_s: int = 1) -> pl.DataFrame:
    """Lay readings on a grid.

    A cell holds the value of the member's reading that holds at that very instant; it is a sample, not a mean. A
    reading holds from its instant until the member's next one, at most `max_hold_s`, so that no gap is ever bridged.

    Parameters
    ----------
    held
        As `holds.hold_readings` gives them: `room_id`, `session`, `profile_id`, `occurred_at`, `plausible_at`,
        `held_us`, `bpm`.
    sessions
        Sessions to lay rows for: `room_id`, `session`, and `from_at` and `until_at`, both inclusive.
    columns
        The members' columns, in order: names by profile id, all different and none of `INDEX`.
    every_s
        Seconds from row to row, whole. Rows stand at multiples of it since 1970, in UTC: a grid of another recording
        has the same.

    Returns
    -------
    `INDEX`, then a column of Int32 for each member, ordered by room, session and time; a row for each instant of a
    session, whoever was there. No sessions, no rows.
    """
    samples = sample_holds(held, every_s).join(
        pl.DataFrame({"profile_id": list(columns), "column": list(columns.values())}, schema_overrides=_TEXTS),
        on="profile_id",
    )
    cells = samples.pivot(on="column", index=list(INDEX), values="bpm")
    rows = _rows(sessions, every_s).join(cells, on=list(INDEX), how="left", maintain_order="left")
    return rows.select(
        *INDEX,
        *(
            (pl.col(name) if name in cells.columns else pl.lit(None)).cast(pl.Int32).alias(name)
            for name in columns.values()
        ),
    )


def column_names(members: pl.DataFrame) -> dict[str, str]:
    """Name the members' columns, by profile id: their names, with the id's beginning where that is not enough.

    Parameters
    ----------
    members
        `profile_id` and `name`, in any order and as often as may be.

    Returns
    -------
    dict of str to str
        In the order of names; none alike, and none of `INDEX`.
    """
    # The same person may go by two names in two rooms, and has one column all the same.
    people = members.select("profile_id", "name").sort("name", "profile_id").unique("profile_id", maintain_order=True)
    named = labels(people)
    return {id_: f"{name} ({id_[:8]})" if name in INDEX else name for id_, name in named.items()}


def sample_holds(held: pl.DataFrame, every_s: int = 1) -> pl.DataFrame:
    """Say at which instants of the grid each plausible reading holds.

    Parameters
    ----------
    held, every_s
        As of `make_grid`.

    Returns
    -------
    `room_id`, `session`, `profile_id`, `at`, `bpm`: a row for each instant, none twice for a member; in no order.
    """
    step_us = every_s * MICROSECONDS
    begins_us = pl.col("occurred_at").dt.epoch("us")
    # The first instant not before a reading, and the first not before its end, counted in steps.
    first, end = (-((-us) // step_us) for us in (begins_us, begins_us + pl.col("held_us")))
    return (
        held.filter(pl.col("plausible_at").is_not_null())
        .select("room_id", "session", "profile_id", "bpm", first=first, end=end)
        .filter(pl.col("first") < pl.col("end"))
        .with_columns(at=pl.int_ranges("first", "end"))
        .explode("at")
        .select("room_id", "session", "profile_id", _instant(pl.col("at"), step_us), "bpm")
    )


def _rows(sessions: pl.DataFrame, every_s: int) -> pl.DataFrame:
    step_us = every_s * MICROSECONDS
    first = -((-pl.col("from_at").dt.epoch("us")) // step_us)
    end = pl.col("until_at").dt.epoch("us") // step_us + 1
    return (
        sessions.select("room_id", "session", first=first, end=end)
        .filter(pl.col("first") < pl.col("end"))
        .with_columns(at=pl.int_ranges("first", "end"))
        .explode("at")
        .select("room_id", "session", _instant(pl.col("at"), step_us))
        .cast(INDEX)
        .sort(*INDEX)
    )


def _instant(step: pl.Expr, step_us: int) -> pl.Expr:
    return (step * step_us).cast(INSTANT).alias("at")
