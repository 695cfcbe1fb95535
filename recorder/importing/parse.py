"""Parse a row of a file into a reading. Pure."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.importing.columns import Columns
from pulsoid_rec.recorder.importing.instants import Instants

_WHOLE = re.compile(r"(-?\d{1,10})(?:[.,]0*)?", re.ASCII)
_LARGEST = 2**31 - 1  # of an INTEGER
_MOST_MEMBERS = DEFAULT_LIMITS.import_members
_NOTHING = {"", "-", "--", "nan", "na", "n/a", "null", "none"}


class Member(NamedTuple):
    """Whom a reading is of. Without a `name` it is unknown, or is what is shown of the id anyway."""

    room_id: str
    profile_id: str
    name: str | None


Reading = tuple[Member, int, int, str]
"""Member, bpm, when it occurred (microseconds since 1970), and what the file says of its receipt, or nothing."""

ParseRow = Callable[[list[str]], Reading | None]
"""Parses the cells of a row; None if there is no bpm in it. Raises `ValueError` with the reason it cannot be parsed."""


def row_parser(columns: Columns, instants: Instants, room_id: str | None, member: str | None) -> ParseRow:
    """Return what parses the rows of a file; `room_id` and `member`, if given, are those of all."""
    places = columns.places
    time, bpm, date, received = places["time"], places["bpm"], places.get("date"), places.get("received_at")
    people: dict[tuple[str, ...], Member] = {}
    who = [places[meaning] for meaning in ("room_id", "member", "name") if meaning in places]

    def parse_row(cells: list[str]) -> Reading | None:
        if (value := parse_bpm(cells[bpm])) is None:
            return None
        at = cells[time].strip()
        if date is not None:
            at = f"{cells[date].strip()} {at}"
        if not at or at.isspace():
            raise ValueError("it has no time")
        key = tuple([cells[place] for place in who])
        if (found := people.get(key)) is None:
            found = people[key] = _parse_member(columns, cells, room_id, member)
            if len(people) > _MOST_MEMBERS:
                raise UsageError(
                    f"Column {columns.name('member')!r} names more than {_MOST_MEMBERS:,} members",
                    "Name the column of the members with --member-column.",
                )
        return found, value, instants.parse(at), cells[received] if received is not None else ""

    return parse_row


@lru_cache  # there are few
def parse_bpm(text: str) -> int | None:
    """Parse a heart rate; None for an empty cell, by whatever word; raise `ValueError` if it is no whole number."""
    text = text.strip()
    if text.casefold() in _NOTHING:
        return None
    if not (found := _WHOLE.fullmatch(text)):
        raise ValueError(f"its bpm {text[:20]!r} is not a whole number")
    if abs(bpm := int(found[1])) > _LARGEST:
        raise ValueError(f"its bpm {text[:20]} is too large")
    return bpm


def _parse_member(columns: Columns, cells: list[str], room_id: str | None, member: str | None) -> Member:
    def cell(meaning: str) -> str:
        return cells[columns.places[meaning]] if meaning in columns.places else ""

    room_id = room_id or cell("room_id")
    profile_id = member or (cell("member") if columns.has_ids else cell("member").strip())
    for what, text in (("room", room_id), ("member", profile_id)):
        if not text.strip():
            raise ValueError(f"it has no {what}")
        if len(text) > DEFAULT_LIMITS.id_chars:
            raise ValueError(f"the id of its {what} has more than {DEFAULT_LIMITS.id_chars} characters")
        if _is_broken(text):
            raise ValueError(f"the id of its {what} is not UTF-8 text; save the file as UTF-8")
    name = cell("name") or ("" if columns.has_ids else profile_id)
    is_known = (
        name.strip() and name != profile_id[:8] and not _is_broken(name)
    )  # else those 8 characters are shown anyway
    return Member(room_id, profile_id, name.strip()[: DEFAULT_LIMITS.name_chars] if is_known else None)


def _is_broken(text: str) -> bool:
    """Return whether a text has bytes that are not UTF-8."""
    return not text.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in text)
