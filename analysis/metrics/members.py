"""Who the members are: the names they go by, and what is known of them."""

import polars as pl

from pulsoid_rec.analysis.metrics.zones import hr_max_of
from pulsoid_rec.recorder.contract.member_labels import ID_CHARACTERS, label_members

SCHEMA = pl.Schema(
    {
        "profile_id": pl.String(),
        "given_name": pl.String(),
        "birth_year": pl.Int64(),
        "sex": pl.String(),
        "given_hr_max": pl.Float64(),
        "hr_rest": pl.Float64(),
    }
)

NAME = pl.coalesce("given_name", "config_name", pl.col("profile_id").str.head(ID_CHARACTERS))
"""A member's name: the file's, else the config's, else the id's first 8 characters."""


def describe_members(present: pl.DataFrame, config_names: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Combine what is known of each member: names, and the HRmax in the year of the session.

    `present` has `room_id`, `session`, `profile_id`, and `started_at` of the session, one row a member and session;
    `config_names` `room_id`, `profile_id`, and `config_name`, that of the latest config that has one; `members` is
    `SCHEMA`.

    Returns the same rows with `name` (`NAME`), `hr_max` and `hr_max_source` (as `zones.hr_max_of` computes them for the
    year, UTC, in which the session began), `sex`, `hr_rest`.
    """
    described = (
        present.join(config_names, on=["room_id", "profile_id"], how="left")
        .join(members, on="profile_id", how="left")
        .with_columns(year=pl.col("started_at").dt.year(), name=NAME)
    )
    return hr_max_of(described).select(*present.columns, "name", "hr_max", "hr_max_source", "sex", "hr_rest")


def labels(summary: pl.DataFrame) -> dict[str, str]:
    """Label the members of a summary as `label_members` does: by profile id, in the order of its rows."""
    return label_members(dict(summary.select("profile_id", "name").iter_rows()))
