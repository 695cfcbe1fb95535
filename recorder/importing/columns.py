"""Which column of a file means what: by its name, or as the user says. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pulsoid_rec.recorder.contract.errors import UsageError

_NAMES = {
    "bpm": ("bpm", "heartrate", "hr", "heartratebpm", "pulse", "herzfrequenz", "puls"),
    "time": ("occurredat", "timestamp", "datetime", "dateandtime", "timestamputc", "time", "zeit", "uhrzeit", "times"),
    "date": ("date", "day", "datum"),
    "member": ("profileid", "member", "memberid", "athlete", "player", "participant", "subject", "user", "name"),
    "name": ("name",),
    "room_id": ("roomid",),
    "received_at": ("receivedat",),
}
"""Names that are recognized for each meaning, the first found is taken: letters and digits alone, in small letters."""

_OF_DAY = {"time", "zeit", "uhrzeit"}  # names of a time that is one of the day, if there is a date too
_UNITS = re.compile(r"\(.*?\)|\[.*?\]")


@dataclass(frozen=True)
class Columns:
    """A file's columns, in order, and the place of each that is used, by its meaning."""

    header: tuple[str, ...]
    places: Mapping[str, int]

    @property
    def ignored(self) -> list[str]:
        """The columns that are not used."""
        return [name for place, name in enumerate(self.header) if place not in self.places.values() and name]

    @property
    def has_ids(self) -> bool:
        """Whether members are given by profile ids, and not by names, as in an export."""
        return "member" in self.places and _normalize(self.name("member")) == "profileid"

    def name(self, meaning: str) -> str:
        """Return the name of the column with a meaning."""
        return self.header[self.places[meaning]]


def find_columns(header: Sequence[str], named: Mapping[str, str]) -> Columns | None:
    """Find the columns of a header line; None unless there is one for the time and one for the bpm.

    `named` are the columns that the user named, by meaning; they are not looked for by other names.
    """
    names = [_normalize(name) for name in header]
    places = {}
    for meaning, known in _NAMES.items():
        if wanted := named.get(meaning):
            found = [place for place, name in enumerate(header) if name.strip() == wanted.strip()]
        else:
            found = [names.index(name) for name in known if name in names]
        if found:
            places[meaning] = found[0]
    is_of_day = "date" in named or ("time" in places and names[places["time"]] in _OF_DAY)
    if "date" in places and not is_of_day:  # the time has its own, or the date has the time
        date = places.pop("date")
        if "time" not in named:
            places.setdefault("time", date)
    if places.get("name") == places.get("member"):
        places.pop("name", None)
    is_found = {"time", "bpm", *named} <= places.keys()
    return Columns(tuple(header), places) if is_found else None


def no_columns_error(file: str, header: Sequence[str], named: Mapping[str, str]) -> UsageError:
    """Return the error for a file whose first lines have no such columns; `header` is the one likeliest to be."""
    there = f"Its columns are {', '.join(repr(name) for name in header)}." if len(header) > 1 else ""
    missing = [repr(name) for name in named.values() if name.strip() not in {column.strip() for column in header}]
    if missing:
        return UsageError(f"{file} has no column {' and no column '.join(missing)}", there or "See `import --help`.")
    found = {_normalize(name) for name in header}
    lacks = [meaning for meaning in ("time", "bpm") if meaning not in named and not found & {*_NAMES[meaning]}]
    options = " and ".join(f"--{meaning}-column" for meaning in lacks or ["time", "bpm"])
    return UsageError(
        f"{file} has no column known for {' and '.join(lacks or ['time'])}", f"{there} Add {options}.".strip()
    )


def _normalize(name: str) -> str:
    return "".join(filter(str.isalnum, _UNITS.sub("", name).casefold()))
