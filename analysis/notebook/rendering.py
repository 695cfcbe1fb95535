"""Shows charts in notebooks without a network: as charts where the reader can draw them, as pictures elsewhere."""

import re
import warnings
from typing import Any, TypeVar

import altair as alt

from pulsoid_rec.analysis.charts.style import light
from pulsoid_rec.analysis.notebook.picture import draw_picture

_NAME = "pulsoid-rec"
_MIME_TYPE = "application/vnd.vegalite.v5+json"
"""JupyterLab 4 draws this type, with Vega-Lite 5; it has none for Vega-Lite 6, which altair 6 writes."""

_PICTURE = "image/png"

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

Chart = TypeVar("Chart", alt.LayerChart, alt.ConcatChart)


def add_title(chart: Chart, title: str, subtitle: str = "") -> Chart:
    """Add a title to a finished chart, and let notebooks show it without a network."""
    if alt.renderers.active == "default":
        show_offline()
    # Not with `properties`, which copies the whole chart.
    chart.title = alt.Title(title, subtitle=subtitle, subtitleColor=light("muted"), subtitlePadding=4, offset=10)
    return chart


def show_offline(*, png: bool = True) -> None:
    """Let altair's charts be shown without a network, unless another renderer was chosen.

    Altair's own renderer makes the browser fetch Vega from the network each time. This one passes on the chart itself,
    which JupyterLab and VS Code draw, and a picture of it, which GitHub, `jupyter nbconvert` and others show.

    Parameters
    ----------
    png
        Whether to add the picture: up to 0.5 s and 200 KB a chart.

    Examples
    --------
    >>> pr.show_offline(png=False)
    """
    if _NAME not in alt.renderers.names():
        alt.renderers.register(_NAME, _bundle)
    if alt.renderers.active in {"default", _NAME}:
        alt.renderers.enable(_NAME, png=png)


def _bundle(spec: dict[str, Any], *, png: bool = True, **_options: Any) -> Any:
    """Return a chart as each type of output, or these and what to know of the picture."""
    sentence = _describe(spec)
    outputs: dict[str, Any] = {_MIME_TYPE: spec, "text/plain": sentence}
    if not png:
        return outputs
    try:
        picture = draw_picture(spec)
    except (ValueError, RuntimeError) as error:
        why = " ".join(str(error).splitlines()[:2])
        warnings.warn(f"This chart is kept without a picture, for JupyterLab and VS Code alone: {why}", stacklevel=2)
        return outputs
    metadata = {"width": picture.width, "height": picture.height, "alt": sentence}
    return outputs | {_PICTURE: picture.png}, {_PICTURE: metadata}


def _describe(spec: dict[str, Any]) -> str:
    """Describe a chart in a sentence, for readers who cannot see it: what it shows, and its title."""
    title = spec.get("title", "")
    texts = title if isinstance(title, dict) else {"text": title}
    parts = [spec.get("description"), texts.get("text"), texts.get("subtitle")]
    sentence = ", ".join(dict.fromkeys(part for part in parts if part and isinstance(part, str)))
    return _CONTROLS.sub(" ", sentence) or "A chart"
