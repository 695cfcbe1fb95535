"""Everything that a report shows, read once, so that rendering it needs no database."""

import sys
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import polars as pl

from pulsoid_rec.analysis.findings.checks import SLICE_ROWS, Checks, make_checks
from pulsoid_rec.analysis.findings.concurrent import describe_concurrent, find_concurrent, read_windows_beside
from pulsoid_rec.analysis.findings.unmatched_members import describe_unmatched
from pulsoid_rec.analysis.findings.withdrawn import describe_withdrawn
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.holds import MEMBER
from pulsoid_rec.analysis.metrics.phases import IN_SESSION, PHASES, PLACED_MARKS, find_phases, select_marks
from pulsoid_rec.analysis.reading.marks import read_marks
from pulsoid_rec.analysis.reading.pipeline import Selection, read_in_order, read_slices
from pulsoid_rec.analysis.reading.recording import READINGS as RECORDED
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.analysis.reading.rejected import REJECTED, read_rejected
from pulsoid_rec.analysis.reading.results import Results, compute_results
from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.tables import MEMBER_EVENTS

READINGS = pl.Schema(RECORDED | {"name": pl.String(), "plausible": pl.Boolean()})
NOBODY: Mapping[str, str] = MappingProxyType({})
_SESSION = {"room_id": pl.String(), "session": pl.Int64()}

MOST_DRAWN = 20_000_000
"""More readings than these are not loaded for charts. Notes have no limit: readings are checked in slices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """A report's content: what the filter selected, without duplicates. Empty frames have their columns, too."""

    generated_at: datetime | None  # when the recording was read (aware, UTC); None where times are moved
    rooms: Mapping[str, str]
    """Each room's display name by `room_id`: its latest config's text `name`, else the id. Plain text, not escaped."""

    known_names: Mapping[tuple[str, str], str]
    """Names of the members file, else of latest configs, by `room_id` and `profile_id`, also of who sent no reading."""

    sessions: pl.DataFrame
    """`metrics.sessions.SCHEMA`: the sessions that the filter touches, by room and number, each one as a whole."""

    summary: pl.DataFrame
    """`metrics.summary.SCHEMA`: one row per room, session and member, ordered by room, session, name."""

    time_at_bpm: pl.DataFrame
    """`metrics.time_at_bpm.SCHEMA`: plausible bpm only, ordered by room, session, profile and bpm."""

    readings: pl.DataFrame
    """`READINGS`, ordered by room, session, profile and time; empty if they are more than `read_report`'s `at_most`."""

    marks: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PLACED_MARKS))
    """`phases.PLACED_MARKS` of these sessions, and of the members chosen, ordered by room, session and time."""

    phases: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PHASES))
    """`phases.PHASES` of these sessions, ordered by room, session and time."""

    by_phase: pl.DataFrame | None = None
    """`metrics.summary.BY_PHASE`, if it is wanted: as `summary`, a row more for each phase."""

    untimely: pl.DataFrame  # `metrics.untimely.UNTIMELY`: the readings that were left out because their time is wrong
    rejected: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REJECTED))
    """`reading.rejected.REJECTED`: the messages that were rejected."""

    checks: Checks  # what the checks of all readings found, whether `readings` has them or not
    member_events: pl.DataFrame
    """`member_events` of the rooms above without configs, of when the sessions occurred or were received."""

    connection_events: pl.DataFrame
    """`Recording.connections` of the rooms above, of all times: earlier events show how a session began."""

    last_received: pl.DataFrame  # `Recording.last_received` of the rooms above
    imported: AbstractSet[tuple[str, int]] = frozenset()
    """The sessions that were imported, by `room_id` and `session`: no recorder listened to them."""

    concurrent: list[str] = field(default_factory=list)
    """Sessions that were received at the same time as these, as text."""

    unmatched: str | None = None
    """Who of the members file is nobody in the recording, as text; None if all are, or only a part was read."""

    withdrawn: str | None = None
    """Whose consent is withdrawn, and how to remove them, as text; None if nobody's who is in the recording."""

    definitions: Definitions  # what counted as plausible, held and one session
    filter: str
    """The filter as text, such as `room Gym, session 3, since 2026-01-02 10:00 UTC`; empty when there was none."""


