"""What a page shows of each session: facts, notes, charts and tables, ready for the template."""

from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Any

import polars as pl

from pulsoid_rec.analysis.charts.style import MEMBERS
from pulsoid_rec.analysis.findings.local_time import format_instant, to_local
from pulsoid_rec.analysis.findings.note import Note
from pulsoid_rec.analysis.findings.notes import session_notes
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.session_view import SessionView, session_views
from pulsoid_rec.analysis.findings.wording import format_share, is_unknown
from pulsoid_rec.analysis.report.html_charts import (
    CROWD,
    PageChart,
    choose_buckets,
    course_chart,
    distribution_chart,
    member_charts,
    overview_chart,
    why_no_course,
    zones_chart,
)
from pulsoid_rec.analysis.report.html_tables import NO_READING, Table, make_tables
from pulsoid_rec.recorder.contract.wording import format_count, format_duration, format_list, shorten

_MOST_NAMED = 500
_LEAST_NAMED = 20
_PHASE_CHARS = 32  # of a phase's label in a table
_ALL_NAMED = 1_200
"""Members of a session who have rows in its charts and tables: at most, at least, and of all sessions: 3 MB of page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member on the page; `colour` is a name in the palette, or None where members have no colours."""

    place: int
    label: str
    coverage: str
    colour: str | None
    summary: str
    chart: PageChart | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A session on the page."""

    id: str
    room: str
    view: SessionView
    date: str
    hours: str
    facts: tuple[str, ...]
    notes: list[Note]
    members: list[Member]
    unnamed: int  # members who are in no table and chart by name, since there are too many
    crowd: bool
    overview: PageChart | None
    course: PageChart | None  # how alike they moved, below it
    without_course: str  # why there is none
    zones: PageChart | None
    without_hr_max: str
    distribution: PageChart | None
    tables: tuple[Table, ...]
    marks: tuple[tuple[str, str], ...]  # when, and its label; of a phase also how long it lasted
    has_phases: bool
    by_phase: tuple[Table, ...]

    @property
    def charts(self) -> list[PageChart]:
        """All its charts, in the order of the page."""
        charts = (self.overview, self.course, *(member.chart for member in self.members), self.zones, self.distribution)
        return [chart for chart in charts if chart is not None]


def make_sections(report: ReportData, zone: tzinfo | None = None) -> list[Section]:
    """Prepare each session of a report, which has its readings, in the order of `report.sessions`."""
    return [_section(view, f"s{number}", report) for number, view in enumerate(session_views(report, zone))]


def _section(view: SessionView, id_: str, report: ReportData) -> Section:
    begin = to_local(view.started_at, view.local_zone)
    named = _named(view, max(_LEAST_NAMED, min(_MOST_NAMED, _ALL_NAMED // report.sessions.height)))
    buckets = choose_buckets(min(report.summary.height, len(named.names) * report.sessions.height))
    unknown = view.summary.filter(pl.col("hr_max").is_null())["profile_id"]
    course = course_chart(view, id_)
    return Section(
        id=id_,
        room=report.rooms.get(view.room_id, view.room_id),
        view=view,
        date=f"{begin:%A} {begin.day} {begin:%B} {begin.year:04}",
        hours=f"{view.clock(view.started_at)} to {view.clock(view.ended_at)}",
        facts=(
            format_duration((view.ended_at - view.started_at).total_seconds()),
            format_count(view.summary.height, "member"),
            format_count(int(view.summary["readings"].sum()), "plausible reading"),
            f"local time, {view.zone}",
            f"began {format_instant(view.started_at, UTC)} UTC",
        ),
        notes=session_notes(view),
        members=_members(named, member_charts(named, id_, buckets, report.summary.height)),
        unnamed=len(view.names) - len(named.names),
        crowd=len(view.names) > CROWD,
        overview=overview_chart(view, named, id_, buckets),
        course=course,
        without_course=why_no_course(view) if course is None else "",
        zones=zones_chart(named, id_),
        without_hr_max=format_list([view.names[member] for member in unknown], _MOST_NAMED),
        distribution=distribution_chart(named, id_),
        tables=make_tables(
            named.summary.with_columns(name=pl.Series(named.names.values(), dtype=pl.String)), view.clock
        ),
        marks=tuple(_describe_mark(view, row) for row in view.marks.iter_rows(named=True)),
        has_phases=view.has_phases,
        by_phase=_tables_by_phase(view),
    )


def _describe_mark(view: SessionView, mark: dict[str, Any]) -> tuple[str, str]:
    kind = "Phase " if mark["kind"] == "phase" else ""
    return view.clock(mark["occurred_at"]), f"{kind}{view.mark_label(mark)}"


def _tables_by_phase(view: SessionView) -> tuple[Table, ...]:
    """Make tables with a row for each phase and member, if they are wanted: of those who were observed longest."""
    if view.by_phase.is_empty() or not view.has_phases:
        return ()
    named = _named(view, max(_LEAST_NAMED, _ALL_NAMED // view.phases.height))
    rows = view.by_phase.filter(pl.col("profile_id").is_in(list(named.names)))
    labels = {row["phase"]: shorten(view.phase_label(row), _PHASE_CHARS) for row in view.phases.iter_rows(named=True)}
    return make_tables(
        rows.with_columns(
            name=pl.Series([named.names[id_] for id_ in rows["profile_id"]], dtype=pl.String),
            phase_name=pl.Series([labels[phase] for phase in rows["phase"]], dtype=pl.String),
        ),
        view.clock,
    )


def _named(view: SessionView, most: int) -> SessionView:
    """Return a session with those members alone who were observed longest, if there are more than `most`."""
    if view.summary.height <= most:
        return view
    ids = view.summary.top_k(most, by="observed_s").select("profile_id")
    frames = {
        name: getattr(view, name).join(ids, on="profile_id", how="semi", maintain_order="left")
        for name in ("summary", "time_at_bpm", "readings")
    }
    names = {id_: view.names[id_] for id_ in frames["summary"]["profile_id"]}
    return replace(view, names=names, **frames)


def _members(view: SessionView, charts: dict[str, PageChart]) -> list[Member]:
    has_colours = len(view.names) <= len(MEMBERS)
    return [
        Member(
            place=place,
            label=view.names[row["profile_id"]],
            coverage=format_share(row["coverage"]),
            colour=f"member{place + 1}" if has_colours else None,
            summary=_summarize(row),
            chart=charts.get(row["profile_id"]),
        )
        for place, row in enumerate(view.summary.iter_rows(named=True))
    ]


def _summarize(row: dict[str, Any]) -> str:
    if not row["readings"]:
        return NO_READING
    if is_unknown(row["bpm_mean"]):
        return format_count(row["readings"], "reading")
    peak = "" if row["bpm_peak"] is None else f", peak {row['bpm_peak']}"
    return f"mean {row['bpm_mean']:.0f}{peak} bpm"
