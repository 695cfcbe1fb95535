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

from analysis.parts import Part, fixed_zone, parts_of
from analysis.presence import presence_notes
from analysis.quality import quality_notes
from analysis.report_data import ReportData
from analysis.terminal_columns import COLUMNS, ColumnSpec
from analysis.words import DASH, count_words, duration_words, zone_words

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
    notes = [*presence_notes(report, zone), *quality_notes(report, zone)]
    for index, part in enumerate(parts_of(report, zone)):
        texts = [note.text for note in notes if (note.room_id, note.session) == (part.room_id, part.session)]
        if index:
            console.print()
        console.print(_heading(part, report.rooms[part.room_id]))
        console.print(_fitting_table(part, console))
        for text in (*_hr_max_words(part), *texts):
            console.print(Padding(Text(plain(text), style="dim" if text.startswith("HRmax") else ""), (0, 1)))
    if report.filter:
        console.print(Padding(Text(f"Shown: {plain(report.filter)}.", style="dim"), (1, 1, 0, 1)))


def show_sessions(sessions: pl.DataFrame, console: Console, zone: tzinfo | None = None) -> None:
    """Print the sessions: `room_id`, `session`, `started_at`, `ended_at`, `duration_s`, `members`, `readings`."""
    table = _empty_table()
    heads = ("Room", "Session", "Began", "Ended", "Lasted", "Members", "Readings")
    for head, justify in zip(heads, "lrlllrr", strict=True):
        table.add_column(head, justify="right" if justify == "r" else "left", overflow="fold", no_wrap=head != "Room")
    for row in sessions.iter_rows(named=True):
        offset = fixed_zone(row["started_at"], zone)
        begin, end = row["started_at"].astimezone(offset), row["ended_at"].astimezone(offset)
        same_day = begin.date() == end.date()
        table.add_row(
            Text(plain(row["room_id"])),
            str(row["session"]),
            f"{begin:%Y-%m-%d %H:%M:%S}",
            f"{end:%H:%M:%S}" if same_day else f"{end:%Y-%m-%d %H:%M:%S}",
            duration_words(row["duration_s"]),
            f"{row['members']:,}",
            f"{row['readings']:,}",
        )
    console.print(table)


def plain(text: str) -> str:
    """Take out of a text from elsewhere what a terminal would obey, such as escape sequences."""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in {"Cc", "Cf", "Cs"} else c for c in text)


def _heading(part: Part, room: str) -> RenderableType:
    begin = part.started_at.astimezone(part.zone)
    lasted = duration_words((part.ended_at - part.started_at).total_seconds())
    when = f"{begin:%a} {begin.day} {begin:%b %Y, %H:%M:%S} to {part.clock(part.ended_at)} ({zone_words(part.zone)})"
    title = Text.assemble((plain(room), "bold"), (f", session {part.session}", "bold"))
    return Padding(Group(title, Text(f"{when}, {lasted}")), (0, 1))


def _fitting_table(part: Part, console: Console) -> Table:
    """Make the table with as many columns as fit."""
    columns = [column for column in COLUMNS if column.is_known(part.summary)]
    while True:
        table = _table(part, columns, console)
        needed = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
        if needed <= console.width or len(columns) <= 1:
            return table
        columns.remove(max(columns, key=lambda column: column.rank))


def _table(part: Part, columns: Sequence[ColumnSpec], console: Console) -> Table:
    table = _empty_table()
    table.show_footer = part.summary.height > 1
    members = count_words(part.summary.height, "member")
    table.add_column(
        "\nMember", footer=members, overflow="ellipsis", no_wrap=True, max_width=max(12, console.width // 4)
    )
    for column in columns:
        table.add_column(
            f"{column.head}\n{column.unit}", footer=column.total(part.summary), justify="right", no_wrap=True
        )
    for row in part.summary.iter_rows(named=True):
        cells = [column.cell(row, console.encoding) or DASH for column in columns]
        table.add_row(Text(plain(part.names[row["profile_id"]])), *cells)
    return table


def _empty_table() -> Table:
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=True, footer_style="bold", header_style="bold")


def _hr_max_words(part: Part) -> list[str]:
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
