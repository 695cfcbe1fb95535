"""The report for people in a terminal, as wide as the terminal is."""

import io
import sys
import unicodedata
from collections.abc import Callable, Sequence
from datetime import tzinfo

import polars as pl
from rich import box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pulsoid_rec.analysis.findings.presence import presence_notes
from pulsoid_rec.analysis.findings.quality import quality_notes
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.session_view import SessionView, session_views
from pulsoid_rec.analysis.findings.wording import DASH, format_offset
from pulsoid_rec.analysis.report.terminal_columns import COLUMNS, ColumnSpec, session_columns
from pulsoid_rec.recorder.contract.wording import format_count, format_duration

_LEGEND = (
    "Means and quantiles are weighted by time. Floor: the lowest heart rate held for 60 s, it or lower; peak: the "
    "highest held for 5 s, it or higher. Zones 1 to 5 begin at 50, 60, 70, 80, 90 % of HRmax."
)

_OBEYED = {"Cc", "Cf", "Cs"}
_JOINER = "\N{ZERO WIDTH JOINER}"  # which holds an emoji together
_INSTEAD = "\N{REPLACEMENT CHARACTER}"

PLAIN_WIDTH = 160
"""Columns of a text that goes to a file or a pipe, where nothing has to be left out."""


def open_terminal() -> Console | None:
    """Give the terminal that stdout is; None where it is none."""
    return Console(highlight=False) if sys.stdout.isatty() else None


def report_text(report: ReportData, zone: tzinfo | None = None) -> str:
    """Write the report as plain text; empty when nobody is in it."""
    return "" if report.summary.is_empty() else _plain_text(lambda console: show_report(report, console, zone))


def sessions_text(sessions: pl.DataFrame, zone: tzinfo | None = None) -> str:
    """Write the sessions as plain text; empty when there are none."""
    return "" if sessions.is_empty() else _plain_text(lambda console: show_sessions(sessions, console, zone))


def _plain_text(show: Callable[[Console], None]) -> str:
    file = io.StringIO()
    show(Console(file=file, width=PLAIN_WIDTH, no_color=True, highlight=False))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def show_report(report: ReportData, console: Console, zone: tzinfo | None = None) -> None:
    """Print a table for each session, and what has to be known to trust it.

    Parameters
    ----------
    report
        The report; it has members.
    console
        Where to; columns that do not fit are left out, the least needed first.
    zone
        Time zone of the screen; None for this computer's.
    """
    parts = session_views(report, zone)
    notes = [*presence_notes(report, parts), *quality_notes(parts, report.options)]
    for index, part in enumerate(parts):
        texts = [note.text for note in notes if (note.room_id, note.session) == (part.room_id, part.session)]
        if index:
            console.print()
        console.print(_heading(part, report.rooms[part.room_id]))
        console.print(_members_table(part, console))
        for text in (*_hr_max_words(part), *texts):
            console.print(Padding(Text(plain(text), style="dim" if text.startswith("HRmax") else ""), (0, 1)))
    shown = f"Shown: {plain(report.filter)}. " if report.filter else ""
    console.print(Padding(Text(f"{shown}{_LEGEND}", style="dim"), (1, 1, 0, 1)))


def show_sessions(sessions: pl.DataFrame, console: Console, zone: tzinfo | None = None) -> None:
    """Print the sessions: `room_id`, `session`, `started_at`, `ended_at`, `duration_s`, `members`, `readings`."""
    rooms = [Text(plain(room)) for room in sessions["room_id"]]
    console.print(_fitting_table("Room", rooms, sessions, session_columns(zone), console))


def plain(text: str) -> str:
    """Take out of a text from elsewhere what a terminal would obey, such as escape sequences."""
    return "".join(c if c == _JOINER or unicodedata.category(c) not in _OBEYED else _INSTEAD for c in text)


def _heading(part: SessionView, room: str) -> RenderableType:
    begin = part.started_at.astimezone(part.zone)
    lasted = format_duration((part.ended_at - part.started_at).total_seconds())
    when = f"{begin:%a} {begin.day} {begin:%b %Y, %H:%M:%S} to {part.clock(part.ended_at)} ({format_offset(part.zone)})"
    title = Text.assemble((plain(room), "bold"), (f", session {part.session}", "bold"))
    return Padding(Group(title, Text(f"{when}, {lasted}")), (0, 1))


def _members_table(part: SessionView, console: Console) -> Table:
    labels = [Text(plain(part.names[id_])) for id_ in part.summary["profile_id"]]
    columns = [column for column in COLUMNS if column.is_known(part.summary)]
    table = _fitting_table("Member", labels, part.summary, columns, console)
    table.show_footer = part.summary.height > 1
    table.columns[0].footer = format_count(part.summary.height, "member")
    return table


def _fitting_table(
    first: str, labels: Sequence[Text], rows: pl.DataFrame, columns: Sequence[ColumnSpec], console: Console
) -> Table:
    """Make a table with as many columns as fit, the least needed left out first."""
    columns = list(columns)
    while True:
        table = _table(first, labels, rows, columns, console)
        needed = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
        if needed <= console.width or not columns:
            return table
        columns.remove(max(columns, key=lambda column: column.rank))


def _table(
    first: str, labels: Sequence[Text], rows: pl.DataFrame, columns: Sequence[ColumnSpec], console: Console
) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), footer_style="bold", header_style="bold")
    line = "\n" if any(column.head for column in columns) else ""
    table.add_column(line + first, overflow="ellipsis", no_wrap=True, max_width=max(12, console.width // 4))
    for column in columns:
        head = f"{column.head}{line}{column.unit}"
        table.add_column(head, footer=column.total(rows), justify=column.justify, no_wrap=True)
    for label, row in zip(labels, rows.iter_rows(named=True), strict=True):
        table.add_row(label, *(column.cell(row, console.encoding) or DASH for column in columns))
    return table


def _hr_max_words(part: SessionView) -> list[str]:
    """Say whose HRmax is from where, and who has no zones for want of one."""
    by_source: dict[str | None, list[str]] = {}
    for row in part.summary.iter_rows(named=True):
        by_source.setdefault(row["hr_max_source"], []).append(part.names[row["profile_id"]])
    if set(by_source) == {None}:
        return [
            "HRmax is not known of anybody, so there are no zones and loads: give birth_year or hr_max in members.toml."
        ]
    words = {"given": "as given", "age": "from age", None: "not known, so no zones and loads"}
    told = [f"{words[source]}: {_few(by_source[source])}" for source in words if source in by_source]
    return [f"HRmax {'; '.join(told)}."]


def _few(names: Sequence[str], most: int = 8) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
