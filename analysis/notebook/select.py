"""What somebody types to choose a part of a recording, made into a filter; what is not there is told with what is."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from difflib import get_close_matches

import polars as pl

from pulsoid_rec.analysis.metrics.filters import Filter, Which, parse_instant
from pulsoid_rec.recorder.contract.errors import UsageError

Ids = str | Sequence[str]
"""A name or id, or several."""

Time = str | date | datetime
"""An instant: a `datetime` or `date` (local time, unless it has an offset), or text as the commands take it."""

_MOST = 20
"""More names than this are only counted."""


def choose_ids(asked: Ids, known: Mapping[str, str], noun: str, where: str) -> tuple[str, ...]:
    """Find rooms or members by id, or by name.

    Parameters
    ----------
    asked
        An id, or a name that only one of them has, in whatever case; or several.
    known
        What there is: names by id.
    noun
        What they are, for the message: `room` or `member`.
    where
        What was searched, for the message.

    Returns
    -------
    tuple of str
        Ids in the order asked for, each once.

    Raises
    ------
    UsageError
        There is none of that id or name, or several; the message says what there is.
    """
    several = [asked] if isinstance(asked, str) else list(asked)
    if not several:
        raise UsageError(f"No {noun} was named", f"{_there_is(known, noun)} Leave {noun}= out for all.")
    return tuple(dict.fromkeys(_choose_id(each, known, noun, where) for each in several))


def _choose_id(asked: str, known: Mapping[str, str], noun: str, where: str) -> str:
    if asked in known:
        return asked
    exactly = [id_ for id_, name in known.items() if name == asked]
    in_any_case = [id_ for id_, name in known.items() if name.casefold() == str(asked).casefold()]
    for found in (exactly, in_any_case):
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"{len(found)} {noun}s of {where} are named {asked!r}", f"Say which: {_listed(found)}.")
    by_folded = {text.casefold(): text for pair in known.items() for text in pair}
    near = get_close_matches(str(asked).casefold(), by_folded, n=1)
    guess = f"Did you mean {by_folded[near[0]]!r}? " if near else ""
    raise UsageError(f"There is no {noun} {asked!r} in {where}", guess + _there_is(known, noun))


def _there_is(known: Mapping[str, str], noun: str) -> str:
    listed = sorted(_called(id_, known, noun) for id_ in known)
    return f"There {'is' if len(listed) == 1 else 'are'} {_listed(listed) if listed else f'no {noun}s yet'}."


def _called(id_: str, known: Mapping[str, str], noun: str) -> str:
    """Call rooms by their ids, and members by their names unless two share one."""
    name = known[id_]
    if noun == "room":
        return id_ if name == id_ else f"{id_} ({name})"
    return name if list(known.values()).count(name) == 1 else f"{name} ({id_})"


def _listed(names: Sequence[str]) -> str:
    if len(names) > _MOST:
        return f"{', '.join(names[:_MOST])} and {len(names) - _MOST} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def choose_session(asked: Which | str, sessions: pl.DataFrame, where: str) -> Which:
    """Find a session by its number, or take `latest` or `all` as it is.

    Parameters
    ----------
    asked
        What was typed.
    sessions
        What there is: `room_id`, `session`.
    where
        What was searched, for the message.

    Raises
    ------
    UsageError
        No room has a session of that number, or it is no number; the message says which there are.
    """
    numbers = sessions.group_by("room_id").agg(pl.col("session").sort()).sort("room_id").rows()
    there = "; ".join(f"room {room} has {_ranges(each)}" for room, each in numbers[:_MOST])
    there = f"{there[:1].upper()}{there[1:]}." if there else "There are no sessions yet."
    text = str(asked).strip().lower()
    if text == "latest":
        return "latest"
    if text == "all":
        return "all"
    if isinstance(asked, bool) or not (text.isascii() and text.isdigit()):
        raise UsageError(f"session cannot be {asked!r}", f'It is a number, "latest" or "all". {there}')
    if not any(int(text) in each for _, each in numbers):
        raise UsageError(f"There is no session {int(text)} in {where}", there)
    return int(text)


def _ranges(numbers: Sequence[int]) -> str:
    """Put numbers in words, such as `session 3` or `sessions 1 to 4 and 7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words = [f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return f"session{'s' if len(numbers) > 1 else ''} {_listed(words)}"


def choose_time(asked: Time, name: str, now: datetime) -> datetime:
    """Make an instant of what was given.

    Parameters
    ----------
    asked
        A `datetime`, a `date` (its first instant), or text such as `2026-01-31 20:15` or `2h` for two hours ago; local
        time, unless it has an offset.
    name
        What it was given as, for the message.
    now
        The present, aware.

    Returns
    -------
    datetime
        Aware, UTC.

    Raises
    ------
    UsageError
        It is no time.
    """
    if isinstance(asked, date):  # which a datetime is, too
        at = asked if isinstance(asked, datetime) else datetime.combine(asked, time.min)
        return at.astimezone(UTC)
    return parse_instant(str(asked), name, now)


def choose_range(
    since: Time | None, until: Time | None, wanted: Filter, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Narrow a filter's range of time by what was given.

    Parameters
    ----------
    since, until
        As of `choose_time`; None for no bound.
    wanted
        The filter, for its range.
    now
        The present, aware.

    Returns
    -------
    tuple of two
        The range that lies within both: `since`, inclusive, and `until`, exclusive.

    Raises
    ------
    UsageError
        One is no time, or nothing lies within both.
    """
    since_at = None if since is None else choose_time(since, "since", now)
    until_at = None if until is None else choose_time(until, "until", now)
    latest = max(filter(None, (since_at, wanted.since)), default=None)
    earliest = min(filter(None, (until_at, wanted.until)), default=None)
    if latest is not None and earliest is not None and latest >= earliest:
        raise UsageError(
            f"since ({latest:%Y-%m-%d %H:%M:%S} UTC) is not before until ({earliest:%Y-%m-%d %H:%M:%S} UTC)",
            "Exchange the two, or leave one out.",
        )
    return latest, earliest
