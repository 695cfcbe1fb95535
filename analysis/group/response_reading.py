"""Reads the responses to a label's marks from a recording: which marks and members, by which clocks, what changed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from pulsoid_rec.analysis.group.mark_windows import Window
from pulsoid_rec.analysis.group.response_result import COURSE, MEMBERS, Responses
from pulsoid_rec.analysis.group.responses import GroupResponse, MarkedSession, compute_responses
from pulsoid_rec.analysis.group.session_grid import SessionGrid, read_session_grids
from pulsoid_rec.analysis.group.surrogates import require_seed
from pulsoid_rec.analysis.metrics.definitions import MICROSECONDS, Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.phases import select_marks
from pulsoid_rec.analysis.reading.marks import no_mark_error, read_marks
from pulsoid_rec.analysis.reading.recording import NOBODY, Recording
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.member_labels import label_members

SURROGATES = 1000
MOST_SURROGATES = 10_000
_MOST_CELLS = 4_000_000  # seconds of all shifted means, some 400 MB
SEED = 0
MOST_SECONDS = 600  # of a window before or after the mark


def parse_window(before_s: int, after_s: int, baseline_s: tuple[int, int]) -> Window:
    """Make a window of whole seconds; raise `UsageError` if its baseline is not within it and before the mark."""
    for name, value in (("before", before_s), ("after", after_s)):
        if not 1 <= value <= MOST_SECONDS:
            raise UsageError(f"{name} cannot be {value} s", f"Give 1 to {MOST_SECONDS} whole seconds.")
    first, last = baseline_s
    if not -before_s <= first <= last <= 0:
        raise UsageError(
            f"A baseline from {first} to {last} s is not in the {before_s} s before the mark",
            "Give its first and last second, such as -30 -5, or a longer time before.",
        )
    return Window(before_s, after_s, baseline_s)


def read_responses(
    recording: Recording,
    label: str,
    wanted: Filter,
    definitions: Definitions,
    members: pl.DataFrame = NOBODY,
    *,
    window: Window,
    surrogates: int = SURROGATES,
    seed: int = SEED,
) -> Responses:
    """Read and compute the responses to the marks of a label, in what a filter selects.

    A mark of a member is about that member, one of the room about all of its members. Windows reach no further than the
    filter's range of time. `members` (`members.SCHEMA`) gives names.

    Raises `UsageError` if there is no mark of that label in these sessions; it lists the labels that there are.
    """
    require_seed(seed)
    if surrogates < SURROGATES:
        raise UsageError(f"{surrogates} shifts are too few for a p", f"Give at least {SURROGATES:,}.")
    if surrogates > MOST_SURROGATES or surrogates * window.length > _MOST_CELLS:
        raise UsageError(
            f"{surrogates:,} shifts of {window.length:,} s are too many for memory",
            f"Choose {min(MOST_SURROGATES, _MOST_CELLS // window.length):,} or fewer, or a shorter time.",
        )
    generated_at = None if recording.is_moved else datetime.now(UTC)
    with recording.snapshot() as now:
        label = label if now.pseudonyms is None else now.pseudonyms.choose("label", label)
        marks = _read_marks(now, label, wanted, definitions)
        marked = replace(wanted, rooms=tuple(marks["room_id"].unique().sort()))
        people = now.members(marked, definitions, members).sort("name", "profile_id")
        of_sessions = marks.partition_by("room_id", "session", as_dict=True, maintain_order=True)
        each = [(replace(marked, rooms=(key[0],), session=key[1]), own) for key, own in of_sessions.items()]
        sessions = [
            _place(grid, own) for one, own in each for grid in read_session_grids(now, one, definitions, members)
        ]
        lag_s = _read_lag_s(now, [one for one, _ in each], definitions)
    found = compute_responses(sessions, window, surrogates=surrogates, seed=seed)
    names = label_members(dict(people.select("profile_id", "name").iter_rows()))
    present = {(each.grid.room_id, each.grid.session): set(each.grid.profile_ids) for each in sessions}
    about = marks.select("room_id", "session", "profile_id").iter_rows()
    names = {id_: name for id_, name in names.items() if id_ in found.members}
    return Responses(
        label=label,
        window=window,
        sessions=len(sessions),
        marks=marks.height,
        used_marks=found.used_marks,
        absent=sum(id_ is not None and id_ not in present.get((room, session), ()) for room, session, id_ in about),
        members=_members_frame(found, names),
        course=_course_frame(found, window, names),
        farthest_s=None if found.farthest is None else int(window.seconds[found.farthest]),
        p=found.p,
        surrogates=surrogates,
        seed=seed,
        lag_s=lag_s,
        generated_at=generated_at,
    )


def _read_marks(recording: Recording, label: str, wanted: Filter, definitions: Definitions) -> pl.DataFrame:
    """Read the marks of a label, of the sessions, members and time of a filter; raise `UsageError` if there is none."""
    sessions = recording.sessions(wanted, definitions)
    marks = select_marks(read_marks(recording, wanted.rooms, definitions), wanted, sessions)
    found = marks.filter(pl.col("label") == label)
    if found.is_empty():
        raise no_mark_error(label, marks)
    return found


def _place(grid: SessionGrid, marks: pl.DataFrame) -> MarkedSession:
    """Return a session with its marks, each at the nearest second."""
    at_s = marks["occurred_at"].dt.epoch("us").to_numpy() / MICROSECONDS
    return MarkedSession(grid, np.floor(at_s - grid.first_s + 0.5).astype(np.int64), tuple(marks["profile_id"]))


def _read_lag_s(recording: Recording, sessions: Sequence[Filter], definitions: Definitions) -> float | None:
    """Read the median of receipt minus occurrence, over the readings of those sessions that were not imported."""
    lag_us = (pl.col("received_at") - pl.col("occurred_at")).dt.total_microseconds()
    lags_us = [
        recording.readings(one, definitions).select(lag_us.alias("lag_us")).collect()["lag_us"]
        for one in sessions
        if (*one.rooms, one.session) not in recording.imported_sessions(one.rooms, definitions)
    ]
    median = pl.concat(lags_us).median() if lags_us else None
    return median / MICROSECONDS if isinstance(median, float) else None


def _members_frame(found: GroupResponse, names: dict[str, str]) -> pl.DataFrame:
    rows = [
        (id_, name, of.windows, of.used, of.windows - of.used, of.overlapping)
        for id_, name in names.items()
        for of in [found.members[id_]]
    ]
    return pl.DataFrame(rows, schema=MEMBERS, orient="row")


def _course_frame(found: GroupResponse, window: Window, names: dict[str, str]) -> pl.DataFrame:
    course: dict[str, Any] = {
        "change_bpm": found.mean,
        "low_bpm": found.band[0],
        "high_bpm": found.band[1],
        "chance_low_bpm": found.chance[0],
        "chance_high_bpm": found.chance[1],
    }
    frames = [pl.DataFrame({"second": window.seconds} | course)]
    frames += [
        pl.DataFrame({"second": window.seconds, "change_bpm": found.members[id_].mean}).with_columns(
            profile_id=pl.lit(id_), name=pl.lit(name)
        )
        for id_, name in names.items()
    ]
    columns = pl.concat(frames, how="diagonal_relaxed")
    missing = [pl.lit(None, kind).alias(name) for name, kind in COURSE.items() if name not in columns.columns]
    return columns.with_columns(missing).select(*COURSE).cast(COURSE).fill_nan(None)
