"""The chart of responses draws each member and their mean, with few members, with many, and with nothing but gaps."""

import json
from xml.etree import ElementTree as ET

import polars as pl
import pytest
import vl_convert

from pulsoid_rec.analysis.charts.responses import response_drawing
from pulsoid_rec.analysis.charts.style import MEMBERS as COLOURS
from pulsoid_rec.analysis.charts.style import light
from pulsoid_rec.analysis.group.mark_windows import Window
from pulsoid_rec.analysis.group.response_result import COURSE, MEMBERS, Responses

NAMES = ["Ann", '"; drop', "<b>\\", "Dé", "Eve", "Fay", "Gus"]


def responses_of(members: int, *, tested: bool) -> Responses:
    window = Window()
    seconds = window.seconds.tolist()
    edges = [-1.0, 1.0, -2.0, 2.0] if tested else [None] * 4
    rows = [(None, None, s, s / 10, *edges) for s in seconds]
    for number in range(members):
        rows += [(f"p{number}", NAMES[number], s, None if s == 7 else number + s / 20, *[None] * 4) for s in seconds]
    who = [(f"p{number}", NAMES[number], 9, 8, 1, 0) for number in range(members)]
    return Responses(
        label="goal",
        window=window,
        sessions=1,
        marks=9,
        used_marks=8,
        absent=0,
        members=pl.DataFrame(who, schema=MEMBERS, orient="row"),
        course=pl.DataFrame(rows, schema=COURSE, orient="row"),
        farthest_s=3 if tested else None,
        p=0.01 if tested else None,
        surrogates=1000,
        seed=0,
        lag_s=None,
        generated_at=None,
    )


def strokes(svg: str) -> list[str]:
    """List the colours of the lines that are drawn, each longer than a few points."""
    paths = [each for each in ET.fromstring(svg).iter() if each.tag.endswith("path")]
    return [str(each.get("stroke")) for each in paths if len(each.get("d", "")) > 500]


@pytest.mark.parametrize(("members", "tested"), [(1, True), (6, True), (7, True), (2, False)])
def test_every_member_and_the_mean_have_a_line(members: int, tested: bool) -> None:
    drawing = response_drawing(responses_of(members, tested=tested))
    drawn = strokes(vl_convert.vegalite_to_svg(drawing.chart(width=600).to_dict()))
    for colour in COLOURS[:members] if members <= len(COLOURS) else ():
        assert drawn.count(colour) == 1
    assert drawn.count(light("quiet")) == (members if members > len(COLOURS) else 0)
    assert drawn.count(light("accent")) >= 1
    assert drawn.count(light("muted")) == (2 if tested else 0)  # what chance gives
    assert "p0" not in json.dumps([*drawing.datasets.values(), drawing.template(width="container")])
