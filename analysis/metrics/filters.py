"""Filters: rooms, members, sessions and a range of time, the same for every command and notebook.

Sessions, duplicates and holds are always computed on whole sessions. A range of time then selects readings by when
they occurred, each with its own hold and the gap that follows it, so that the figures of adjoining ranges add up.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import polars as pl

from pulsoid_rec.recorder.contract.errors import UsageError

Which = Literal["latest", "all"] | int  # a session's number, or which of them
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])", re.IGNORECASE)
_UTC = re.compile(r"\s*UTC(?:(?=([+-]\d))|$)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
MARK_PREFIX = "mark:"
"""What a bound begins with that is a mark, given by its label."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Selects readings; by default all of them.

    Parameters
    ----------
    rooms
        Rooms by id; all when empty.
    members
        Members by profile id; all when empty. Sessions that none of them took part in are left out.
    session
        `all`, a session's number (of each room), or `latest`: of each room's sessions that the range touches, the one
        that was received last.
    since, until
        Range of time, aware; the first inclusive, the second exclusive.

    Raises
    ------
    UsageError
        The range ends before it begins.
    """

    rooms: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    session: Which = "all"
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise UsageError(
                f"since ({_format_instant(self.since)}) is not before until ({_format_instant(self.until)})",
                "Swap them, or leave one out.",
            )

    @property
    def since_us(self) -> int | None:
        """`since` in microseconds since 1970."""
        return None if self.since is None else to_microseconds(self.since)

    @property
    def until_us(self) -> int | None:
        """`until` in microseconds since 1970."""
        return None if self.until is None else to_microseconds(self.until)

    def __str__(self) -> str:
        named = [
            f"{noun if len(ids) == 1 else noun + 's'} {', '.join(ids)}"
            for noun, ids in (("room", self.rooms), ("member", self.members))
            if ids
        ]
        session = {"all": [], "latest": ["latest session"]}.get(str(self.session), [f"session {self.session}"])
        times = [
            f"{bound} {_format_instant(instant)}"
            for bound, instant in (("since", self.since), ("until", self.until))
            if instant is not None
        ]
        return ", ".join([*named, *session, *times])


def _format_instant(instant: datetime) -> str:
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "seconds") + " UTC"


def to_microseconds(instant: datetime) -> int:
    """Convert an aware instant to microseconds since 1970, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def select_sessions(sessions: pl.DataFrame, wanted: Filter) -> pl.DataFrame:
    """Select the rows of `sessions`, which must hold all of the recording's, that a filter matches; order is kept."""
    if wanted.rooms:
        sessions = sessions.filter(pl.col("room_id").is_in(wanted.rooms))
    if wanted.since is not None:
        sessions = sessions.filter(pl.col("ended_at") >= wanted.since)
    if wanted.until is not None:
        sessions = sessions.filter(pl.col("started_at") < wanted.until)
    if wanted.session == "latest":
        last_first = pl.struct("last_received_at", "session").rank("ordinal", descending=True)
        return sessions.filter(last_first.over("room_id") == 1)
    if wanted.session == "all":
        return sessions
    return sessions.filter(pl.col("session") == wanted.session)


def parse_session(text: str, option: str) -> Which:
    """Parse the value of `option`: `latest`, `all`, or a number from 1; raise `UsageError` for anything else."""
    word = text.strip().lower()
    which: dict[str, Which] = {"latest": "latest", "all": "all"}
    if word in which:
        return which[word]
    if re.fullmatch(r"[0-9]{1,18}", word) and int(word) > 0:
        return int(word)
    raise UsageError(f"{option} cannot be {text!r}", "Choose latest, all, or a number from 1; see `sessions`.")


def parse_instant(text: str, option: str, now: datetime) -> datetime:
    """Parse a time or a date, with or without an offset, or how long ago; `option` is the one it was given for.

    That is ISO 8601, such as `2026-01-31 20:15`, local time unless it has an offset (also written ` UTC+02:00` or `
    UTC`); a date stands for its first instant; `30m`, `2h` or `3d` for that long ago (also `s` and `w`). Of an hour
    that comes twice it is the first one. Returns it in UTC. Raises `UsageError` if it is none of these, or not within
    the years 1 to 9999.
    """
    ago = _AGO.fullmatch(text.strip())
    iso = _UTC.sub(lambda utc: "" if utc[1] else "Z", text.strip())
    try:
        if ago:
            return (now - timedelta(**{_UNITS[ago[2].lower()]: float(ago[1])})).astimezone(UTC)
        return datetime.fromisoformat(iso).astimezone(UTC)  # no offset: local time
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"{option} cannot be {text!r}", "Use a time such as 2026-01-31T20:15, a date, or 30m, 2h or 3d ago."
        ) from error
