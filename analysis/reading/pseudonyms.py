"""Pseudonyms for ids, and the time by which a room is moved: both are computed from a key, and stored nowhere.

Whoever has the key can compute the pseudonym of an id, and so find a person whose id is known. Without it a pseudonym
leads to nobody; what was measured still may.
"""

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import polars as pl

from pulsoid_rec.analysis.metrics.members import SCHEMA as MEMBERS
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.recorder.contract.errors import UsageError

Kind = Literal["profile", "room", "connection", "label", "mark"]

_FORMS: dict[Kind, tuple[str, int]] = {  # first letter, and digits of 5 bits
    "profile": ("P", 7),  # eight characters: a member without a name is shown by so many of the id
    "room": ("R", 7),
    "connection": ("C", 12),  # there may be hundreds of thousands
    "label": ("L", 7),
    "mark": ("M", 12),
}
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, without letters that look like digits
_PSEUDONYM = re.compile(f"[{''.join(letter for letter, _ in _FORMS.values())}][{_DIGITS}]{{7,}}")

_WEEK = timedelta(weeks=1)
_MOST_WEEKS = 1040
"""A room is moved back by 1 to so many weeks: up to 20 years."""

_FIRST_INSTANT = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Gives ids their pseudonyms by HMAC-SHA256, and moves times if `shift_times`; `repr` does not show the key."""

    key: bytes
    shift_times: bool = False

    def __repr__(self) -> str:
        return f"Pseudonyms(shift_times={self.shift_times})"

    def make(self, kind: Kind, ids: Iterable[str]) -> list[str]:
        """Return the pseudonyms of ids that are all different, in their order.

        Raises `UsageError` if two of them have the same: of 10,000 ids that happens with one key in 700.
        """
        made = [self._make(kind, id_) for id_ in ids]
        if len(set(made)) < len(made):
            raise UsageError(f"With this key two {kind}s have the same pseudonym", "Use another key.")
        return made

    def choose(self, kind: Kind, typed: str) -> str:
        """Return the pseudonym that a user typed, or that of the id that was typed."""
        return typed if _PSEUDONYM.fullmatch(typed) else self._make(kind, typed)

    def hide_members(self, members: pl.DataFrame) -> pl.DataFrame:
        """Return `members.SCHEMA` with pseudonyms, and without names."""
        ids = pl.Series("profile_id", self.make("profile", members["profile_id"]), MEMBERS["profile_id"])
        nobody = pl.lit(None, MEMBERS["given_name"]).alias("given_name")
        return members.with_columns(ids, nobody).sort("profile_id")

    def shift(self, room: str | None) -> timedelta:
        """Return by how much the times of a room (its pseudonym; None for an unknown room) are moved back."""
        digest = hmac.digest(self.key, f"time\0{room or ''}".encode(), "sha256")
        return _WEEK * (1 + int.from_bytes(digest) % _MOST_WEEKS)

    def move(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Move all instants of a frame with `room_id` (pseudonyms); none of them to before the year 1."""
        instants = [name for name, kind in frame.schema.items() if kind == INSTANT]
        if not self.shift_times or not instants or "room_id" not in frame.columns:
            return frame
        shifts = {room: self.shift(room) for room in frame["room_id"].drop_nulls().unique()}
        by = pl.col("room_id").replace_strict(shifts, default=self.shift(None), return_dtype=pl.Duration("us"))
        return frame.with_columns((pl.col(instants) - by).clip(lower_bound=_FIRST_INSTANT).cast(INSTANT))

    def _make(self, kind: Kind, id_: str) -> str:
        letter, digits = _FORMS[kind]
        number = int.from_bytes(hmac.digest(self.key, f"{kind}\0{id_}".encode("utf-8", "surrogatepass"), "sha256"))
        return letter + "".join(_DIGITS[number >> 5 * place & 31] for place in range(digits))
