"""A table in a terminal: as many columns as fit, and time in proportion to its rows.

rich's own table measures and wraps each cell several times: 5,000 rows take it 14 s, this one 0.2 s.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from pulsoid_rec.analysis.findings.wording import DASH
from pulsoid_rec.analysis.report.terminal_columns import Row, TableColumn

_BOLD = Style(bold=True)
_LEAST_LABEL = 12  # characters of the first column, however narrow the terminal is


@dataclass(frozen=True, slots=True)
class FittingTable:
    """A table that leaves out the columns that do not fit beside its label, the least important first.

    `label` is the first column; what is too long in it is cut off. `rows` is a frame with a row for each of the
    table's.
    """

    label: TableColumn
    columns: Sequence[TableColumn]
    rows: pl.DataFrame

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table's lines."""
        rows, encoding = self.rows.to_dicts(), console.encoding
        made = [_Column.make(column, rows, encoding) for column in (self.label, *self.columns)]
        made[0].width = min(made[0].width, max(_LEAST_LABEL, options.max_width // 4))
        while len(made) > 1 and _width(made) > options.max_width:
            made.remove(max(made[1:], key=lambda each: each.of.rank))
        yield Segment.line()
        if any(each.of.head for each in made):
            yield from _line([(each, each.of.head) for each in made], console, _BOLD)
        yield from _line([(each, each.of.unit) for each in made], console, _BOLD)
        yield from (Segment(" " + ("-" if options.ascii_only else "─") * (_width(made) - 2)), Segment.line())
        for cells in zip(*(each.cells for each in made), strict=True):
            yield from _line(zip(made, cells, strict=True), console)
        yield Segment.line()
        if self.label.total:
            yield from _line([(each, each.of.total) for each in made], console, _BOLD)
            yield Segment.line()


@dataclass(slots=True)
class _Column:
    """A column with its cells, and its width in characters."""

    of: TableColumn
    cells: list[str | Text]
    width: int

    @classmethod
    def make(cls, column: TableColumn, rows: Sequence[Row], encoding: str) -> "_Column":
        cells = [column.cell(row, encoding) or DASH for row in rows]
        texts = (column.head, column.unit, column.total, *map(str, cells))
        return cls(column, cells, max(map(cell_len, texts)))


def _width(columns: Sequence[_Column]) -> int:
    return sum(column.width + 2 for column in columns) + 1


def _line(
    cells: Iterable[tuple[_Column, str | Text]], console: Console, style: Style | None = None
) -> Iterator[Segment]:
    """Lay out a line, with two characters between columns; what is too long ends with an ellipsis."""
    line = ""
    for column, cell in cells:
        text = str(cell)
        if (free := column.width - cell_len(text)) < 0:
            text, free = set_cell_size(text, column.width - 1) + "…", 0
        left = free if column.of.justify == "right" else 0
        line += " " * (1 + left)
        if isinstance(cell, Text):
            yield Segment(line, style)
            yield from cell.render(console)
            line = ""
        else:
            line += text
        line += " " * (1 + free - left)
    yield Segment(f"{line}\n", style)
