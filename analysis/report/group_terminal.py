"""The page of a command about a group as text, for a terminal or a file."""

from collections.abc import Iterable

import polars as pl
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from pulsoid_rec.analysis.report.group_page import GroupPage
from pulsoid_rec.analysis.report.html_tables import Table
from pulsoid_rec.analysis.report.terminal_columns import TableColumn
from pulsoid_rec.analysis.report.text_table import FittingTable
from pulsoid_rec.recorder.contract.display import plain


def show_group(page: GroupPage, console: Console) -> None:
    """Print title, notes, tables and remarks, all but the charts; columns that do not fit are left out."""
    console.print(Padding(Text(plain(page.title), style="bold"), (0, 1)))
    _print(console, (f"{fact}." for fact in page.facts))
    for part in page.parts:
        console.print(Padding(Text(part.title, style="bold"), (1, 1, 0, 1)))
        _print(console, part.lead)
        for table in part.tables:
            console.print(_table(table))
        _print(console, part.remarks, style="dim")
    if page.notes:
        console.print(Padding(Text("Before you trust the figures", style="bold"), (1, 1, 0, 1)))
        _print(console, page.notes)
    if page.method:
        console.print(Padding(Text("How it was computed", style="bold"), (1, 1, 0, 1)))
        _print(console, (f"{term}: {meaning}" for term, meaning in page.method), style="dim")


def _print(console: Console, texts: Iterable[str], style: str = "") -> None:
    for text in texts:
        console.print(Padding(Text(plain(text), style=style), (0, 1)))


def _table(table: Table) -> FittingTable:
    """Make the terminal's table of a page's; of too many columns the last ones are left out first."""
    rows = [{"label": label} | {str(i): cell.text for i, cell in enumerate(cells)} for label, cells in table.rows]
    (label, _), *heads = table.heads
    columns = [
        TableColumn(head=head, unit=unit, rank=i, cell=lambda row, _, key=str(i): row[key])  # type: ignore[misc] # a default
        for i, (head, unit) in enumerate(heads)
    ]
    schema = {"label": pl.String(), **{str(i): pl.String() for i in range(len(heads))}}
    first = TableColumn(unit=label, cell=lambda row, _: plain(row["label"]), justify="left")
    return FittingTable(first, columns, pl.DataFrame(rows, schema=schema))
