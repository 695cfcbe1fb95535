"""A report divided into its sessions, each with its rows, its members' labels and its local time."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from typing import Any

import polars as pl

from pulsoid_rec.analysis.findings.checks import Checks
from pulsoid_rec.analysis.findings.clocks import Clocks
from pulsoid_rec.analysis.findings.leads import compare_clocks
from pulsoid_rec.analysis.findings.local_time import fixed_zone, format_clock
from pulsoid_rec.analysis.findings.offline import Offline, offline_times
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.members import labels
from pulsoid_rec.analysis.metrics.summary import BY_PHASE
from pulsoid_rec.recorder.contract.display import plain

_FRAMES = ("summary", "time_at_bpm", "readings", "untimely", "rejected", "marks", "phases")
"""Frames of a report that are divided into those of its sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """One session of a report; its frames are the report's, and hold the rows of this session alone."""

    room_id: str
    session: int
    started_at: datetime  # the first and last reading in the report; the whole session's if nothing was checked
    ended_at: datetime
    present_from: datetime  # the same on the room's clock, if members' clocks are wrong in all of the session
    present_until: datetime
    local_zone: tzinfo | None  # of the reader; None for this computer's
    zone: timezone  # its offset at the session's start
    definitions: Definitions
    names: dict[str, str]  # a label for each member by profile id, in the order of the summary; all different
    known_names: Mapping[tuple[str, str], str]  # `ReportData.known_names`
    clocks: Clocks
    offline: tuple[Offline, ...]  # when the room was not recorded, on the room's clock
    has_connections: bool  # whether it is known when the recorder was connected to the room
    summary: pl.DataFrame
    time_at_bpm: pl.DataFrame
    readings: pl.DataFrame
    marks: pl.DataFrame
    phases: pl.DataFrame
    by_phase: pl.DataFrame  # without rows unless it is wanted
    untimely: pl.DataFrame
    checks: Checks
    member_events: pl.DataFrame
    rejected: pl.DataFrame

    def clock(self, at: datetime, timespec: str = "seconds") -> str:
        """Format an instant as local time, with the date and the offset where they are not those of the start."""
        return format_clock(at, self.local_zone, self.started_at, timespec)

    def label(self, profile_id: str) -> str:
        """Return a label for a member, also for one who sent no reading."""
        return self.names.get(profile_id) or self.known_names.get((self.room_id, profile_id)) or profile_id[:8]

    @property
    def has_phases(self) -> bool:
        """Whether a phase was marked."""
        return bool(self.phases["phase"].sum())

    def mark_label(self, mark: Mapping[str, Any]) -> str:
        """Return a mark's label, with the member's if it is of one; `mark` is a row of `marks`."""
        member = "" if mark["profile_id"] is None else f"{self.label(mark['profile_id'])}: "
        return plain(member + mark["label"])

    def phase_label(self, phase: Mapping[str, Any]) -> str:
        """Return a phase's number and label; `phase` is a row of `phases` or `by_phase`."""
        return f"{phase['phase']}. {plain(phase['phase_label'])}" if phase["phase"] else "before the first phase"


def session_views(report: ReportData, zone: tzinfo | None = None) -> list[SessionView]:
    """Divide a report into its sessions, in the order of `report.sessions`; `zone` is the reader's."""
    frames = {name: getattr(report, name) for name in _FRAMES}
    frames["by_phase"] = pl.DataFrame(schema=BY_PHASE) if report.by_phase is None else report.by_phase
    by_session = {name: frame.partition_by("room_id", "session", as_dict=True) for name, frame in frames.items()}
    checks_of = report.checks.by_session()
    # The receipt of an import shows no clock, though a few seconds that came at once look as if it did.
    imported = pl.DataFrame([*report.imported], {"room_id": pl.String(), "session": pl.Int64()}, orient="row")
    clocks_of = compare_clocks(report.checks.windows.join(imported, on=["room_id", "session"], how="anti"))
    rooms = {room_id: _Room.of(report, room_id) for room_id in report.sessions["room_id"].unique()}
    views = []
    for row in report.sessions.iter_rows(named=True):
        room_id, session = row["room_id"], row["session"]
        rows = {name: by_session[name].get((room_id, session), frame.clear()) for name, frame in frames.items()}
        # A filter by time may select only a part of the session.
        checks = checks_of(room_id, session)
        ends = checks.ends.select("profile_id", "first_at", "last_at").rows() or [
            ("", row["started_at"], row["ended_at"])
        ]
        started_at, ended_at = min(first for _, first, _ in ends), max(last for *_, last in ends)
        room = rooms[room_id]
        is_recorded = (room_id, session) not in report.imported
        clocks = clocks_of.get((room_id, session), Clocks())
        begin = min(clocks.correct(id_, first) for id_, first, _ in ends)
        end = max(clocks.correct(id_, last) for id_, _, last in ends)
        view = SessionView(
            room_id=room_id,
            session=session,
            started_at=started_at,
            ended_at=ended_at,
            present_from=begin,
            present_until=end,
            local_zone=zone,
            zone=fixed_zone(started_at, zone),
            definitions=report.definitions,
            names=labels(rows["summary"]),
            known_names=report.known_names,
            clocks=clocks,
            offline=room.offline_between(begin, end, clocks) if is_recorded else (),
            has_connections=room.has_connections and is_recorded,
            checks=checks,
            member_events=room.events_between(begin, end),
            **rows,
        )
        views.append(view)
    return views


@dataclass(frozen=True, slots=True)
class _Room:
    """What all sessions of a room share, in the order of time."""

    offline: list[Offline]
    has_connections: bool
    member_events: pl.DataFrame

    @classmethod
    def of(cls, report: ReportData, room_id: str) -> "_Room":
        in_room = pl.col("room_id") == room_id
        connections = report.connection_events.filter(in_room)
        return cls(
            offline_times(connections, report.last_received.filter(in_room)),
            not connections.is_empty(),
            report.member_events.filter(in_room).sort("occurred_at"),
        )

    def events_between(self, begin: datetime, end: datetime) -> pl.DataFrame:
        """Select the members' events of a time, both ends included."""
        at = self.member_events["occurred_at"]
        return self.member_events[at.search_sorted(begin, "left") : at.search_sorted(end, "right")]

    def offline_between(self, begin: datetime, end: datetime, clocks: Clocks) -> tuple[Offline, ...]:
        """Find the times that overlap another, which is on the room's clock as they are; in order, and apart."""
        begin, end = clocks.to_recorder(begin), clocks.to_recorder(end)
        first = bisect_right(self.offline, begin, key=lambda time: time.ends_at)
        overlapping = self.offline[first : bisect_left(self.offline, end, key=lambda time: time.begins_at)]
        return tuple(time.shift(clocks.to_room) for time in overlapping)
