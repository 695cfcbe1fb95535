"""The report for people in a terminal, as wide as the terminal is."""

import io
import shutil
import sys
from collections.abc import Callable
from datetime import tzinfo

import polars as pl
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from pulsoid_rec.analysis.findings.local_time import format_instant, to_local
from pulsoid_rec.analysis.findings.notes import session_notes
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.season import REMARK, is_season, season_members, season_sessions
from pulsoid_rec.analysis.findings.session_view import SessionView, session_views
from pulsoid_rec.analysis.report.terminal_columns import (
    TableColumn,
    count_of,
    member_columns,
    season_columns,
    session_columns,
)
from pulsoid_rec.analysis.report.text_table import FittingTable
from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.wording import format_count, format_duration, format_list, shorten

_LEGEND = (
    "Means and quantiles are weighted by time. Floor: the lowest heart rate held for 60 s, it or lower; peak: the "
    "highest held for 5 s, it or higher. Zones 1 to 5 begin at 50, 60, 70, 80, 90 % of HRmax."
)

_MOST_MARKS = 12
_LABEL_CHARS = 40

PLAIN_WIDTH = 160  # width in characters for a file or a pipe: enough for all columns


def open_terminal() -> Console | None:
    """Return a console for stdout, or None if stdout is no terminal."""
    if not sys.stdout.isatty():
        return None
    size = shutil.get_terminal_size()  # rich takes a terminal without colours to be 80 columns wide
    return Console(highlight=False, width=size.columns, height=size.lines)


def plain_text(show: Callable[[Console], None]) -> str:
    """Return what a function prints on a console, as plain text."""
    file = io.StringIO()
    show(Console(file=file, width=PLAIN_WIDTH, no_color=True, highlight=False))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def show_report(report: ReportData, console: Console, zone: tzinfo | None = None) -> None:
    """Print a table for each session of a report, with the notes on how far to trust it; without members nothing.

    Columns that do not fit are left out, the least important first. `zone` is the reader's; None for this computer's.
    """
    if report.summary.is_empty():
        return
    if is_season(report):
        _show_season(report, console, zone)
    else:
        _show_sessions(report, console, zone)
    shown = f"Shown: {plain(report.filter)}. " if report.filter else ""
    console.print(Padding(Text(f"{shown}{_LEGEND}", style="dim"), (1, 1, 0, 1)))


def _show_sessions(report: ReportData, console: Console, zone: tzinfo | None) -> None:
    for index, view in enumerate(session_views(report, zone)):
        if index:
            console.print()
        console.print(_heading(view, report.rooms[view.room_id]))
        if report.by_phase is not None:
            _show_phases(view, console)
        console.print(
            _members_table(view.summary.with_columns(pl.Series("name", list(view.names.values()), pl.String())))
        )
        console.print(Padding(Text(plain(_describe_hr_max(view)), style="dim"), (0, 1)))
        if not view.marks.is_empty():
            console.print(Padding(Text(_describe_marks(view)), (0, 1)))
        for note in session_notes(view):
            console.print(Padding(Text(plain(note.text)), (0, 1)))


def _describe_marks(view: SessionView) -> str:
    marks = [
        f"{view.clock(row['occurred_at'])} {shorten(view.mark_label(row), _LABEL_CHARS)}"
        for row in view.marks.iter_rows(named=True)
    ]
    return f"Marks: {format_list(marks, _MOST_MARKS)}."


def _show_phases(view: SessionView, console: Console) -> None:
    """Print a table for each phase of a session, and a heading for the session as a whole."""
    of_phase = view.by_phase.partition_by("phase", as_dict=True)
    for phase in view.phases.iter_rows(named=True):
        rows = of_phase.get((phase["phase"],))
        begin, end = view.clock(phase["started_at"]), view.clock(phase["ended_at"])
        lasted = format_duration((phase["ended_at"] - phase["started_at"]).total_seconds())
        title = Text.assemble((view.phase_label(phase), "bold"), f"  {begin} to {end}, {lasted}")
        console.print(Padding(Group(title, *([] if rows is not None else [Text("No readings.")])), (1, 1, 0, 1)))
        if rows is not None:
            labels = pl.Series("name", [view.label(id_) for id_ in rows["profile_id"]], pl.String())
            console.print(_members_table(rows.with_columns(labels)))
    if not view.has_phases:
        console.print(Padding(Text("No phase was marked: `pulsoid-rec mark LABEL --phase` begins one."), (0, 1)))
    console.print(Padding(Text("The whole session", style="bold"), (1, 1, 0, 1)))


def _show_season(report: ReportData, console: Console, zone: tzinfo | None) -> None:
    """Print a line for each session, and one for each member over all of them."""
    console.print(FittingTable(_room_column(), season_columns(zone), season_sessions(report)))
    room = [_room_column()] if len(report.rooms) > 1 else []
    console.print(_members_table(season_members(report), *room))
    if report.by_phase is not None:
        console.print(Padding(Text("Phases of so many sessions are in --format json alone."), (0, 1)))
    console.print(Padding(Text(REMARK), (0, 1)))


def show_sessions(sessions: pl.DataFrame, console: Console, zone: tzinfo | None = None) -> None:
    """Print the sessions: `room_id`, `session`, `started_at`, `ended_at`, `duration_s`, and counts by session.

    These are `members`, `readings`, `untimely` (readings that are left out, as their time is wrong) and `rejected`
    (messages); a count that is unknown is left out. Without sessions nothing is printed.
    """
    if sessions.is_empty():
        return
    *columns, rejected = session_columns(zone)
    counts = {"untimely": TableColumn(unit="Untimely", rank=8, cell=count_of("untimely")), "rejected": rejected}
    columns += [column for name, column in counts.items() if not sessions[name].null_count()]
    console.print(FittingTable(_room_column(), columns, sessions))


def _heading(view: SessionView, room: str) -> RenderableType:
    begin = format_instant(view.started_at, view.local_zone)
    weekday = f"{to_local(view.started_at, view.local_zone):%a}"
    lasted = format_duration((view.ended_at - view.started_at).total_seconds())
    when = f"{weekday} {begin} to {view.clock(view.ended_at)} ({view.zone})"
    title = Text.assemble((plain(room), "bold"), (f", session {view.session}", "bold"))
    return Padding(Group(title, Text(f"{when}, {lasted}")), (0, 1))


def _members_table(members: pl.DataFrame, *further: TableColumn) -> FittingTable:
    """Make a table of members; `name` is their label."""
    label = TableColumn(
        unit="Member",
        cell=lambda row, _: plain(row["name"]),
        total=format_count(members.height, "member") if members.height > 1 else "",
        justify="left",
    )
    return FittingTable(label, [*further, *member_columns(members)], members)


def _room_column() -> TableColumn:
    return TableColumn(unit="Room", cell=lambda row, _: plain(row["room_id"]), justify="left")


def _describe_hr_max(view: SessionView) -> str:
    """Describe where each member's HRmax comes from, and who has none, and so no zones."""
    by_source: dict[str | None, list[str]] = {}
    for id_, source in view.summary.select("profile_id", "hr_max_source").iter_rows():
        by_source.setdefault(source, []).append(view.names[id_])
    if set(by_source) == {None}:
        return "HRmax is unknown for all members: no zones and loads. Give hr_max or birth_year in members.toml."
    sources = {"given": "as given", "age": "from age", None: "not known, so no zones and loads"}
    lists = [f"{text}: {format_list(by_source[source])}" for source, text in sources.items() if source in by_source]
    return f"HRmax {'; '.join(lists)}."
