"""Documentation that cannot drift: what the README says of commands, tables and figures is what the program does."""

import re

from readme import README, generated_parts, with_parts

from pulsoid_rec.analysis.metrics.summary import SCHEMA


def test_the_generated_parts_of_the_readme_are_those_of_the_program() -> None:
    text = README.read_text(encoding="utf-8")
    assert with_parts(text, generated_parts()) == text, "run `make readme`"


def test_the_readme_has_a_paragraph_for_every_figure_of_the_summary() -> None:
    prose = README.read_text(encoding="utf-8").partition("## What the figures mean")[2].partition("<!-- columns")[0]
    named = set(re.findall(r"`([a-z0-9_]+)`", prose))
    identity = {"room_id", "session", "profile_id", "name", "first_at", "last_at"}
    zones = {f"zone{zone}_s" for zone in range(1, 5)}  # written as `zone0_s` to `zone5_s`
    counted = {"readings", "duplicates"}  # under "plausible"
    assert set(SCHEMA) - identity - zones - counted <= named


def test_make_targets_named_in_the_readme_exist() -> None:
    makefile = README.with_name("Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"^make ([a-z]+)", README.read_text(encoding="utf-8"), re.MULTILINE))
    assert named
    assert named <= targets
