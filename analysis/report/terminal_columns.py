"""The columns of the terminal's table: what each shows, and which give way first where there is no room."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Literal

import polars as pl
from rich.text import Text

from pulsoid_rec.analysis.findings.session_view import fixed_zone
from pulsoid_rec.analysis.findings.wording import format_share
from pulsoid_rec.analysis.metrics.zones import ZONES
from pulsoid_rec.recorder.contract.wording import format_duration

Row = Mapping[str, Any]
Cell = str | Text | None

_STYLES = ("bright_black", "blue", "cyan", "green", "yellow", "red")
_BLOCKS = "·▁▂▃▄▅▆▇█"
_BLOCKS_ASCII = "_.:-=+*#@"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSpec:
    """A column of a table.

    Parameters
    ----------
    head, unit
        The two lines of its head; the first may be empty.
    rank
        The higher, the sooner it gives way.
    needs
        The frame's column that must hold something, or this one is left out.
    cell
        Makes a cell of the frame's row and the terminal's encoding; None for what is unknown.
    total
        Makes the cell for all rows together; empty where adding up makes no sense.
    justify
        Which side it keeps to.
    """

    head: str
    unit: str
    rank: int
    needs: str
    cell: Callable[[Row, str], Cell]
    total: Callable[[pl.DataFrame], str] = lambda _: ""
    justify: Literal["left", "right"] = "right"

    def is_known(self, summary: pl.DataFrame) -> bool:
        """Tell whether there is anything to show."""
        return summary[self.needs].count() > 0


def _number(column: str, decimals: int = 0) -> Callable[[Row, str], Cell]:
    return lambda row, _: None if row[column] is None else f"{row[column]:,.{decimals}f}"


def _duration(column: str) -> Callable[[Row, str], Cell]:
    return lambda row, _: None if row[column] is None else format_duration(row[column])


def _count(column: str) -> Callable[[pl.DataFrame], str]:
    return lambda summary: f"{summary[column].sum():,}"


def _coverage(row: Row, _encoding: str) -> Cell:
    return None if row["coverage"] is None else format_share(row["coverage"])


def _coverage_of_all(summary: pl.DataFrame) -> str:
    span_s = _total_s(summary, "span_s")
    return format_share(_total_s(summary, "observed_s") / span_s) if span_s else ""


def _total_s(summary: pl.DataFrame, column: str) -> float:
    return float(summary[column].sum())


def zone_bars(row: Row, encoding: str) -> Cell:
    """Draw the share of time in zones 0 to 5 as six small bars, none invisible that has any time in it."""
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


COLUMNS = (
    ColumnSpec(
        head="",
        unit="Observed",
        rank=5,
        needs="profile_id",
        cell=_duration("observed_s"),
        total=lambda summary: format_duration(_total_s(summary, "observed_s")),
    ),
    ColumnSpec(head="", unit="Covered", rank=4, needs="profile_id", cell=_coverage, total=_coverage_of_all),
    ColumnSpec(
        head="", unit="Readings", rank=12, needs="profile_id", cell=_number("readings"), total=_count("readings")
    ),
    ColumnSpec(head="", unit="Gaps", rank=11, needs="profile_id", cell=_number("gaps"), total=_count("gaps")),
    ColumnSpec(head="Mean", unit="bpm", rank=1, needs="profile_id", cell=_number("bpm_mean", 1)),
    ColumnSpec(head="SD", unit="bpm", rank=9, needs="profile_id", cell=_number("bpm_sd", 1)),
    ColumnSpec(head="Min", unit="bpm", rank=16, needs="profile_id", cell=_number("bpm_min")),
    ColumnSpec(head="Floor", unit="bpm", rank=7, needs="profile_id", cell=_number("bpm_floor")),
    ColumnSpec(head="5 %", unit="bpm", rank=15, needs="profile_id", cell=_number("bpm_p05")),
    ColumnSpec(head="Median", unit="bpm", rank=6, needs="profile_id", cell=_number("bpm_median")),
    ColumnSpec(head="95 %", unit="bpm", rank=15, needs="profile_id", cell=_number("bpm_p95")),
    ColumnSpec(head="Peak", unit="bpm", rank=2, needs="profile_id", cell=_number("bpm_peak")),
    ColumnSpec(head="Max", unit="bpm", rank=16, needs="profile_id", cell=_number("bpm_max")),
    ColumnSpec(head="HRmax", unit="bpm", rank=13, needs="hr_max", cell=_number("hr_max", 0)),
    ColumnSpec(head="Zones", unit="012345", rank=3, needs="hr_max", cell=zone_bars),
    ColumnSpec(head="TRIMP", unit="Edwards", rank=8, needs="trimp_edwards", cell=_number("trimp_edwards", 1)),
    ColumnSpec(head="TRIMP", unit="Banister", rank=14, needs="trimp_banister", cell=_number("trimp_banister", 1)),
    ColumnSpec(head="HRR60", unit="bpm", rank=10, needs="hrr60", cell=_number("hrr60", 1)),
)


def session_columns(zone: tzinfo | None) -> tuple[ColumnSpec, ...]:
    """Give the columns of the sessions' table.

    Parameters
    ----------
    zone
        Time zone of the screen; None for this computer's.
    """

    def began(row: Row, _encoding: str) -> Cell:
        return f"{row['started_at'].astimezone(fixed_zone(row['started_at'], zone)):%Y-%m-%d %H:%M:%S}"

    def ended(row: Row, _encoding: str) -> Cell:
        offset = fixed_zone(row["started_at"], zone)
        begin, end = row["started_at"].astimezone(offset), row["ended_at"].astimezone(offset)
        return f"{end:%H:%M:%S}" if begin.date() == end.date() else f"{end:%Y-%m-%d %H:%M:%S}"

    return (
        ColumnSpec(head="", unit="Session", rank=1, needs="session", cell=_number("session")),
        ColumnSpec(head="", unit="Began", rank=2, needs="session", cell=began, justify="left"),
        ColumnSpec(head="", unit="Ended", rank=6, needs="session", cell=ended, justify="left"),
        ColumnSpec(head="", unit="Lasted", rank=3, needs="session", cell=_duration("duration_s"), justify="left"),
        ColumnSpec(head="", unit="Members", rank=4, needs="session", cell=_number("members")),
        ColumnSpec(head="", unit="Readings", rank=5, needs="session", cell=_number("readings")),
    )
