"""Who the members are: the names they go by, and what is known of them."""

from collections import Counter

import polars as pl

from pulsoid_rec.analysis.metrics.zones import hr_max_of
from pulsoid_rec.recorder.contract.display import is_visible, look_of, plain

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

_ID_CHARACTERS = 8

NAME = pl.coalesce("given_name", "config_name", pl.col("profile_id").str.head(_ID_CHARACTERS))
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
    """Return a label for each member, fit to be displayed, no two of which look the same.

    It is the name, with the id's beginning, or all of the id, if others of that look are there. `summary` has
    `profile_id` and `name`; labels are by profile id, in the order of its rows.
    """
    names = {
        id_: plain(name) if is_visible(name) else _show_id(id_[:_ID_CHARACTERS])
        for id_, name in summary.select("profile_id", "name").iter_rows()
    }
    label = dict(names)
    for characters in (_ID_CHARACTERS, None):
        looks = {id_: look_of(text) for id_, text in label.items()}
        times = Counter(looks.values())
        label |= {id_: f"{names[id_]} ({_show_id(id_[:characters])})" for id_, look in looks.items() if times[look] > 1}
    return label


def _show_id(id_: str) -> str:
    return id_ if id_ == look_of(id_) else ascii(id_)  # all of what differs is to be seen
