"""Finds rooms, members, sessions and times by what is typed in a notebook; errors list what exists."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl

from pulsoid_rec.analysis.findings.what_exists import MOST_NAMES, describe_ids, describe_sessions, no_id_error
from pulsoid_rec.analysis.metrics.filters import Filter, Which, parse_instant, parse_session
from pulsoid_rec.analysis.reading.pseudonyms import Pseudonyms
from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.member_labels import find_named
from pulsoid_rec.recorder.contract.wording import format_list

Ids = str | Sequence[str]  # a name or id, or several
Time = str | date | datetime
"""An instant: a `datetime` or `date` (local time, unless it has an offset), or text as the commands take it."""


def choose_ids(
    typed: Ids, known: Mapping[str, str], noun: str, where: str, pseudonyms: Pseudonyms | None = None
) -> tuple[str, ...]:
    """Find rooms or members (`noun`) by id, or by name (`find_named`); return their ids in the order typed, each once.

    With pseudonyms they are found, and listed, by these alone; an id that was typed is replaced by its own.

    `known` has the names by id, of what exists in `where`. A `UsageError` lists it if none has that id or name, or if
    several have the name.
    """
    several = [typed] if isinstance(typed, str) else typed
    if pseudonyms is not None:
        several = [pseudonyms.choose("room" if noun == "room" else "profile", str(each)) for each in several]
    if not several:
        raise UsageError(f"{noun}= is empty", f"Leave it out to choose all. {describe_ids(known, noun)}")
    return tuple(dict.fromkeys(_choose_id(str(each), known, noun, where) for each in several))


def _choose_id(text: str, known: Mapping[str, str], noun: str, where: str) -> str:
    if text in known:
        return text
    found = find_named(text, {id_: (name,) for id_, name in known.items()})
    if not found:
        raise no_id_error(text, known, noun, where)
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} {noun}s of {where} are named {text!r}",
            f"Choose one by its id: {format_list(found, MOST_NAMES)}.",
        )
    return found[0]


def choose_session(typed: Which | str, read: Callable[[], pl.DataFrame], where: str) -> Which:
    """Find a session by its number, or parse `latest` or `all`; a `UsageError` lists the sessions if none has it.

    `read` reads the sessions; it is only called for a number.
    """
    session = parse_session(str(typed), "session")
    if isinstance(session, int) and session not in (sessions := read())["session"]:
        raise UsageError(f"There is no session {session} in {where}", describe_sessions(sessions))
    return session


def choose_phase(
    typed: str | int, phases: pl.DataFrame, wanted: Filter, pseudonyms: Pseudonyms | None = None
) -> Filter:
    """Return a filter for a phase alone, given by label or number; `phases` are those of the filter's sessions.

    With pseudonyms it is found, and listed, by that of its label. A `UsageError` lists the phases if none is meant, or
    several are.
    """
    is_number = isinstance(typed, int) or typed.isdigit()
    label = str(typed) if pseudonyms is None else pseudonyms.choose("label", str(typed))
    found = phases.filter(pl.col("phase_label") == label)
    if found.is_empty() and is_number:
        found = phases.filter(pl.col("phase") == int(typed))
    if found.height != 1:
        among = phases.filter(pl.col("phase") > 0) if found.is_empty() else found
        named = [
            f"{plain(each or '')!r} (phase {number} of session {session} of {plain(room)})"
            for room, session, number, each in among.select("room_id", "session", "phase", "phase_label").iter_rows()
        ]
        called = typed if is_number else label
        what = f"There is no phase {called!r}" if found.is_empty() else f"{found.height} phases are called {called!r}"
        hint = f"Choose a room, a session, or a phase by its number: {format_list(named, MOST_NAMES)}."
        raise UsageError(what, hint if named else "No phase was marked there: `pulsoid-rec mark LABEL --phase` does.")
    row = found.row(0, named=True)
    since, until = choose_range(row["started_at"], row["ended_at"], wanted, datetime.now(UTC))
    return replace(wanted, rooms=(row["room_id"],), session=row["session"], since=since, until=until)


def choose_range(
    since: Time | None, until: Time | None, wanted: Filter, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Return the part of a filter's range that is also in `since` to `until` (None for no bound), aware, UTC.

    It raises `UsageError` if one of them is not a time, or the range is empty.
    """
    since_at = max(filter(None, (_parse_time(since, "since", now), wanted.since)), default=None)
    until_at = min(filter(None, (_parse_time(until, "until", now), wanted.until)), default=None)
    Filter(since=since_at, until=until_at)  # raises if nothing lies between
    return since_at, until_at


def _parse_time(typed: Time | None, name: str, now: datetime) -> datetime | None:
    if typed is None:
        return None
    # A datetime is a date, too.
    return parse_instant(typed.isoformat() if isinstance(typed, date) else str(typed), name, now)
