"""A page as one HTML file that needs no network: a template filled in, with charts and the scripts that draw them."""

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pulsoid_rec.analysis.charts.style import css_variables
from pulsoid_rec.analysis.report.html_charts import PageChart
from pulsoid_rec.analysis.report.vega import vega_scripts
from pulsoid_rec.recorder.contract.wording import format_duration

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, charts: Sequence[PageChart], **values: Any) -> str:
    """Fill in a template that extends `page.html.j2`: a complete HTML document.

    It contains everything it needs, and its content policy forbids the browser to load anything. All texts among
    `values` are escaped; `title` and `generated_at` are needed by every page. `charts` are all that are drawn.
    """
    scripts = [_escape_code(vega_scripts()), _read_code("report.js")] if charts else []
    return (
        _environment()
        .get_template(template)
        .render(
            charts=_encode_charts(charts),
            scripts=scripts,
            script_hashes=" ".join(f"'{_hash(script)}'" for script in scripts) or "'none'",
            licenses=_read("licenses.txt"),
            style=_read_code("report.css"),
            light=css_variables(dark=False),
            dark=css_variables(dark=True),
            **values,
        )
    )


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
