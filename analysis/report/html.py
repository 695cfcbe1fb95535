"""The report as one HTML file that needs no network: a page to send to the team."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path

import jinja2
from markupsafe import Markup

from pulsoid_rec.analysis.charts.amounts import ZONE_NAMES
from pulsoid_rec.analysis.charts.style import css_variables
from pulsoid_rec.analysis.findings.checks import SILENCE_S
from pulsoid_rec.analysis.findings.notes import report_notes
from pulsoid_rec.analysis.findings.presence import APART_S
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.season import REMARK, is_season
from pulsoid_rec.analysis.report.html_charts import PageChart, history_charts
from pulsoid_rec.analysis.report.html_season import make_season
from pulsoid_rec.analysis.report.html_sections import make_sections
from pulsoid_rec.analysis.report.vega import prepare_scripts, vega_scripts
from pulsoid_rec.recorder.contract.wording import format_count, format_duration

_MOST_DETAILS = 100  # of more notes of one sort about one session the others are counted
_TEMPLATES = Path(__file__).parent / "templates"


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
    charts = [*history, *(chart for section in sections for chart in section.charts)]
    scripts = [_escape_code(vega_scripts()), _read_code("report.js")] if charts else []
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            title=_title(report),
            # An id of the members file that is a slip concerns whoever made the page: the command prints it.
            notes=report_notes(replace(report, unmatched=None)),
            sections=sections,
            season=season,
            season_remark=REMARK,
            most_details=_MOST_DETAILS,
            history=history,
            definitions=report.definitions,
            zone_names=ZONE_NAMES,
            apart=APART_S,
            silence=SILENCE_S,
            charts=_encode_charts(charts),
            scripts=scripts,
            script_hashes=" ".join(f"'{_hash(script)}'" for script in scripts) or "'none'",
            licenses=_read("licenses.txt"),
            style=_read_code("report.css"),
            light=css_variables(dark=False),
            dark=css_variables(dark=True),
        )
    )


def _title(report: ReportData) -> str:
    rooms = dict.fromkeys(report.sessions["room_id"])
    if len(rooms) == 1:
        room = next(iter(rooms))
        return report.rooms.get(room, room)
    return format_count(len(rooms), "room") if rooms else "No session"


def _encode_charts(charts: Sequence[PageChart]) -> Markup:
    """Encode charts as JSON: `specs` without repetitions, and `charts`: `id`, `spec` (an index), and what fills it.

    Specifications and data are JSON already: megabytes of it, which are joined and not parsed again.
    """
    specs = {spec: index for index, spec in enumerate(dict.fromkeys(chart.spec for chart in charts))}
    entries = []
    for chart in charts:
        datasets = ",".join(f"{json.dumps(name)}:{data}" for name, data in chart.drawing.datasets.items())
        values, height = chart.drawing.values, chart.drawing.height
        other = {"id": chart.id, "spec": specs[chart.spec], "values": values, "height": height}
        entries.append(f'{json.dumps(other)[:-1]},"datasets":{{{datasets}}}}}')
    text = f'{{"specs":[{",".join(specs)}],"charts":[{",".join(entries)}]}}'
    # In JSON this character occurs only in strings. Escaped, no name can end the script element.
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - JSON, in which no `<` is left to end the element


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["duration"] = format_duration
    return environment


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _read_code(name: str) -> Markup:
    return _escape_code(_read(name))


def _escape_code(code: str) -> Markup:
    """Escape what would end the element; it occurs only in strings of the code, where the escape means the same."""
    safe = code.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return Markup(safe)  # noqa: S704 - our own files and the bundle, never what came from a room


def _hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
