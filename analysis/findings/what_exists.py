"""Errors for a filter or name that matches nothing, with a hint that lists what exists."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from difflib import get_close_matches

import polars as pl

from pulsoid_rec.analysis.findings.local_time import format_instant
from pulsoid_rec.analysis.metrics.filters import Filter, select_sessions
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.wording import format_count, format_list

MOST_NAMES = 20  # further names are only counted


def no_match_error(wanted: Filter, rooms: Mapping[str, str], sessions: pl.DataFrame, where: str) -> UsageError:
    """Explain why a filter of rooms, sessions and times matches no readings.

    `rooms` (names by id) and `sessions` (`sessions.SCHEMA`) are all of the recording, whose name is `where`.
    """
    for room_id in wanted.rooms:
        if room_id not in rooms:
            return no_id_error(room_id, rooms, "room", where)
    if sessions.is_empty():
        return UsageError(f"{where} holds no readings yet", "Record a room with `pulsoid-rec record ROOM_ID`.")
    chosen = select_sessions(sessions, replace(wanted, since=None, until=None))
    if chosen.is_empty():
        return UsageError(f"No readings match {wanted}", describe_sessions(sessions))
    first_at, last_at = chosen.select(pl.col("started_at").min(), pl.col("ended_at").max()).row(0)
    hint = f"There are readings from {format_instant(first_at, UTC)} to {format_instant(last_at, UTC)} UTC."
    return UsageError(f"No readings are in this range: {wanted}", hint)


def no_id_error(text: str, known: Mapping[str, str], noun: str, where: str) -> UsageError:
    """Explain that no room or member (`noun`) has this id or name; `known` holds the names by id."""
    by_folded = {name.casefold(): name for pair in known.items() for name in pair}
    similar = get_close_matches(text.casefold(), by_folded, n=1)
    guess = f"Did you mean {by_folded[similar[0]]!r}? " if similar else ""
    return UsageError(f"There is no {noun} {text!r} in {where}", guess + describe_ids(known, noun))


def describe_ids(known: Mapping[str, str], noun: str) -> str:
    """List the rooms or members that exist: `There are 2 rooms: gym (The Gym), track.`."""
    if not known:
        return f"There are no {noun}s yet."
    times = Counter(known.values())
    labels = sorted(_label(id_, name, noun, is_shared=times[name] > 1) for id_, name in known.items())
    there = "is" if len(labels) == 1 else "are"
    return f"There {there} {format_count(len(labels), noun)}: {format_list(labels, MOST_NAMES)}."


def _label(id_: str, name: str, noun: str, *, is_shared: bool) -> str:
    """Show rooms by their ids, and members by their names unless two share one."""
    if noun == "room":
        return id_ if name == id_ else f"{id_} ({name})"
    return f"{name} ({id_})" if is_shared else name


def describe_sessions(sessions: pl.DataFrame) -> str:
    """List the sessions of each room: `Room gym has sessions 1 to 4, 7; room track has session 1.`."""
    if sessions.is_empty():
        return "There are no sessions yet."
    numbers = sessions.group_by("room_id").agg(pl.col("session").sort()).sort("room_id")
    rooms = [f"room {room_id} has {_format_sessions(each)}" for room_id, each in numbers.rows()]
    if len(rooms) > MOST_NAMES:
        rooms[MOST_NAMES:] = [format_count(len(rooms) - MOST_NAMES, "more room")]
    return f"R{'; '.join(rooms)[1:]}."


def _format_sessions(numbers: Sequence[int]) -> str:
    """Format ascending numbers as `session 3` or `sessions 1 to 4, 7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    ranges = [f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return f"session{'s' if len(numbers) > 1 else ''} {format_list(ranges, MOST_NAMES)}"
