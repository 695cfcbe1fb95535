"""A chart is kept as a chart and as a picture: small, quickly, whatever is in it, and with nothing fetched for it."""

import io
import json
import re
import shutil
import subprocess
import time
import zlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair as alt
import pytest
import vl_convert
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nbconvert import HTMLExporter
from recordings import at, make_recording, steady

from pulsoid_rec.analysis.notebook import picture
from pulsoid_rec.analysis.notebook.explore import Excerpt, explore
from pulsoid_rec.analysis.notebook.picture import draw_picture
from pulsoid_rec.analysis.notebook.rendering import show_offline

CHART = "application/vnd.vegalite.v5+json"
PNG = "image/png"
HOSTILE = "\x00\x1b[31m\ud7ff\uffff\u2028</svg><script>alert(1)</script>\\u001b\\ 👩\u200d💻" + "x" * 300


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Begin as a new process does, whatever renderer other tests chose."""
    before = alt.renderers.active
    alt.renderers.enable("default")
    yield
    alt.renderers.enable(before)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Excerpt:
    """Record six members for an hour, one of them with a name that is not fit for a picture."""
    members = ["ann", "bob", "cid", "dan", "eve", "fay"]
    rows = [row for place, member in enumerate(members) for row in steady(member, 80 + 9 * place, place, 3400)]
    names = [("r1", "ann", "updated", json.dumps({"name": HOSTILE}), at(0), at(0), "c1")]
    path = make_recording(tmp_path_factory.mktemp("picture") / "pulsoid.duckdb", rows, member_events=names)
    path.with_name("members.toml").write_text("[ann]\nhr_max = 150\n[bob]\nhr_max = 160\n", encoding="utf-8")
    return explore(path)


def bar(**others: Any) -> alt.Chart:
    chart: alt.Chart = alt.Chart(alt.InlineData(values=[{"a": HOSTILE, "b": 2}]), **others).mark_bar()
    return chart.encode(y="a:N", x="b:Q")


def show(chart: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a notebook is given: the outputs by type, and what it is told of the picture."""
    bundle = chart._repr_mimebundle_()
    outputs, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    return outputs, metadata.get(PNG, {})


def seconds_to_draw(spec: dict[str, Any]) -> float:
    before = time.process_time()
    draw_picture(spec)
    return time.process_time() - before


def size_of(png: bytes) -> tuple[int, int]:
    """Check that a PNG file is whole, and return its width and height."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, kinds, pixels = 8, [], b""
    while at < len(png):
        length = int.from_bytes(png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + data) == int.from_bytes(png[at + 8 + length : at + 12 + length])
        kinds.append(kind)
        pixels += data if kind == b"IDAT" else b""
        at += 12 + length
    assert (kinds[0], kinds[-1], kinds.count(b"IDAT")) == (b"IHDR", b"IEND", 1)
    width, height = int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
    assert len(zlib.decompress(pixels)) == height * (1 + 4 * width)
    return width, height


@pytest.mark.slow
@pytest.mark.parametrize("name", ["timeline", "zone_bars", "distribution", "small_multiples", "calendar"])
def test_chart_is_kept_as_chart_picture_and_sentence_and_costs_little(whole: Excerpt, name: str) -> None:
    outputs, shown = show(getattr(whole, name)())
    assert set(outputs) == {CHART, PNG, "text/plain"}
    assert len(outputs[PNG]) * 4 / 3 < 200_000
    assert any(seconds_to_draw(outputs[CHART]) < 0.5 for _ in range(5))
    width, height = size_of(outputs[PNG])
    assert 1 <= width / shown["width"] <= 2.01
    assert height / shown["height"] == pytest.approx(width / shown["width"], rel=0.01)
    assert shown["alt"] == outputs["text/plain"]
    assert re.match(r"(Heart rate|Time|Sessions) .+", outputs["text/plain"])


def test_sentence_names_the_session(whole: Excerpt) -> None:
    outputs, _ = show(whole.zone_bars())
    assert outputs["text/plain"].startswith("Time in zones, r1, session 1, Sun ")


def test_picture_can_be_left_out(whole: Excerpt) -> None:
    show_offline(png=False)
    assert set(show(whole.zone_bars())[0]) == {CHART, "text/plain"}
    show_offline()
    assert PNG in show(whole.zone_bars())[0]


@pytest.mark.parametrize("width", [200, "container"])
def test_text_that_no_picture_can_show_stops_nothing(width: int | str) -> None:
    show_offline()
    chart = bar(title=alt.Title(HOSTILE, subtitle=HOSTILE), description=HOSTILE, width=width)
    outputs, shown = show(chart.add_params(alt.selection_interval()))
    size_of(outputs[PNG])
    assert outputs[CHART]["title"]["text"] == HOSTILE, "the chart itself has the text as it is"
    assert not re.search("[\x00-\x1f\u2028]", shown["alt"])


@pytest.mark.slow
@given(st.text(min_size=1) | st.text("😀👩\u200d💻", min_size=20, max_size=64))
@example("😀" * 60)
@settings(max_examples=15, deadline=None)
def test_whatever_a_text_says_it_is_drawn(text: str) -> None:
    label = {"field": "a", "type": "nominal"}
    data = {"values": [{"a": text}]}
    size_of(draw_picture({"data": data, "mark": "bar", "encoding": {"y": label, "color": label}, "title": text}).png)


def test_chart_with_data_elsewhere_fetches_nothing_and_has_no_picture() -> None:
    show_offline()
    chart = alt.Chart("https://127.0.0.1:9/data.csv").mark_point().encode(x="a:Q")
    with pytest.warns(UserWarning, match=r"kept without a picture.*External data url not allowed") as told:
        outputs, _ = show(chart)
    assert set(outputs) == {CHART, "text/plain"}
    assert len(told) == 1


def test_what_is_left_out_of_a_picture_was_invisible(whole: Excerpt) -> None:
    svg = vl_convert.vegalite_to_svg(whole.only(member="bob").timeline().to_dict())
    shorter = picture._INVISIBLE.sub("", svg)
    assert svg.count("<path") - shorter.count("<path") == 120, "the columns to hover over"
    assert vl_convert.svg_to_png(svg) == vl_convert.svg_to_png(shorter)


@pytest.mark.slow
@pytest.mark.process
def test_chart_can_be_read_on_paper(whole: Excerpt, tmp_path: Path) -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium is installed to print with")
    outputs, shown = show(whole.zone_bars())
    data = outputs | {PNG: b64encode(outputs[PNG]).decode()}
    output = {"output_type": "display_data", "data": data, "metadata": {PNG: shown}}
    code = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": 1, "source": "", "outputs": [output]}
    notebook = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [code]})
    html, _ = HTMLExporter().from_file(io.StringIO(notebook))  # type: ignore[no-untyped-call]  # annotated only in part
    page, paper = tmp_path / "shared.html", tmp_path / "shared.pdf"
    page.write_text(html, encoding="utf-8")
    switches = ("headless", "no-sandbox", "disable-gpu", "proxy-server=127.0.0.1:9", f"user-data-dir={tmp_path}/user")
    command = [chromium, *(f"--{switch}" for switch in switches), f"--print-to-pdf={paper}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    size = rb"/Width %d\b.*?/Height %d\b" % size_of(outputs[PNG])
    assert re.search(rb"/Subtype\s*/Image\b.*?" + size, paper.read_bytes(), re.DOTALL)
