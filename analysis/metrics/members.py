"""Who the members are: their names, and what `members.toml` says of them."""

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polars as pl

from pulsoid_rec.analysis.metrics.zones import hr_max_of
from pulsoid_rec.recorder.contract.errors import UsageError

FILE_NAME = "members.toml"
"""Looked for beside the database."""

KEYS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "name": ((str,), "a text"),
    "birth_year": ((int,), "a year such as 1990"),
    "sex": ((str,), '"female" or "male"'),
    "hr_max": ((int, float), "beats per minute, from 60 to 250"),
    "hr_rest": ((int, float), "beats per minute, from 20 to 150"),
}
"""What may be said of a member: its types, and what it is."""

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

_EARLIEST_BIRTH_YEAR = 1900
_BOUNDS = {"hr_max": (60, 250), "hr_rest": (20, 150)}
_ID_CHARACTERS = 8

NAME = pl.coalesce("given_name", "config_name", pl.col("profile_id").str.head(_ID_CHARACTERS))
"""A member's name: the file's, else the config's, else the id's first 8 characters."""


def read_members(path: Path) -> pl.DataFrame:
    """Read a members file: a table per profile id.

    Parameters
    ----------
    path
        A TOML file that exists.

    Returns
    -------
    `SCHEMA`, one row a member in the file's order, null where nothing is said.

    Raises
    ------
    UsageError
        The file cannot be read, is not TOML, or says something that cannot be.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = str(error).replace("end of document", f"its end, line {len(text.splitlines())}")
        raise UsageError(f"{path} is not valid TOML: {where}", "Mend that line.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text", "Save it as UTF-8.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "Name a members file with --members.") from error
    return pl.DataFrame([_parse_member(path, *item) for item in content.items()], schema=SCHEMA, orient="row")


def _parse_member(path: Path, profile_id: str, said: Any) -> tuple[Any, ...]:
    """Check all that is said of one member."""
    where = f"{path}, member {profile_id!r}"
    if not isinstance(said, dict):
        raise UsageError(
            f"{path}: {profile_id!r} stands outside of any member",
            'Put it below a line with the member\'s profile id, such as ["user-1"].',
        )
    for key, value in said.items():
        _check(where, key, value)
    if said.get("hr_rest", 0) >= said.get("hr_max", float("inf")):
        raise UsageError(f"{where}: hr_rest is not below hr_max", "Mend one of the two.")
    name = said.get("name")
    return (
        profile_id,
        name.strip() if name is not None else None,
        said.get("birth_year"),
        said.get("sex"),
        said.get("hr_max"),
        said.get("hr_rest"),
    )


def _check(where: str, key: str, value: Any) -> None:
    """Raise unless the key is known and its value can be."""
    if key not in KEYS:
        near = get_close_matches(key, KEYS, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known keys are {', '.join(KEYS)}."
        raise UsageError(f"{where}: unknown key {key!r}", hint)
    types, meaning = KEYS[key]
    if not isinstance(value, types) or isinstance(value, bool) or not _can_be(key, value):
        raise UsageError(f"{where}: {key} cannot be {value!r}", f"It is {meaning}.")


def _can_be(key: str, value: Any) -> bool:
    """Tell whether a value of the right type makes sense."""
    if key in _BOUNDS:
        lowest, highest = _BOUNDS[key]
        return bool(lowest <= value <= highest)
    if key == "birth_year":
        return bool(_EARLIEST_BIRTH_YEAR <= value <= datetime.now(UTC).year)
    if key == "sex":
        return value in {"female", "male"}
    return bool(value.strip())


def describe_members(present: pl.DataFrame, config_names: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Put together what is known of each member.

    Parameters
    ----------
    present
        `room_id`, `session`, `profile_id`, and `started_at` of the session, one row a member and session.
    config_names
        `room_id`, `profile_id`, `config_name`: the text `name` of the latest config that has one.
    members
        `SCHEMA`.

    Returns
    -------
    The same rows with `name` (as `NAME` says), `hr_max` and `hr_max_source` (as `zones.hr_max_of` works them out for
    the year, UTC, in which the session began), `sex`, `hr_rest`.
    """
    described = (
        present.join(config_names, on=["room_id", "profile_id"], how="left")
        .join(members, on="profile_id", how="left")
        .with_columns(year=pl.col("started_at").dt.year(), name=NAME)
    )
    return hr_max_of(described).select(*present.columns, "name", "hr_max", "hr_max_source", "sex", "hr_rest")


def labels(summary: pl.DataFrame) -> dict[str, str]:
    """Give each member a label that no other has: the name, with the id's beginning where two share a name.

    Parameters
    ----------
    summary
        Rows with `profile_id` and `name`.

    Returns
    -------
    dict of str to str
        Labels by profile id, in the order of the rows; empty for no rows.
    """
    names = dict(summary.select("profile_id", "name").iter_rows())
    values = list(names.values())
    unique = {id_: name if values.count(name) == 1 else f"{name} ({id_[:8]})" for id_, name in names.items()}
    values = list(unique.values())
    return {id_: label if values.count(label) == 1 else f"{names[id_]} ({id_})" for id_, label in unique.items()}
