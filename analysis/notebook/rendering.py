"""Shows charts in notebooks without a network: JupyterLab itself draws them."""

from typing import Any, TypeVar

import altair as alt

from pulsoid_rec.analysis.charts.style import light

_NAME = "pulsoid-rec"
_MIME_TYPE = "application/vnd.vegalite.v5+json"
"""JupyterLab 4 draws this type, with Vega-Lite 5; it has none for Vega-Lite 6, which altair 6 writes."""

_ELSEWHERE = "A chart, for JupyterLab or VS Code to draw. Elsewhere: import altair; altair.renderers.enable('png')"

Chart = TypeVar("Chart", alt.LayerChart, alt.ConcatChart)


def add_title(chart: Chart, title: str, subtitle: str = "") -> Chart:
    """Add a title to a finished chart, and let notebooks show it without a network."""
    show_offline()
    heading = alt.Title(title, subtitle=subtitle, subtitleColor=light("muted"), subtitlePadding=4, offset=10)
    titled: Chart = chart.properties(title=heading)
    return titled


def show_offline() -> None:
    """Let altair's charts be shown without a network, unless another renderer was chosen.

    Altair's own renderer makes the browser fetch Vega from the network each time; this one passes the chart itself to
    JupyterLab or VS Code, which draw it.
    """
    if _NAME not in alt.renderers.names():
        alt.renderers.register(_NAME, _bundle)
    if alt.renderers.active == "default":
        alt.renderers.enable(_NAME)


def _bundle(spec: dict[str, Any], **_options: Any) -> dict[str, Any]:
    return {_MIME_TYPE: spec, "text/plain": _ELSEWHERE}
