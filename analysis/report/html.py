"""The report as one HTML file that needs no network: a page to send to the team."""

from dataclasses import replace
from datetime import tzinfo

from pulsoid_rec.analysis.charts.amounts import ZONE_NAMES
from pulsoid_rec.analysis.findings.checks import SILENCE_S
from pulsoid_rec.analysis.findings.notes import report_notes
from pulsoid_rec.analysis.findings.presence import APART_S
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.season import REMARK, is_season
from pulsoid_rec.analysis.report.html_charts import history_charts
from pulsoid_rec.analysis.report.html_page import render_page
from pulsoid_rec.analysis.report.html_season import make_season
from pulsoid_rec.analysis.report.html_sections import make_sections
from pulsoid_rec.analysis.report.together_words import COURSE_REMARK
from pulsoid_rec.analysis.report.vega import prepare_scripts
from pulsoid_rec.recorder.contract.wording import format_count

_MOST_DETAILS = 100  # of more notes of one sort about one session the others are counted


def render_report(report: ReportData, zone: tzinfo | None = None) -> str:
    """Render a report, with its readings, as a complete HTML document.

    It contains everything it needs, and its content policy forbids the browser to load anything. All names are escaped.
    It has no profile id of a member who has a name, and no name of the recording's file.
    Clock times are of `zone`; None for this computer's.
    """
    if not report.summary.is_empty():
        prepare_scripts()
    season = make_season(report, zone) if is_season(report) else None
    sections = [] if season else make_sections(report, zone)
    history = season.charts if season else history_charts(report, zone)
    return render_page(
        "report.html.j2",
        [*history, *(chart for section in sections for chart in section.charts)],
        report=report,
        title=_title(report),
        generated_at=report.generated_at,
        # An id of the members file that is a slip concerns whoever made the page: the command prints it.
        notes=report_notes(replace(report, unmatched=None)),
        sections=sections,
        season=season,
        season_remark=REMARK,
        most_details=_MOST_DETAILS,
        history=history,
        definitions=report.definitions,
        zone_names=ZONE_NAMES,
        course_remark=COURSE_REMARK,
        apart=APART_S,
        silence=SILENCE_S,
    )


def _title(report: ReportData) -> str:
    rooms = dict.fromkeys(report.sessions["room_id"])
    if len(rooms) == 1:
        room = next(iter(rooms))
        return report.rooms.get(room, room)
    return format_count(len(rooms), "room") if rooms else "No session"
