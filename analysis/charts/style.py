"""What all charts share: colours (values in a notebook, CSS variables on the page), type, and the format of data."""

import json
from typing import Any, Final, NamedTuple, TypeVar

import altair as alt


class Colour(NamedTuple):
    """A colour on light and on dark paper."""

    light: str
    dark: str


PALETTE: Final = {
    "paper": Colour("#fdfcfa", "#15181c"),
    "ink": Colour("#1d242c", "#e9ecef"),
    "muted": Colour("#5f6a75", "#9ca7b2"),
    "rule": Colour("#e4e6e8", "#2b3138"),
    "quiet": Colour("#98a3ae", "#65717d"),
    "accent": Colour("#b3123f", "#ff8fa3"),
    # Of correlations above and below 0. The ink is read on both of them.
    "alike": Colour("#5aa0e6", "#2560a8"),
    "opposite": Colour("#e58a4f", "#9c4a1b"),
    # Distinguishable, at least 13 apart in OKLab (x 100), by people with normal, protan, deutan and tritan sight alike.
    "member1": Colour("#4091ff", "#81b4ef"),
    "member2": Colour("#ed6c42", "#daa22b"),
    "member3": Colour("#78245f", "#f8e76f"),
    "member4": Colour("#b43414", "#bd687f"),
    "member5": Colour("#5134ba", "#5b77f9"),
    "member6": Colour("#9e6899", "#88f9fa"),
    # Each zone contrasts more with the paper than the one below it, so that their order is visible without hue.
    "zone0": Colour("#dde2e8", "#2f363d"),
    "zone1": Colour("#f4d7a4", "#573f63"),
    "zone2": Colour("#efae68", "#944c69"),
    "zone3": Colour("#dd7b48", "#c25e5e"),
    "zone4": Colour("#b84848", "#ea9562"),
    "zone5": Colour("#7a2147", "#fbd795"),
}
"""Every colour used, by name; the light ones are all different, since each is replaced by its name on the page."""

MEMBERS: Final = tuple(PALETTE[f"member{i}"].light for i in range(1, 7))
"""Colours of members; if there are more members than colours, none has one."""

ZONES: Final = tuple(PALETTE[f"zone{i}"].light for i in range(6))  # colours of zone 0 (below zone 1) to zone 5
FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"


def light(name: str) -> str:
    """Look up a colour's light value by its name in `PALETTE`."""
    return PALETTE[name].light


Styled = TypeVar("Styled", alt.Chart, alt.LayerChart, alt.ConcatChart)


def styled(chart: Styled) -> Styled:
    """Configure type, lines and paper of a finished chart."""
    # In one call, since each call copies the whole chart.
    finished: Styled = chart.configure(
        background=light("paper"),
        font=FONT,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            grid=True,
            gridColor=light("rule"),
            domain=False,
            ticks=False,
            labelColor=light("muted"),
            labelFontSize=11,
            labelPadding=6,
            title=None,
            titleColor=light("muted"),
            titleFontWeight="normal",
            titleFontSize=11,
        ),
        legend=alt.LegendConfig(labelColor=light("ink"), title=None, orient="top", symbolType="stroke", columns=3),
        title=alt.TitleConfig(color=light("ink"), fontSize=13, anchor="start"),
    )
    return finished


def encode(values: Any) -> str:
    """Encode a specification or a chart's data as JSON, as short as possible."""
    return json.dumps(values, separators=(",", ":"))


def inline(data: Any) -> alt.InlineData:
    """Make data, or the JSON of it, a chart's data as JSON: altair copies data many times, and lists slowly."""
    text = data if isinstance(data, str) else encode(data)
    return alt.InlineData(values=text, format=alt.JsonDataFormat(type="json"))


def colours_to_variables(spec: Any) -> Any:
    """Replace every colour of the palette in a specification without data by its CSS variable, such as `var(--ink)`."""
    if isinstance(spec, dict):
        return {key: colours_to_variables(value) for key, value in spec.items()}
    if isinstance(spec, list):
        return [colours_to_variables(value) for value in spec]
    return _VARIABLES.get(spec, spec) if isinstance(spec, str) else spec


_VARIABLES: Final = {colour.light: f"var(--{name})" for name, colour in PALETTE.items()}


def css_variables(*, dark: bool) -> str:
    """List the palette as CSS declarations for dark or light paper."""
    return " ".join(f"--{name}: {colour.dark if dark else colour.light};" for name, colour in PALETTE.items())
