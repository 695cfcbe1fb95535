"""How alike the members of each session moved: read from a recording, and measured."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import polars as pl

from pulsoid_rec.analysis.group.course import SessionCourse, find_course
from pulsoid_rec.analysis.group.session_grid import SessionGrid, read_session_grids
from pulsoid_rec.analysis.group.synchrony import MeasureName, Preparation, TogetherResult
from pulsoid_rec.analysis.group.together import MEASURES, measure_together
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.analysis.reading.recording import NOBODY, Recording

_Key = tuple[str, int]  # a session's room and number

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionGroup:
    """A session's readings, and those of other sessions of its room that pseudo-groups are made from."""

    room: str  # its name, else its id
    grid: SessionGrid
    others: tuple[SessionGrid, ...]


def read_groups(
    recording: Recording, wanted: Filter, definitions: Definitions, members: pl.DataFrame = NOBODY
) -> list[SessionGroup]:
    """Read the sessions that a filter selects, ordered by room and number; `members` (`members.SCHEMA`) gives names."""
    with recording.snapshot() as now:
        names = now.room_names()

        def read(those: Filter) -> dict[_Key, SessionGrid]:
            return {(each.room_id, each.session): each for each in read_session_grids(now, those, definitions, members)}

        grids = read(wanted)
        # Of a range of time it is unknown which part of another session is like it.
        has_range = wanted.since is not None or wanted.until is not None
        sessions = now.sessions(replace(wanted, session="all"), definitions)
        others = {key: () if has_range else _find_others(key, sessions) for key in grids}
        known = dict(grids)
        for room_id, session in sorted({key for keys in others.values() for key in keys} - grids.keys()):
            known |= read(replace(wanted, rooms=(room_id,), session=session))
    return [
        SessionGroup(
            room=names.get(key[0], key[0]),
            grid=grid,
            others=tuple(known[other] for other in others[key] if other in known),
        )
        for key, grid in grids.items()
    ]


def measure_groups(
    groups: Sequence[SessionGroup],
    choices: Choices,
    recording: Recording,
    *,
    show_progress: Callable[[float], None] | None = None,
) -> list[SessionTogether]:
    """Measure each group in turn; instants are moved where the recording's are, which is not read.

    `show_progress` is called with the share that is measured, 0 to 1.
    Raises `UsageError` with fewer surrogates than a test needs.
    """

    def show(before: int, share: float) -> None:
        if show_progress is not None:
            show_progress((before + share) / len(groups))

    return [
        _measure(group, choices, recording, show_progress=partial(show, before)) for before, group in enumerate(groups)
    ]


def _find_others(key: _Key, sessions: pl.DataFrame) -> tuple[_Key, ...]:
    """Return the other sessions of a session's room in their order; of many those nearest in number."""
    room_id, session = key
    numbers = sessions.filter(pl.col("room_id") == room_id, pl.col("session") != session)["session"].to_list()
    nearest = sorted(numbers, key=lambda number: (abs(number - session), number))[:MOST_OTHERS]
    return tuple((room_id, number) for number in sorted(nearest))


def _measure(
    group: SessionGroup, choices: Choices, recording: Recording, *, show_progress: Callable[[float], None]
) -> SessionTogether:
    grid = group.grid
    result = measure_together(
        grid,
        group.others,
        measures=choices.measures,
        preparation=choices.preparation,
        surrogates=choices.surrogates,
        seed=choices.seed,
        show_progress=show_progress,
    )
    ends = [datetime.fromtimestamp(grid.first_s + second, UTC) for second in (0, len(grid.bpm) - 1)]
    moved = recording.move(pl.DataFrame({"room_id": grid.room_id, "at": pl.Series(ends, dtype=INSTANT)}))
    begin, end = moved["at"]
    compared = [grid.profile_ids.index(id_) for id_ in result.profile_ids]
    course = find_course(grid.bpm[:, compared], begin, result.profile_ids, choices.preparation)
    return SessionTogether(room=group.room, started_at=begin, ended_at=end, result=result, course=course)
