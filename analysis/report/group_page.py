"""The page of one command about a group, such as `responses`: notes, charts, tables, and how they were computed."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pulsoid_rec.analysis.report.html_tables import Table

if TYPE_CHECKING:
    from pulsoid_rec.analysis.report.html_charts import PageChart


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the page below a heading: what it found in a sentence or two, then charts, tables and remarks."""

    title: str
    lead: tuple[str, ...] = ()  # complete sentences, as are the remarks
    charts: tuple["PageChart", ...] = ()  # each one's title is the caption above it
    tables: tuple[Table, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPage:
    """What a page shows. Members are called by their labels, never by an id where there is a name."""

    title: str
    facts: tuple[str, ...] = ()  # lines below the title, each without its full stop
    notes: tuple[str, ...] = ()  # what to know before trusting the figures: complete sentences
    parts: tuple[Part, ...] = ()
    method: tuple[tuple[str, str], ...] = ()  # how it was computed: terms and what they mean here
    generated_at: datetime | None = None  # when the recording was read


def render_group_page(page: GroupPage) -> str:
    """Render it as a complete HTML document, which needs no network; all texts are escaped.

    Like the report it has no name of the recording's file. Call `vega.prepare_scripts` early where there are charts.
    """
    from pulsoid_rec.analysis.report.html_page import render_page  # noqa: PLC0415 - the terminal needs no altair

    charts = [chart for part in page.parts for chart in part.charts]
    return render_page("group.html.j2", charts, page=page, title=page.title, generated_at=page.generated_at)
