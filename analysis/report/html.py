"""The report as one HTML file that asks no network: a page to send to the team."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pulsoid_rec.analysis.charts.style import by_name, css_variables
from pulsoid_rec.analysis.findings.presence import APART_S, SILENCE_S
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.report.html_charts import Figure, history_figures
from pulsoid_rec.analysis.report.html_sections import sections_of
from pulsoid_rec.analysis.report.vega import prepare_scripts, vega_scripts
from pulsoid_rec.recorder.contract.wording import format_count, format_duration

_TEMPLATES = Path(__file__).parent / "templates"


def render_report(report: ReportData, zone: tzinfo | None = None) -> str:
    """Draw a report as a complete HTML document.

    Everything it needs is in it: nothing is loaded from anywhere, which its content policy has the browser enforce.
    Names and settings of rooms and members are shown as text, whatever they hold.

    Parameters
    ----------
    report
        What to show, with its readings.
    zone
        Time zone of the clock times in it; None for this computer's.

    Returns
    -------
    str
        The document; one that says so when there is no session.
    """
    if not report.readings.is_empty():
        prepare_scripts()
    sections = list(sections_of(report, zone))
    history = history_figures(report, zone)
    charts = _shared([*history, *(figure for section in sections for figure in section.figures)])
    scripts = [_unclosable(vega_scripts()), _inline("report.js")] if charts["figures"] else []
    page = _environment().get_template("report.html.j2")
    return page.render(
        report=report,
        title=_title(report),
        sections=sections,
        history=history,
        options=report.options,
        apart=APART_S,
        silence=SILENCE_S,
        charts=charts,
        scripts=scripts,
        script_hashes=" ".join(f"'{_hash(script)}'" for script in scripts) or "'none'",
        style=_inline("report.css"),
        light=css_variables(dark=False),
        dark=css_variables(dark=True),
    )


def _title(report: ReportData) -> str:
    rooms = dict.fromkeys(report.sessions["room_id"])
    if len(rooms) == 1:
        room = next(iter(rooms))
        return report.rooms.get(room, room)
    return format_count(len(rooms), "room") if rooms else "No session"


def _shared(figures: list[Figure]) -> dict[str, Any]:
    """Tell charts' data from their make, so that forty charts made alike say only once how.

    Returns
    -------
    dict
        `specs`, each different one once, with a number for each layer's data; `figures`, of which each has `id`, `spec`
        (its place among them) and `values` (what the numbers stand for).
    """
    specs: dict[str, int] = {}
    shown = []
    for figure in figures:
        spec = json.dumps(by_name(_numbered(figure.spec, iter(range(len(figure.values))))))
        values = [json.loads(text) for text in figure.values]
        shown.append({"id": figure.id, "spec": specs.setdefault(spec, len(specs)), "values": values})
    return {"specs": [json.loads(spec) for spec in specs], "figures": shown}


def _numbered(spec: Any, numbers: Iterator[int]) -> Any:
    """Refer to data by number, and leave out what differs from member to member."""
    if isinstance(spec, list):
        return [_numbered(part, numbers) for part in spec]
    if not isinstance(spec, Mapping):
        return spec
    return {
        key: {"values": next(numbers)} if key == "data" else _numbered(part, numbers)
        for key, part in spec.items()
        # The page has the description beside the chart.
        if key not in {"datasets", "description"}
    }


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters["duration"] = format_duration
    return environment


def _inline(name: str) -> Markup:
    return _unclosable((_TEMPLATES / name).read_text(encoding="utf-8"))


def _unclosable(code: str) -> Markup:
    """Take from our code what would end its element early; in strings, where it stands, it says the same."""
    safe = code.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return Markup(safe)  # noqa: S704 - our own files and the bundle, never what came from a room


def _hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
