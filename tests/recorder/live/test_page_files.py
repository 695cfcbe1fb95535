"""The live page's files: what they may contain, and what they share with the report."""

import re
from pathlib import Path

from pulsoid_rec.analysis.charts.style import css_variables

PAGE = Path(__file__).parents[3] / "recorder" / "live" / "page"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(PAGE.iterdir())}
SCRIPTS = {name: text for name, text in TEXTS.items() if name.endswith(".js")}


def declared(css: str) -> set[tuple[str, str]]:
    return set(re.findall(r"--(\w+): (#\w+);", css))


def test_its_colours_are_those_of_the_report() -> None:
    light, dark = re.findall(r"^:root[^{]*\{(.*?)^\}", TEXTS["live.css"], re.DOTALL | re.MULTILINE)
    correlations = {"alike", "opposite"}  # of which it shows none
    for its, is_dark in ((light, False), (dark, True)):
        assert {name for name, _ in declared(css_variables(dark=is_dark)) - declared(its)} == correlations


def test_text_from_configs_can_only_become_text() -> None:
    for name, text in SCRIPTS.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function", text), name


def test_it_has_no_script_or_style_inline_and_asks_for_nothing_elsewhere() -> None:
    assert not re.search(r"\s(style|on\w+)=|<style|<script>|javascript:", TEXTS["live.html"])
    addresses = {
        found for text in TEXTS.values() for found in re.findall(r"[a-z]+://[^\s\"']+|[\"'(]//[^\s\"']+", text)
    }
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, which nobody asks for


def test_every_file_it_names_is_there_and_none_is_left_over() -> None:
    named = {"live.html", *re.findall(r'(?:href|src)="([\w.]+)"', TEXTS["live.html"])}
    for text in SCRIPTS.values():
        named.update(re.findall(r'from "\./([\w.]+)"', text))
    assert named == set(TEXTS)
