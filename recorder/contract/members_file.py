"""`members.toml`, in which a recording's owner describes the members: found, read, and checked by msgspec."""

import tomllib
from datetime import UTC, date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pulsoid_rec.recorder.contract.definitions import hr_max_from_age
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.owned_files import open_file

FILE_NAME = "members.toml"
"""Its name, beside the database."""
WITHDRAWN = "withdrawn"
"""What a member's `consent` says instead of the day on which it was given."""


class Member(msgspec.Struct, forbid_unknown_fields=True):
    """A member's table in `members.toml`; every line is optional."""

    name: Annotated[str, Meta(pattern=r"\S")] | None = None
    birth_year: Annotated[int, Meta(ge=1900)] | None = None
    sex: Literal["female", "male"] | None = None
    hr_max: Annotated[float, Meta(ge=60, le=250)] | None = None
    hr_rest: Annotated[float, Meta(ge=20, le=150)] | None = None
    consent: Any = None  # a date, or WITHDRAWN; msgspec knows no union of the two

    def __post_init__(self) -> None:
        """Check rules that the types cannot express."""
        if self.birth_year is not None and self.birth_year > datetime.now(UTC).year:
            raise ValueError("birth_year is in the future")
        if self.hr_rest is not None and self.hr_max is not None and self.hr_rest >= self.hr_max:
            raise ValueError("hr_rest is not below hr_max")
        if self.consent not in (None, WITHDRAWN) and type(self.consent) is not date:
            raise ValueError(f"consent cannot be {str(self.consent)!r}: it is {_MEANINGS['consent']}")

    def hr_max_in(self, year: int) -> float | None:
        """Return HRmax in a year, to a tenth: the given one, else from age, else None."""
        if self.hr_max is not None:
            return round(self.hr_max, 1)
        if self.birth_year is None or year < self.birth_year:
            return None
        return float(round(hr_max_from_age(year - self.birth_year), 1))


_MEANINGS = {
    "name": "a text",
    "birth_year": "a year such as 1990",
    "sex": '"female" or "male"',
    "hr_max": "beats per minute, from 60 to 250",
    "hr_rest": "beats per minute, from 20 to 150",
    "consent": 'the day on which it was given, such as 2026-03-01, or "withdrawn"',
}


def find_members_file(database: Path, named: Path | None = None) -> Path | None:
    """Return the members file named, else the one beside the database, else None."""
    beside = database.with_name(FILE_NAME)
    return named if named is not None else beside if beside.is_file() else None


def read_members_file(path: Path) -> dict[str, Member]:
    """Read a members file; return the members by profile id, in the file's order.

    Raises `UsageError` if the file cannot be read, is not TOML, or has an invalid line.
    """
    try:
        with open(path, encoding="utf-8-sig", opener=open_file) as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text", "Save it as UTF-8.") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"Cannot read {path}: {reason}", "Choose another members file with --members.") from error
    return parse_members(text, str(path))


def parse_members(text: str, source: str) -> dict[str, Member]:
    """Parse a members file: TOML, a table per profile id; `source` is its name, for messages.

    Returns the members by profile id, in order. Raises `UsageError` if it is not TOML, or a value is invalid.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = str(error).replace("end of document", f"its end, line {len(text.splitlines())}")
        raise UsageError(f"{source} is not valid TOML: {where}", "Correct that line.") from error
    return {profile_id: _parse_member(table, profile_id, source) for profile_id, table in content.items()}


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