def read_report(
    recording: Recording,
    wanted: Filter,
    members: pl.DataFrame,
    definitions: Definitions,
    *,
    at_most: int = 0,
    most_sessions: int = sys.maxsize,
    by_phase: bool = False,
    withdrawn: Mapping[str, str] = NOBODY,
    with_marks: bool = True,
) -> ReportData:
    """Read everything that a report shows, from one state of the file; raise `StorageError` if that is impossible.

    `at_most` so many readings are loaded one by one, for charts; if there are more, `readings` is empty, and none is
    checked. 0 loads none, and checks all. Nor is any reading loaded or checked of more than `most_sessions`; of fewer
    all are, slice by slice, which notes need. `members` is what is known of them: `metrics.members.SCHEMA`;
    `withdrawn` are the names by id of those whose consent is. `by_phase` adds the summary by phase; without it and
    without `with_marks` no mark is read.
    """
    with recording.snapshot() as snapshot, snapshot.selection(wanted, definitions) as selection:
        marks = pl.DataFrame(schema=PLACED_MARKS)
        if by_phase or with_marks:
            marks = read_marks(snapshot, wanted.rooms, definitions)
        phases = find_phases(marks, selection.sessions)
        results = compute_results(selection, members, phases if by_phase else None)
        data = _read(snapshot, selection, members, results, at_most=at_most, most_sessions=most_sessions)
        shown = phases.join(data.sessions, on=IN_SESSION, how="semi", maintain_order="left")
        marks = select_marks(marks, wanted, data.sessions)
        data = replace(data, marks=marks, phases=shown, by_phase=results.by_phase)
        if withdrawn:
            recorded, is_hidden = snapshot.profile_ids(definitions), recording.pseudonyms is not None
            data = replace(data, withdrawn=describe_withdrawn(withdrawn, recorded, is_hidden=is_hidden))
    if not recording.is_moved:
        return data
    checks = replace(data.checks, **_move_frames(recording, data.checks))
    return replace(data, generated_at=None, checks=checks, **_move_frames(recording, data))


def _move_frames(recording: Recording, data: "ReportData | Checks") -> dict[str, Any]:
    """Move the instants of all frames; figures do not change, as they were computed of the times recorded."""
    frames = ((each.name, getattr(data, each.name)) for each in fields(data))
    return {name: recording.move(frame) for name, frame in frames if isinstance(frame, pl.DataFrame)}


def _read(
    recording: Recording,
    selection: Selection,
    members: pl.DataFrame,
    results: Results,
    *,
    at_most: int,
    most_sessions: int,
) -> ReportData:
    generated_at, wanted = datetime.now(UTC), selection.wanted
    sessions = results.sessions.join(results.tally, on=["room_id", "session"], how="semi")
    room_ids, room_names = sessions["room_id"].unique().sort().to_list(), recording.room_names()
    # Also of when they were received, as the clocks of a session's members may be wrong.
    first = sessions.select(pl.min_horizontal("started_at", "first_received_at").min()).item()
    last = sessions.select(pl.max_horizontal("ended_at", "last_received_at").max()).item()
    member_events = recording.events(MEMBER_EVENTS, room_ids, first, last)
    readings = None
    are_too_many = 0 < at_most < results.tally["readings"].sum()
    checks = sessions.height <= most_sessions and not are_too_many
    if checks and at_most:
        readings = read_in_order(selection)

    def read(keys: pl.Series | None) -> Iterable[pl.DataFrame]:
        if readings is None:
            return read_slices(replace(selection, slice_rows=SLICE_ROWS), keys)
        rows = readings if keys is None else readings.filter(pl.col("key").is_in(keys.implode()))
        return rows.iter_slices(SLICE_ROWS)

    checked = make_checks(
        read if checks else lambda _: (), selection.bounded_members, selection.definitions, member_events
    )
    imported = recording.imported_sessions(selection.wanted.rooms, selection.definitions)
    recorded = recording.sessions(Filter(rooms=selection.wanted.rooms), selection.definitions)
    concurrent = find_concurrent(recorded, sessions, pl.DataFrame([*imported], _SESSION, orient="row"))
    return ReportData(
        generated_at=generated_at,
        rooms={room_id: plain(room_names.get(room_id, room_id)) for room_id in room_ids},
        known_names=_find_names(results.config_names, members),
        sessions=sessions,
        summary=results.summary,
        time_at_bpm=results.time_at_bpm,
        untimely=results.untimely,
        readings=_describe(readings, selection, results.people),
        checks=_widen(recording, selection, checked, concurrent),
        member_events=member_events,
        connection_events=recording.connections().filter(pl.col("room_id").is_in(room_ids)),
        last_received=recording.last_received().filter(pl.col("room_id").is_in(room_ids)),
        imported=imported,
        definitions=selection.definitions,
        filter=str(replace(wanted, rooms=tuple(plain(room_names.get(id_, id_)) for id_ in wanted.rooms))),
        rejected=read_rejected(recording, selection.wanted, selection.definitions),
        concurrent=[] if _is_part(selection.wanted) else describe_concurrent(concurrent, room_names),
        unmatched=_find_unmatched(recording, selection, members, results.config_names),
    )


