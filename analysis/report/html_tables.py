"""The summary as tables of a page: one for each topic, coverage beside every name, a reason for every dash."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.findings.wording import DASH, format_figure, format_share, is_unknown
from pulsoid_rec.analysis.metrics.columns import NO_EFFORT, NO_HR_MAX, SUMMARY, SummaryColumn, Topic

NO_READING = "no plausible reading"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The content of a table's cell; `mark` is the number of the remark that explains a dash, else None."""

    text: str
    mark: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of figures: heads as (name, unit), rows as (member, coverage, cells), remarks numbered from 1."""

    title: str
    heads: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, str, tuple[Cell, ...]], ...]
    remarks: tuple[str, ...]


def make_tables(view: SessionView) -> tuple[Table, ...]:
    """Make a table for each `Topic` of a session's summary; without rows when the session has no member."""
    # Coverage is shown in each table, beside the name.
    shown = [column for column in SUMMARY if column.head and column.name != "coverage"]
    shown.sort(key=lambda column: column.order)
    return tuple(
        _table(topic, [column for column in shown if column.topic == topic], view) for topic in get_args(Topic)
    )


def _table(title: str, columns: list[SummaryColumn], view: SessionView) -> Table:
    remarks: dict[str, int] = {}
    rows = tuple(
        (view.names[row["profile_id"]], format_share(row["coverage"]), tuple(_cells(row, columns, remarks, view)))
        for row in view.summary.iter_rows(named=True)
    )
    heads = tuple((column.head, column.unit) for column in columns)
    return Table(title=title, heads=heads, rows=rows, remarks=tuple(remarks))


def _cells(row: Row, columns: list[SummaryColumn], remarks: dict[str, int], view: SessionView) -> Iterator[Cell]:
    for column in columns:
        value = row[column.name]
        if is_unknown(value):
            yield Cell(text=DASH, mark=remarks.setdefault(_why_unknown(row, column), len(remarks) + 1))
        elif column.format == "clock":
            yield Cell(text=view.clock(value))
        elif column.name == "hr_max":  # to a tenth if it is from age, else as given
            yield Cell(text=f"{value:g}" + (" from age" if row["hr_max_source"] == "age" else ""))
        else:
            yield Cell(text=format_figure(value, column))


def _why_unknown(row: Row, column: SummaryColumn) -> str:
    if not row["readings"]:
        return NO_READING
    if column.why_null == NO_EFFORT and row["hr_max"] is None:
        return NO_HR_MAX
    return column.why_null
