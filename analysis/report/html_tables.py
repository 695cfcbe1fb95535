"""The summary as tables for a page: the figures by topic, coverage beside every name, a reason for every dash."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.findings.wording import DASH, format_share
from pulsoid_rec.recorder.contract.wording import format_duration

NO_READING = "no plausible reading"
NO_HR_MAX = "HRmax is not known: give hr_max, or birth_year, in members.toml"
_NO_BANISTER = "needs HRmax, hr_rest and sex, given in members.toml"
_NO_EFFORT = "no effort of 2 min at or above 70 % of HRmax that readings cover until a minute after it"
_TOO_SHORT = "too few seconds were observed"
_ONE_READING = "there is only one reading"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What a table's field shows; `mark` is the number of the remark that says why it is a dash, else None."""

    text: str
    mark: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of figures: heads as (name, unit), rows as (member, coverage, cells), remarks numbered from 1."""

    title: str
    heads: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, str, tuple[Cell, ...]], ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    head: str
    unit: str
    value: str
    show: Callable[[Any], str]
    why: str = NO_READING


def _bpm(value: float) -> str:
    return f"{value:.0f}"


def _tenth(value: float) -> str:
    return f"{value:.1f}"


def _count(value: int) -> str:
    return f"{value:,}"


_FOUND = (
    _Column(head="Observed", unit="", value="observed_s", show=format_duration),
    _Column(head="Readings", unit="", value="readings", show=_count),
    _Column(head="Gaps", unit="", value="gaps", show=_count),
    _Column(head="Longest gap", unit="", value="longest_gap_s", show=format_duration, why="there is no gap"),
    _Column(head="Implausible", unit="readings", value="implausible", show=_count),
    _Column(head="Twice", unit="readings", value="duplicates", show=_count),
)
_HEART_RATE = (
    _Column(head="Mean", unit="bpm", value="bpm_mean", show=_tenth),
    _Column(head="SD", unit="bpm", value="bpm_sd", show=_tenth),
    _Column(head="Lowest", unit="bpm", value="bpm_min", show=_bpm),
    _Column(head="Floor", unit="bpm", value="bpm_floor", show=_bpm, why=_TOO_SHORT),
    _Column(head="5 %", unit="bpm", value="bpm_p05", show=_bpm),
    _Column(head="Median", unit="bpm", value="bpm_median", show=_bpm),
    _Column(head="95 %", unit="bpm", value="bpm_p95", show=_bpm),
    _Column(head="Peak", unit="bpm", value="bpm_peak", show=_bpm, why=_TOO_SHORT),
    _Column(head="Highest", unit="bpm", value="bpm_max", show=_bpm),
)
_EFFORT = (
    _Column(head="HRmax", unit="bpm", value="hr_max", show=lambda value: f"{value:g}", why=NO_HR_MAX),
    *(
        _Column(head=f"Zone {zone}", unit="min", value=f"zone{zone}_s", show=lambda s: f"{s / 60:.1f}", why=NO_HR_MAX)
        for zone in range(6)
    ),
    _Column(head="TRIMP", unit="Edwards", value="trimp_edwards", show=_tenth, why=NO_HR_MAX),
    _Column(head="TRIMP", unit="Banister", value="trimp_banister", show=_tenth, why=_NO_BANISTER),
    _Column(head="Fall", unit="bpm in 60 s", value="hrr60", show=_tenth, why=_NO_EFFORT),
)


def tables_of(part: SessionView) -> tuple[Table, ...]:
    """Put a session's summary into tables for a page.

    Parameters
    ----------
    part
        The session.

    Returns
    -------
    tuple of Table
        What was recorded, heart rate, effort; without rows when the session has no member.
    """
    rows = part.summary.rows(named=True)
    present = (
        _Column(head="From", unit="", value="first_at", show=_clock(part)),
        _Column(head="To", unit="", value="last_at", show=_clock(part)),
    )
    return (
        _table("What was recorded", (*present, *_FOUND), rows, part),
        _table("Heart rate", _HEART_RATE, rows, part),
        _table("Effort", _EFFORT, rows, part),
    )


def _clock(part: SessionView) -> Callable[[datetime], str]:
    return part.clock


def _table(title: str, columns: tuple[_Column, ...], rows: list[Row], part: SessionView) -> Table:
    remarks: dict[str, int] = {}
    body = []
    for row in rows:
        cells = tuple(_cells(row, columns, remarks))
        body.append((part.names[row["profile_id"]], format_share(row["coverage"]), cells))
    heads = tuple((column.head, column.unit) for column in columns)
    return Table(title=title, heads=heads, rows=tuple(body), remarks=tuple(remarks))


def _cells(row: Row, columns: tuple[_Column, ...], remarks: dict[str, int]) -> Iterator[Cell]:
    for column in columns:
        value = row[column.value]
        if value is not None and not (isinstance(value, float) and math.isnan(value)):
            source = " from age" if column.value == "hr_max" and row["hr_max_source"] == "age" else ""
            yield Cell(text=column.show(value) + source)
        else:
            why = _why(row, column)
            yield Cell(text=DASH, mark=remarks.setdefault(why, len(remarks) + 1))


def _why(row: Row, column: _Column) -> str:
    if column.why in {NO_HR_MAX, _NO_BANISTER}:
        return column.why if row["readings"] else NO_READING
    if not row["readings"]:
        return NO_READING
    if column.why == _NO_EFFORT and row["hr_max"] is None:
        return NO_HR_MAX
    if column.why == NO_READING:
        return _ONE_READING
    return column.why
