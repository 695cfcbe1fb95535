"""A report taken apart into its sessions, each with its rows, its members' labels and its local time."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo

import polars as pl

from pulsoid_rec.analysis.findings.offline import Offline, offline_times
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.wording import format_clock
from pulsoid_rec.analysis.metrics.members import labels


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """One session of a report, with the rows of the report's frames that belong to it.

    Parameters
    ----------
    room_id, session
        Which session.
    started_at, ended_at
        Its first and last reading that the report is about (aware, UTC); where the report has no readings, the whole
        session's.
    zone
        The offset of local time when it began, used for all of it: a clock change at night moves no reading.
    names
        A label for each member, by profile id and in the order of the summary; no two are alike.
    offline
        When nobody recorded the room, as far as it meets the session.
    summary, time_at_bpm, readings
        The report's frames, of this session only.
    """

    room_id: str
    session: int
    started_at: datetime
    ended_at: datetime
    zone: timezone
    names: dict[str, str]
    offline: tuple[Offline, ...]
    summary: pl.DataFrame
    time_at_bpm: pl.DataFrame
    readings: pl.DataFrame

    def clock(self, at: datetime) -> str:
        """Write an instant as local clocks showed it, with the date where the session did not begin on it."""
        return format_clock(at, self.zone, self.started_at.astimezone(self.zone).date())


def session_views(report: ReportData, zone: tzinfo | None = None) -> list[SessionView]:
    """Take a report apart into its sessions.

    Parameters
    ----------
    report
        The report.
    zone
        Time zone of the screen; None for this computer's.

    Returns
    -------
    list of SessionView
        A session each, in the order of `report.sessions`; nothing when there is none.
    """
    frames = (report.summary, report.time_at_bpm, report.readings)
    split = [frame.partition_by("room_id", "session", as_dict=True) for frame in frames]
    offline = {room: _offline(report, room) for room in report.sessions["room_id"].unique()}
    parts = []
    for row in report.sessions.iter_rows(named=True):
        key = (row["room_id"], row["session"])
        summary, held, readings = (rows.get(key, frame.clear()) for frame, rows in zip(frames, split, strict=True))
        # A filter by time may have left only a stretch of the session.
        instants = readings["occurred_at"]
        first, last = instants.min(), instants.max()
        started_at = first if isinstance(first, datetime) else row["started_at"]
        ended_at = last if isinstance(last, datetime) else row["ended_at"]
        part = SessionView(
            room_id=row["room_id"],
            session=row["session"],
            started_at=started_at,
            ended_at=ended_at,
            zone=fixed_zone(started_at, zone),
            names=labels(summary),
            offline=tuple(
                time for time in offline[row["room_id"]] if time.ends_at > started_at and time.begins_at < ended_at
            ),
            summary=summary,
            time_at_bpm=held,
            readings=readings,
        )
        parts.append(part)
    return parts


def _offline(report: ReportData, room_id: str) -> list[Offline]:
    ours = pl.col("room_id") == room_id
    return offline_times(report.connection_events.filter(ours), report.last_received.filter(ours))


def before(column: str) -> pl.Expr:
    """Give a column's value in the same member's reading before, in `readings` as a report has them; else null."""
    same = pl.col("profile_id") == pl.col("profile_id").shift(1)
    return pl.when(same).then(pl.col(column).shift(1))


def fixed_zone(at: datetime, zone: tzinfo | None) -> timezone:
    """Find the offset from UTC that local clocks showed at an instant.

    Parameters
    ----------
    at
        The instant, aware.
    zone
        Time zone; None for this computer's.
    """
    return timezone(at.astimezone(zone).utcoffset() or timedelta())
