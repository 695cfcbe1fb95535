"""How alike the members of each session moved, for people in a terminal."""

from collections.abc import Sequence
from datetime import tzinfo
from functools import partial

import polars as pl
from rich.console import Console, Group
from rich.padding import Padding
from rich.text import Text

from pulsoid_rec.analysis.findings.local_time import fixed_zone, format_clock, format_instant, to_local
from pulsoid_rec.analysis.group.figures import FIGURES
from pulsoid_rec.analysis.group.sessions_together import SessionTogether
from pulsoid_rec.analysis.metrics.columns import SummaryColumn
from pulsoid_rec.analysis.report.terminal import plain_text
from pulsoid_rec.analysis.report.terminal_columns import Cell, Row, TableColumn
from pulsoid_rec.analysis.report.text_table import FittingTable
from pulsoid_rec.analysis.report.together_words import LEGEND, describe_basis, describe_findings, describe_pairs, format_value, group_rows
from pulsoid_rec.recorder.contract.display import plain


def together_text(sessions: Sequence[SessionTogether], zone: tzinfo | None = None) -> str:
    """Return the sessions' figures as plain text; empty when there are none."""
    return plain_text(lambda console: show_together(sessions, console, zone)) if sessions else ""


def show_together(sessions: Sequence[SessionTogether], console: Console, zone: tzinfo | None = None) -> None:
    """Print a table for each session, one at least, and in words what it does not show.

    `zone` is the reader's; None for this computer's.
    """
    for index, each in enumerate(sessions):
        if index:
            console.print()
        console.print(_heading(each, zone))
        rows = group_rows(each)
        if rows["value"].count():
            label = TableColumn(unit="Measure", cell=lambda row, _: str(row["label"]), justify="left")
            console.print(FittingTable(label, _columns(), rows))
        for text in filter(None, [describe_findings(each), *describe_pairs(each)]):
            console.print(Padding(Text(plain(text)), (0, 1)))
        for text in dict.fromkeys(rows.filter(pl.col("value").is_null())["reason"].drop_nulls()):
            console.print(Padding(Text(text), (0, 1)))
    result = sessions[0].result
    console.print(Padding(Text(" ".join([LEGEND, result.preparation_note]), style="dim"), (1, 1, 0, 1)))
    console.print(Padding(Text("What this does not show", style="bold"), (1, 1, 0, 1)))
    for text in result.cautions:
        console.print(Padding(Text(f"- {text}"), (0, 1)))


def _heading(each: SessionTogether, zone: tzinfo | None) -> Padding:
    begin, end = each.started_at, each.ended_at
    title = Text(f"{plain(each.room)}, session {each.result.session}", style="bold")
    when = f"{to_local(begin, zone):%a} {format_instant(begin, zone)} to {format_clock(end, zone, begin)}"
    lines = [f"{when} ({fixed_zone(begin, zone)})", *map(plain, describe_basis(each))]
    return Padding(Group(title, *map(Text, lines)), (0, 1))


def _columns() -> list[TableColumn]:
    return [
        TableColumn(
            head="By chance" if column.name == "chance" else "",
            unit=column.head,
            rank=column.rank or 0,
            cell=partial(_cell, column),
        )
        for column in FIGURES
        if column.head
    ]


def _cell(column: SummaryColumn, row: Row, _encoding: str) -> Cell:
    return format_value(row[column.name], column.decimals)
