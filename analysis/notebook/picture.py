"""Draws a chart as a PNG picture, small enough to be kept in a notebook."""

import json
import re
import zlib
from typing import Any, NamedTuple

import vl_convert

_PIXELS = 800_000  # of a picture: the busiest of our charts then adds less than 200 KB to a notebook
_MAX_SCALE = 2.0  # small charts are drawn this much larger than they are shown: for sharp screens, and for paper
_SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"')

_INVISIBLE = re.compile(r'<path(?![^>]* stroke=)[^>]* fill-opacity="0"[^>]*/>')
"""Columns to hover over, which nobody can in a picture: without them it is drawn in half the time."""

_UNFIT = re.compile("[^\t\n\r\x20-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that SVG cannot have: vl-convert aborts the whole process at one. And those that end a line of code."""

_ESCAPES = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\u[0-9a-f]{4})+)")
"""Characters in an expression of Vega's, in which a text stands as JSON."""

_EMOJI = re.compile("[\U00010000-\U0010ffff]")
"""Characters of two halves. Vega may shorten a label between the two, and vl-convert cannot measure one half."""


class Picture(NamedTuple):
    """A PNG file, and the size in pixels to show it at, which is smaller than the file's own on sharp screens."""

    png: bytes
    width: int
    height: int


def draw_picture(spec: dict[str, Any]) -> Picture:
    """Draw a Vega-Lite specification as it is before anybody points at it.

    The first picture of a process takes 0.4 s longer than the others, since a JavaScript engine is started. Raises
    `ValueError` if the chart's data is elsewhere (nothing is fetched), or it cannot be drawn.
    """
    spec = _replace(_UNFIT, spec)
    try:
        svg = _draw_svg(spec)
    except ValueError as error:
        if "hex escape" not in str(error):
            raise
        svg = _draw_svg(_replace(_EMOJI, spec))
    found = _SIZE.search(svg)
    width, height = map(float, found.groups()) if found else (0.0, 0.0)
    if not width * height:
        raise ValueError("the chart has no size")
    scale = min(_MAX_SCALE, max(1.0, (_PIXELS / (width * height)) ** 0.5))
    png = vl_convert.svg_to_png(_INVISIBLE.sub("", svg), scale=scale)
    return Picture(_compress(png), round(width), round(height))


def _draw_svg(spec: dict[str, Any]) -> str:
    svg: str = vl_convert.vegalite_to_svg(json.dumps(spec), allowed_base_urls=[])
    return svg


def _replace(characters: re.Pattern[str], value: Any) -> Any:
    """Replace characters in all texts of a specification, also in data that is the text of JSON."""
    if isinstance(value, dict):
        return {_replace(characters, key): _replace(characters, each) for key, each in value.items()}
    if isinstance(value, list):
        return [_replace(characters, each) for each in value]
    if not isinstance(value, str):
        return value
    if value.startswith("[{"):
        try:
            return _replace(characters, json.loads(value))
        except ValueError:
            pass
    return characters.sub("\ufffd", _ESCAPES.sub(lambda found: found[1] + json.loads(f'"{found[2]}"'), value))


def _compress(png: bytes) -> bytes:
    """Compress a PNG file's pixels again: vl-convert does so in haste, and its files are two to four times as large."""
    chunks, at = [], 8
    while at < len(png):
        end = at + 12 + int.from_bytes(png[at : at + 4])
        chunks.append((png[at + 4 : at + 8], png[at + 8 : end - 4]))
        at = end
    pixels = zlib.compress(zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT")))
    header, *others = [chunk for chunk in chunks if chunk[0] != b"IDAT"]
    whole = (header, *others[:-1], (b"IDAT", pixels), others[-1])
    return png[:8] + b"".join(map(_chunk, whole))


def _chunk(kind_and_data: tuple[bytes, bytes]) -> bytes:
    kind, data = kind_and_data
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)
