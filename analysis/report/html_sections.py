"""What a page shows of each session: its facts, notes, charts and tables, ready to be laid out."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import polars as pl

from pulsoid_rec.analysis.charts.amounts import ZONE_NAMES
from pulsoid_rec.analysis.charts.style import MEMBERS
from pulsoid_rec.analysis.findings.notes import Note
from pulsoid_rec.analysis.findings.presence import presence_notes
from pulsoid_rec.analysis.findings.quality import quality_notes
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.session_view import SessionView, session_views
from pulsoid_rec.analysis.findings.wording import format_offset, format_share
from pulsoid_rec.analysis.report.html_charts import (
    CROWD,
    Drawing,
    Figure,
    distribution_figure,
    drawing_of,
    member_figures,
    overview_figure,
    zones_figure,
)
from pulsoid_rec.analysis.report.html_tables import Table, tables_of
from pulsoid_rec.recorder.contract.wording import format_count, format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member on the page; `colour` names the palette's colour, or is None where colour tells nobody apart."""

    place: int
    label: str
    coverage: str
    colour: str | None
    says: str
    figure: Figure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A session on the page."""

    id: str
    room: str
    session: int
    date: str
    hours: str
    zone: str
    facts: tuple[str, ...]
    notes: tuple[Note, ...]
    members: tuple[Member, ...]
    crowd: bool
    offline: bool
    overview: Figure | None
    zones: Figure | None
    zone_names: tuple[str, ...]
    without_hr_max: tuple[str, ...]
    distribution: Figure | None
    tables: tuple[Table, ...]

    @property
    def figures(self) -> Iterator[Figure]:
        """All its charts, in the order of the page."""
        drawn = (self.overview, *(member.figure for member in self.members), self.zones, self.distribution)
        return (figure for figure in drawn if figure is not None)


def sections_of(report: ReportData, zone: tzinfo | None = None) -> Iterator[Section]:
    """Prepare each session of a report.

    Parameters
    ----------
    report
        The report, with its readings.
    zone
        Time zone of the screen; None for this computer's.

    Yields
    ------
    Section
        In the order of `report.sessions`.
    """
    parts = session_views(report, zone)
    notes = presence_notes(report, parts) + quality_notes(parts, report.options)
    drawing = drawing_of(report)
    for number, part in enumerate(parts):
        ours = tuple(note for note in notes if (note.room_id, note.session) == (part.room_id, part.session))
        yield _section(part, f"s{number}", report.rooms.get(part.room_id, part.room_id), ours, drawing)


def _section(part: SessionView, id_: str, room: str, notes: tuple[Note, ...], drawing: Drawing) -> Section:
    begin, end = (at.astimezone(part.zone) for at in (part.started_at, part.ended_at))
    unknown = part.summary.filter(pl.col("hr_max").is_null())["profile_id"]
    return Section(
        id=id_,
        room=room,
        session=part.session,
        date=f"{begin:%A} {begin.day} {begin:%B %Y}",
        hours=f"{begin:%H:%M:%S} to {part.clock(end)}",
        zone=format_offset(part.zone),
        facts=(
            format_duration((part.ended_at - part.started_at).total_seconds()),
            format_count(part.summary.height, "member"),
            format_count(int(part.summary["readings"].sum()), "plausible reading"),
            f"local time, {format_offset(part.zone)}",
            f"began {part.started_at:%Y-%m-%d %H:%M:%S} UTC",
        ),
        notes=notes,
        members=tuple(_members(part, member_figures(part, id_, drawing))),
        crowd=len(part.names) > CROWD,
        offline=bool(part.offline),
        overview=overview_figure(part, id_, drawing),
        zones=zones_figure(part, id_),
        zone_names=ZONE_NAMES,
        without_hr_max=tuple(part.names[member] for member in unknown),
        distribution=distribution_figure(part, id_),
        tables=tables_of(part),
    )


def _members(part: SessionView, figures: dict[str, Figure]) -> Iterator[Member]:
    coloured = len(part.names) <= len(MEMBERS)
    for place, row in enumerate(part.summary.iter_rows(named=True)):
        yield Member(
            place=place,
            label=part.names[row["profile_id"]],
            coverage=format_share(row["coverage"]),
            colour=f"member{place + 1}" if coloured else None,
            says=_says(row),
            figure=figures.get(row["profile_id"]),
        )


def _says(row: dict[str, Any]) -> str:
    if not row["readings"]:
        return "no plausible reading"
    if row["bpm_mean"] is None or math.isnan(row["bpm_mean"]):
        return format_count(row["readings"], "reading")
    if row["bpm_peak"] is None:
        return f"mean {row['bpm_mean']:.0f} bpm"
    return f"mean {row['bpm_mean']:.0f}, peak {row['bpm_peak']} bpm"
