"""`members.toml`: what it may say of each member, checked by msgspec."""

import tomllib
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Any, Literal

import msgspec
import polars as pl
from msgspec import Meta

from pulsoid_rec.analysis.metrics.members import SCHEMA
from pulsoid_rec.recorder.contract.errors import UsageError


class Member(msgspec.Struct, forbid_unknown_fields=True):
    """A member's table in `members.toml`; every line is optional."""

    name: Annotated[str, Meta(pattern=r"\S")] | None = None
    birth_year: Annotated[int, Meta(ge=1900)] | None = None
    sex: Literal["female", "male"] | None = None
    hr_max: Annotated[float, Meta(ge=60, le=250)] | None = None
    hr_rest: Annotated[float, Meta(ge=20, le=150)] | None = None

    def __post_init__(self) -> None:
        """Check rules that the types cannot express."""
        if self.birth_year is not None and self.birth_year > datetime.now(UTC).year:
            raise ValueError("birth_year is in the future")
        if self.hr_rest is not None and self.hr_max is not None and self.hr_rest >= self.hr_max:
            raise ValueError("hr_rest is not below hr_max")


_MEANINGS = {
    "name": "a text",
    "birth_year": "a year such as 1990",
    "sex": '"female" or "male"',
    "hr_max": "beats per minute, from 60 to 250",
    "hr_rest": "beats per minute, from 20 to 150",
}


def parse_members(text: str, source: str) -> pl.DataFrame:
    """Parse a members file: TOML, a table per profile id; `source` is its name, for messages.

    Returns `SCHEMA`, one row a member in the file's order, null for keys that are missing. Raises `UsageError` if it is
    not TOML, or a value is invalid.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = str(error).replace("end of document", f"its end, line {len(text.splitlines())}")
        raise UsageError(f"{source} is not valid TOML: {where}", "Correct that line.") from error
    members = ((profile_id, _parse_member(table, profile_id, source)) for profile_id, table in content.items())
    rows = [(id_, m.name and m.name.strip(), m.birth_year, m.sex, m.hr_max, m.hr_rest) for id_, m in members]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _parse_member(table: Any, profile_id: str, source: str) -> Member:
    if not isinstance(table, dict):
        raise UsageError(
            f"{source}: {profile_id!r} is not in any member's table",
            'Put it below a line with the member\'s profile id, such as ["user-1"].',
        )
    where = f"{source}, member {profile_id!r}"
    if unknown := [key for key in table if key not in _MEANINGS]:
        near = get_close_matches(unknown[0], _MEANINGS, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known keys are {', '.join(_MEANINGS)}."
        raise UsageError(f"{where}: unknown key {unknown[0]!r}", hint)
    try:
        return msgspec.convert(table, Member)
    except msgspec.ValidationError as error:
        key = str(error).rpartition("$.")[2].rstrip("`")
        if key not in table:  # a rule of `__post_init__`
            raise UsageError(f"{where}: {error}", "Correct the file.") from None
        raise UsageError(f"{where}: {key} cannot be {table[key]!r}", f"It is {_MEANINGS[key]}.") from None
