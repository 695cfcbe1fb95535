"""Colours that everybody can tell apart, on light and on dark paper."""

import math
from itertools import combinations, pairwise
from typing import Any

import pytest

from pulsoid_rec.analysis.charts.style import PALETTE, colours_to_variables


def test_colours_are_replaced_by_their_names_and_data_is_not() -> None:
    ink = PALETTE["ink"].light
    assert colours_to_variables({"a": [ink, 1], "b": {"c": "no colour"}}) == {
        "a": ["var(--ink)", 1],
        "b": {"c": "no colour"},
    }


def test_light_colours_stand_for_one_name_each() -> None:
    assert len({colour.light for colour in PALETTE.values()}) == len(PALETTE)


# Machado, Oliveira and Fernandes 2009, severity 1; OKLab: Ottosson 2020.
SIGHT = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
LMS = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def times(matrix: Any, vector: list[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def linear(colour: str) -> list[float]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def seen(colour: str, sight: str) -> list[float]:
    shown = [min(1.0, max(0.0, part)) for part in times(SIGHT[sight], linear(colour))]
    return times(LAB, [math.cbrt(part) for part in times(LMS, shown)])


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("paper", ["light", "dark"])
def test_members_and_neighbouring_zones_are_told_apart_by_every_sight(sight: str, paper: str) -> None:
    members = [getattr(PALETTE[f"member{i}"], paper) for i in range(1, 7)]
    assert min(math.dist(seen(a, sight), seen(b, sight)) for a, b in combinations(members, 2)) > 0.11
    zones = [getattr(PALETTE[f"zone{i}"], paper) for i in range(6)]
    assert min(math.dist(seen(a, sight), seen(b, sight)) for a, b in pairwise(zones)) > 0.045
    # Further from the paper with every zone, so that they stand in order in print without colour, too.
    away = [abs(seen(zone, "normal")[0] - seen(getattr(PALETTE["paper"], paper), "normal")[0]) for zone in zones]
    assert away == sorted(away)


@pytest.mark.parametrize("paper", ["light", "dark"])
@pytest.mark.parametrize(("name", "least"), [("ink", 7.0), ("muted", 4.5), ("accent", 4.5), ("member1", 3.0)])
def test_what_is_read_stands_out_from_the_paper(name: str, least: float, paper: str) -> None:
    def light_of(colour: str) -> float:
        return sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))

    low, high = sorted((light_of(getattr(PALETTE[name], paper)), light_of(getattr(PALETTE["paper"], paper))))
    assert (high + 0.05) / (low + 0.05) >= least
