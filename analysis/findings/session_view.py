"""A report divided into its sessions, each with its rows, its members' labels and its local time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo

import polars as pl

from pulsoid_rec.analysis.findings.offline import Offline, offline_times
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.wording import format_clock
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.members import labels


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """One session of a report, with the rows of the report's frames that belong to it.

    Parameters
    ----------
    room_id, session
        Which session.
    started_at, ended_at
        Its first and last reading in the report (aware, UTC); the whole session's if the report has no readings.
    zone
        The offset of local time at its start, used for the whole session, even if clocks change during it.
    definitions
        The report's definitions.
    names
        A label for each member, by profile id and in the order of the summary; all different.
    config_names
        `ReportData.config_names`.
    offline
        The times in the session in which the room was not recorded.
    has_connections
        Whether the recorder's connections to the room are known, and so the times in which it was recording.
    summary, time_at_bpm, readings, member_events
        The report's frames, of this session only.
    """

    room_id: str
    session: int
    started_at: datetime
    ended_at: datetime
    zone: timezone
    definitions: Definitions
    names: dict[str, str]
    config_names: Mapping[tuple[str, str], str]
    offline: tuple[Offline, ...]
    has_connections: bool
    summary: pl.DataFrame
    time_at_bpm: pl.DataFrame
    readings: pl.DataFrame
    member_events: pl.DataFrame

    def clock(self, at: datetime) -> str:
        """Format an instant as local time, with the date if the session began on another."""
        return format_clock(at, self.zone, self.started_at.astimezone(self.zone).date())

    def label(self, profile_id: str) -> str:
        """Return a label for a member, also for one who sent no reading."""
        return self.names.get(profile_id) or self.config_names.get((self.room_id, profile_id)) or profile_id[:8]


def session_views(report: ReportData, zone: tzinfo | None = None) -> list[SessionView]:
    """Divide a report into its sessions, in the order of `report.sessions`.

    Parameters
    ----------
    report
        The report.
    zone
        Time zone of the reader; None for this computer's.
    """
    frames = (report.summary, report.time_at_bpm, report.readings)
    by_session = [frame.partition_by("room_id", "session", as_dict=True) for frame in frames]
    views = []
    for row in report.sessions.iter_rows(named=True):
        room_id, session = row["room_id"], row["session"]
        summary, time_at_bpm, readings = (
            rows.get((room_id, session), frame.clear()) for frame, rows in zip(frames, by_session, strict=True)
        )
        # A filter by time may select only a part of the session.
        first_at, last_at = readings["occurred_at"].min(), readings["occurred_at"].max()
        started_at = first_at if isinstance(first_at, datetime) else row["started_at"]
        ended_at = last_at if isinstance(last_at, datetime) else row["ended_at"]
        in_room = pl.col("room_id") == room_id
        is_recorded = (room_id, session) not in report.imported
        connections = report.connection_events.filter(in_room & is_recorded)
        offline = offline_times(connections, report.last_received.filter(in_room))
        in_session = pl.col("occurred_at").is_between(started_at, ended_at)
        view = SessionView(
            room_id=room_id,
            session=session,
            started_at=started_at,
            ended_at=ended_at,
            zone=fixed_zone(started_at, zone),
            definitions=report.definitions,
            names=labels(summary),
            config_names=report.config_names,
            offline=tuple(time for time in offline if time.ends_at > started_at and time.begins_at < ended_at),
            has_connections=not connections.is_empty(),
            summary=summary,
            time_at_bpm=time_at_bpm,
            readings=readings,
            member_events=report.member_events.filter(in_room & in_session).sort("occurred_at"),
        )
        views.append(view)
    return views


def before(column: str) -> pl.Expr:
    """Return a column's value in the same member's previous reading, null for the first, in a report's `readings`."""
    same = pl.col("profile_id") == pl.col("profile_id").shift(1)
    return pl.when(same).then(pl.col(column).shift(1))


def fixed_zone(at: datetime, zone: tzinfo | None) -> timezone:
    """Return the offset from UTC at an aware instant in a time zone; None for this computer's."""
    return timezone(at.astimezone(zone).utcoffset() or timedelta())
