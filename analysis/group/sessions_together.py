"""How alike the members of each session moved: read from a recording, and measured."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import polars as pl

from pulsoid_rec.analysis.group.course import SessionCourse, find_course
from pulsoid_rec.analysis.group.session_grid import SessionGrid, read_session_grids
from pulsoid_rec.analysis.group.synchrony import MeasureName, Preparation, TogetherResult
from pulsoid_rec.analysis.group.together import MEASURES, measure_together
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.analysis.reading.recording import NOBODY, Recording

MOST_OTHERS = 12
"""Most other sessions of the room that pseudo-groups are made from: one of each of twelve members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What to measure, and how."""

    measures: Collection[MeasureName] = MEASURES
    preparation: Preparation = "high-pass"
    surrogates: int = 1000
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTogether:
    """A session, and what was found in it; its instants are moved where the recording's are."""

    room: str  # its name, else its id
    started_at: datetime
    ended_at: datetime
    result: TogetherResult
    course: SessionCourse | None


def read_together(
    recording: Recording,
    wanted: Filter,
    definitions: Definitions,
    choices: Choices,
    members: pl.DataFrame = NOBODY,
) -> list[SessionTogether]:
    """Measure the sessions that a filter selects, ordered by room and number; `members` (`members.SCHEMA`) gives names.

    Raises `UsageError` with fewer surrogates than a test needs. Nothing selected gives nothing.
    """
    with recording.snapshot() as now:
        names = now.room_names()
        grids = {(grid.room_id, grid.session): grid for grid in read_session_grids(now, wanted, definitions, members)}
        others = {key: _others(key, now.sessions(replace(wanted, session="all"), definitions)) for key in grids}
        # Of a range of time it is unknown which part of another session is like it.
        if wanted.since is None and wanted.until is None:
            read = dict(grids)
            for room_id, session in sorted({key for keys in others.values() for key in keys} - grids.keys()):
                one = replace(wanted, rooms=(room_id,), session=session)
                read |= {(room_id, each.session): each for each in read_session_grids(now, one, definitions, members)}
        else:
            read = {}
    return [
        _measure(
            grid, [read[other] for other in others[key] if other in read], names.get(key[0], key[0]), choices, recording
        )
        for key, grid in grids.items()
    ]


def _others(key: tuple[str, int], sessions: pl.DataFrame) -> list[tuple[str, int]]:
    """Return the other sessions of a session's room, by room and number; of many those nearest in number."""
    room_id, session = key
    numbers = sessions.filter(pl.col("room_id") == room_id, pl.col("session") != session)["session"].to_list()
    nearest = sorted(numbers, key=lambda number: (abs(number - session), number))[:MOST_OTHERS]
    return [(room_id, number) for number in sorted(nearest)]


def _measure(
    grid: SessionGrid, others: list[SessionGrid], room: str, choices: Choices, recording: Recording
) -> SessionTogether:
    result = measure_together(
        grid,
        others,
        measures=choices.measures,
        preparation=choices.preparation,
        surrogates=choices.surrogates,
        seed=choices.seed,
    )
    ends = [datetime.fromtimestamp(grid.first_s + second, UTC) for second in (0, len(grid.bpm) - 1)]
    moved = recording.move(pl.DataFrame({"room_id": grid.room_id, "at": pl.Series(ends, dtype=INSTANT)}))
    begin, end = moved["at"]
    course = find_course(grid.bpm, begin, grid.profile_ids, choices.preparation)
    return SessionTogether(room=room, started_at=begin, ended_at=end, result=result, course=course)
