"""What a page shows of a season: facts, charts over all sessions, and tables of its sessions and its members."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

import polars as pl

from pulsoid_rec.analysis.findings.local_time import format_instant, to_local
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.season import season_members, season_sessions
from pulsoid_rec.analysis.findings.wording import DASH, format_share
from pulsoid_rec.analysis.report.html_charts import PageChart, season_charts
from pulsoid_rec.analysis.report.html_tables import Cell, Row, Table, make_tables
from pulsoid_rec.recorder.contract.wording import format_count, format_duration

_MOST_MEMBERS = 500
_MOST_SESSIONS = 5_000  # rows of the tables: 3 MB of page


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """A season on the page."""

    facts: tuple[str, ...]
    charts: list[PageChart]
    sessions: Table
    members: tuple[Table, ...]
    left_out: tuple[str, ...]  # what the tables leave out


def make_season(report: ReportData, zone: tzinfo | None = None) -> Season:
    """Prepare a report of many sessions; `zone` is the reader's, None for this computer's."""
    sessions, members = season_sessions(report), season_members(report)
    longest = members.top_k(_MOST_MEMBERS, by="observed_s").select("room_id", "profile_id")
    shown = members.join(longest, on=["room_id", "profile_id"], how="semi", maintain_order="left")
    if len(report.rooms) > 1:
        shown = shown.with_columns(room=pl.col("room_id").replace(report.rooms))
    latest = sessions.sort("started_at", descending=True).head(_MOST_SESSIONS)
    begin, *_, end = sorted(_day(at, zone) for at in sessions["started_at"])
    left_out = []
    if members.height > shown.height:
        left_out.append(
            f"Of {members.height:,} members those {shown.height:,} are listed who were observed longest: "
            "report --format json has all, session by session."
        )
    if sessions.height > latest.height:
        left_out.append(f"Of {sessions.height:,} sessions the latest {latest.height:,} are listed.")
    return Season(
        facts=(
            f"{begin} to {end}",
            format_count(members.height, "member"),
            format_count(int(members["readings"].sum()), "plausible reading"),
            f"{format_duration(float(members['observed_s'].sum()))} observed",
        ),
        charts=season_charts(report, members, zone),
        sessions=_sessions_table(latest, report, zone),
        members=make_tables(shown, lambda at: _day(at, zone)),
        left_out=tuple(left_out),
    )


def _day(at: datetime, zone: tzinfo | None) -> str:
    return to_local(at, zone).date().isoformat()


def _sessions_table(sessions: pl.DataFrame, report: ReportData, zone: tzinfo | None) -> Table:
    """Make a table with a row for each session, in their order."""
    heads = ["Session", "Began", "Lasted", "Members", "Readings", "Left out", "Rejected", "Coverage", "Mean", "Peak"]
    if len(report.rooms) > 1:
        heads.insert(1, "Room")
    units = {"Left out": "readings", "Rejected": "messages", "Mean": "bpm", "Peak": "bpm"}
    rows = tuple((f"{row['session']:,}", _session_cells(row, report, zone)) for row in sessions.iter_rows(named=True))
    return Table(
        title="Sessions, the latest first", heads=tuple((head, units.get(head, "")) for head in heads), rows=rows
    )


def _session_cells(row: Row, report: ReportData, zone: tzinfo | None) -> tuple[Cell, ...]:
    room = [report.rooms[row["room_id"]]] if len(report.rooms) > 1 else []
    begin = format_instant(row["started_at"], zone, "minutes")
    counts = [f"{row[name] or 0:,}" for name in ("members", "readings", "left_out", "rejected")]
    mean, peak = row["bpm_mean"], row["bpm_peak"]
    return (
        *(Cell(text=text) for text in (*room, begin, format_duration(row["duration_s"]), *counts)),
        Cell(text=format_share(row["coverage"]), is_coverage=True),
        Cell(text=DASH if mean is None else f"{mean:.1f}"),
        Cell(text=DASH if peak is None else f"{peak}"),
    )