def _find_names(config_names: pl.DataFrame, members: pl.DataFrame) -> dict[tuple[str, str], str]:
    known = config_names.join(members, on="profile_id", how="left")
    named = known.select("room_id", "profile_id", pl.coalesce("given_name", "config_name"))
    return {(room_id, profile_id): plain(name) for room_id, profile_id, name in named.iter_rows()}


def _is_part(wanted: Filter) -> bool:
    """Return whether a filter may select a part of a session."""
    return wanted.since is not None or wanted.until is not None or bool(wanted.members)


def _widen(recording: Recording, selection: Selection, checks: Checks, concurrent: pl.DataFrame) -> Checks:
    """Add the windows of what was received at the same time, but is not selected: they show whose clock is wrong."""
    wanted = selection.wanted
    if checks.windows.is_empty() or (concurrent.is_empty() and not _is_part(wanted)):
        return checks
    sessions = pl.concat([selection.sessions.select(*_SESSION), concurrent.select(*_SESSION)])
    with recording.selection(Filter(rooms=wanted.rooms), selection.definitions) as whole:
        beside = read_windows_beside(replace(whole, slice_rows=SLICE_ROWS), selection, sessions, checks.windows)
        return replace(checks, windows=pl.concat([checks.windows, *beside]))


def _find_unmatched(
    recording: Recording, selection: Selection, members: pl.DataFrame, config_names: pl.DataFrame
) -> str | None:
    """Describe who of the members file is nobody in the whole recording, unless the filter is for a part of it."""
    if members.is_empty() or selection.wanted.rooms or selection.wanted.members:
        return None
    names = dict(config_names.select("profile_id", "config_name").iter_rows())
    if names.keys() >= set(members["profile_id"]):
        return None  # without a look at the readings
    names = {id_: names.get(id_, id_) for id_ in recording.profile_ids(selection.definitions)}
    return describe_unmatched(members["profile_id"], names)


def _describe(readings: pl.DataFrame | None, selection: Selection, people: pl.DataFrame) -> pl.DataFrame:
    """Add to readings who sent them, and whether they are plausible; none if they were not loaded."""
    if readings is None:
        return pl.DataFrame(schema=READINGS)
    definitions = selection.definitions
    is_plausible = pl.col("bpm").is_between(definitions.min_bpm, definitions.max_bpm)
    # Keys are in the order of members, and one number joins faster than three columns.
    members = selection.members.join(people.select(*MEMBER, "name"), on=MEMBER)
    named = readings.join(members, on="key", maintain_order="left").with_columns(plausible=is_plausible)
    return named.select(*READINGS).cast(READINGS)
