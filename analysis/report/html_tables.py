"""The summary as tables of a page: one for each topic, coverage beside every name, a reason for every dash."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

import polars as pl

from pulsoid_rec.analysis.findings.wording import DASH, format_figure, format_share, is_unknown
from pulsoid_rec.analysis.metrics.columns import NO_EFFORT, NO_HR_MAX, SUMMARY, SummaryColumn, Topic

NO_READING = "no plausible reading"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The content of a table's cell; `mark` is the number of the remark that explains a dash, else None."""

    text: str
    mark: int | None = None
    is_coverage: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of figures: heads as (name, unit), the first of them over the rows' labels, remarks numbered from 1."""

    title: str
    heads: tuple[tuple[str, str], ...]
    rows: Iterable[tuple[str, tuple[Cell, ...]]]
    remarks: tuple[str, ...] = ()


def make_tables(summary: pl.DataFrame, clock: Callable[[datetime], str]) -> tuple[Table, ...]:
    """Make a table for each `Topic` of a summary, of those of its columns that have a head.

    It is of one session, or as `season.season_members` returns it, or by phase with `phase_name`; `name` is a label.
    `clock` formats an instant.
    """
    # Coverage is shown in each table, beside the name.
    shown = [each for each in SUMMARY if each.head and each.name != "coverage" and each.name in summary.columns]
    shown.sort(key=lambda column: column.order)
    return tuple(
        _table(topic, [column for column in shown if column.topic == topic], summary, clock)
        for topic in get_args(Topic)
    )


def _table(title: str, columns: list[SummaryColumn], summary: pl.DataFrame, clock: Callable[[datetime], str]) -> Table:
    remarks: dict[str, int] = {}
    further = [name for name in _FURTHER if name in summary.columns]
    rows = tuple(
        (
            row["name"],
            (
                *(Cell(text=f"{row[name]:,}" if name == "sessions" else row[name]) for name in further),
                Cell(text=format_share(row["coverage"]), is_coverage=True),
                *_cells(row, columns, remarks, clock),
            ),
        )
        for row in summary.iter_rows(named=True)
    )
    heads = [(_FURTHER[name], "") for name in further] + [("Coverage", "")]
    heads += [(column.head, column.unit) for column in columns]
    return Table(title=title, heads=(("Member", ""), *heads), rows=rows, remarks=tuple(remarks))


_FURTHER = {"room": "Room", "sessions": "Sessions", "phase_name": "Phase"}
"""Heads of columns that only a season, or only a table by phase has."""


def _cells(
    row: Row, columns: list[SummaryColumn], remarks: dict[str, int], clock: Callable[[datetime], str]
) -> Iterator[Cell]:
    for column in columns:
        value = row[column.name]
        if is_unknown(value):
            yield Cell(text=DASH, mark=remarks.setdefault(_why_unknown(row, column), len(remarks) + 1))
        elif column.format == "clock":
            yield Cell(text=clock(value))
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
