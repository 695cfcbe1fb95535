"""The columns of the terminal's tables: what each shows, and which are left out first in a narrow terminal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from typing import Any, Literal, get_args

import polars as pl
from rich.text import Text

from pulsoid_rec.analysis.findings.local_time import format_clock, format_instant
from pulsoid_rec.analysis.findings.wording import format_figure, format_share, is_unknown
from pulsoid_rec.analysis.metrics.columns import SUMMARY, SummaryColumn, Topic
from pulsoid_rec.analysis.metrics.zones import ZONES
from pulsoid_rec.recorder.contract.wording import format_duration

Row = Mapping[str, Any]
Cell = str | Text | None

_STYLES = ("bright_black", "blue", "cyan", "green", "yellow", "red")
_BLOCKS = "·▁▂▃▄▅▆▇█"
_BLOCKS_ASCII = "_.:-=+*#@"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """A column of a table."""

    head: str = ""  # the first line of its heading; may be empty
    unit: str  # the second
    rank: int = 0  # higher ones are left out first
    cell: Callable[[Row, str], Cell]  # from a row and the terminal's encoding; None: unknown
    total: str = ""  # for all rows together
    justify: Literal["left", "right"] = "right"


def member_columns(summary: pl.DataFrame) -> list[TableColumn]:
    """Return the columns of the members' table, without those that are optional and null for every member.

    `summary` is a session's, or as `season.season_members` returns it.
    """
    topics = get_args(Topic)
    columns = [TableColumn(unit="Sessions", rank=5, cell=count_of("sessions"))] if "sessions" in summary.columns else []
    for column in sorted(SUMMARY, key=lambda column: (topics.index(column.topic), column.order)):
        if column.name == "zone0_s" and summary["hr_max"].count():
            columns.append(TableColumn(head="Zones", unit="012345", rank=3, cell=zone_bars))
        if column.rank is None or column.name not in summary.columns:
            continue
        if column.is_optional and not summary[column.name].count():
            continue
        head, unit = (column.head, column.unit) if column.unit else ("", column.head)
        cell, total = partial(_cell, column), _total(column, summary)
        columns.append(TableColumn(head=head, unit=unit, rank=column.rank, cell=cell, total=total))
    return columns


def _cell(column: SummaryColumn, row: Row, _encoding: str) -> Cell:
    value = row[column.name]
    return None if is_unknown(value) else format_figure(value, column)


def _total(column: SummaryColumn, summary: pl.DataFrame) -> str:
    if column.name == "coverage":
        span_s, observed_s = (float(summary[name].sum()) for name in ("span_s", "observed_s"))
        return format_share(observed_s / span_s) if span_s else ""
    return format_figure(summary[column.name].sum(), column) if column.is_additive else ""


def zone_bars(row: Row, encoding: str) -> Cell:
    """Draw the time in zones 0 to 5 as six small bars, each visible if there is any time in its zone."""
    seconds = [row[f"zone{zone}_s"] for zone in ZONES]
    if None in seconds or not sum(seconds):
        return None
    try:
        _BLOCKS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        blocks = _BLOCKS_ASCII
    else:
        blocks = _BLOCKS
    steps = len(blocks) - 1
    heights = [max(1, round(steps * value / max(seconds))) if value else 0 for value in seconds]
    return Text.assemble(*((blocks[height], _STYLES[zone]) for zone, height in zip(ZONES, heights, strict=True)))


def session_columns(zone: tzinfo | None) -> list[TableColumn]:
    """Return the columns of the sessions' table; `zone` is the screen's time zone, None for this computer's."""

    def began(row: Row, _encoding: str) -> Cell:
        return format_instant(row["started_at"], zone)

    def ended(row: Row, _encoding: str) -> Cell:
        return format_clock(row["ended_at"], zone, row["started_at"])

    return [
        TableColumn(unit="Session", rank=1, cell=count_of("session")),
        TableColumn(unit="Began", rank=2, cell=began, justify="left"),
        TableColumn(unit="Ended", rank=6, cell=ended, justify="left"),
        TableColumn(unit="Lasted", rank=3, cell=lambda row, _: format_duration(row["duration_s"]), justify="left"),
        TableColumn(unit="Members", rank=4, cell=count_of("members")),
        TableColumn(unit="Readings", rank=5, cell=count_of("readings")),
        TableColumn(unit="Rejected", rank=7, cell=count_of("rejected")),
    ]


def season_columns(zone: tzinfo | None) -> list[TableColumn]:
    """Return the columns of a season's sessions, as `season.season_sessions` returns them; `zone` as above."""
    columns = {column.name: column for column in SUMMARY}
    figures = [("coverage", "Coverage"), ("bpm_mean", "Mean"), ("bpm_peak", "Peak")]
    return [
        *session_columns(zone),
        *(
            TableColumn(unit=head, rank=rank, cell=partial(_cell, columns[name]))
            for rank, (name, head) in zip((2, 1, 2), figures, strict=True)
        ),
        TableColumn(unit="Left out", rank=6, cell=count_of("left_out")),
    ]


def count_of(name: str) -> Callable[[Row, str], Cell]:
    """Return a function that formats a count of a row; 0 if it is unknown."""
    return lambda row, _: f"{row[name] or 0:,}"
