"""Pairs as a matrix, and how alike members moved over time: every pair once a side, nothing where nothing is known."""

import itertools
import json
from typing import Any

import numpy as np
import pytest
import vl_convert
from report_samples import START, crowd, readings_of, report_of
from scipy.cluster import hierarchy

from pulsoid_rec.analysis.charts.course import MOST_PAIRS, course_drawing, timeline_with_course
from pulsoid_rec.analysis.charts.drawing import Drawing
from pulsoid_rec.analysis.charts.pairs import format_correlation, order_by_likeness, pairs_drawing
from pulsoid_rec.analysis.findings.session_view import SessionView, session_views
from pulsoid_rec.analysis.group import synchrony
from pulsoid_rec.analysis.group.course import SessionCourse, name_pairs
from pulsoid_rec.analysis.group.synchrony import FloatArray, PairFigure


def pairs_of(correlation: FloatArray) -> list[PairFigure]:
    names = [f"member {number}" for number in range(len(correlation))]
    return [
        PairFigure(
            profile_ids=(f"p{i}", f"p{j}"),
            names=(names[i], names[j]),
            tested=synchrony.Tested(value=None if np.isnan(correlation[i, j]) else float(correlation[i, j]), p=0.25),
        )
        for i, j in itertools.combinations(range(len(correlation)), 2)
    ]


def data(drawing: Drawing, name: str) -> Any:
    return json.loads(drawing.datasets[name])


def view(members: int = 3, seconds: int = 600) -> SessionView:
    series = {f"p{i}": [(float(s), 80 + (s * (i + 1)) % 20) for s in range(seconds)] for i in range(members)}
    (found,) = session_views(report_of(readings_of(series)))
    return found


def course(members: int, windows: int = 20) -> SessionCourse:
    random = np.random.default_rng(1)
    pairs = np.tanh(random.normal(0, 0.4, (members * (members - 1) // 2, windows)))
    pairs[:, 5] = np.nan
    pairs[0, 7] = np.nan
    group = np.where(np.isnan(pairs).all(axis=0), np.nan, np.nanmean(np.nan_to_num(pairs), axis=0))
    ids = tuple(f"p{i}" for i in range(members))
    return SessionCourse(first_at=START, profile_ids=ids, members=np.full(windows, members), group=group, pairs=pairs)


@pytest.mark.parametrize("members", [1, 2, 3, 8, 40])
def test_members_are_ordered_by_the_clusters_that_scipy_finds(members: int) -> None:
    random = np.random.default_rng(members)
    for _ in range(10):
        camp = random.integers(0, 3, members)
        correlation = np.where(camp[:, None] == camp, 0.6, 0.05) + random.normal(0, 0.2, (members, members))
        correlation = np.clip((correlation + correlation.T) / 2, -1, 1)
        np.fill_diagonal(correlation, np.nan)
        if members == 8:
            correlation[2, 5] = correlation[5, 2] = np.nan  # unknown
        order = order_by_likeness(correlation)
        assert sorted(order) == list(range(members))
        if members > 1:
            distance = (1 - np.nan_to_num(correlation))[np.triu_indices(members, 1)]
            assert order == hierarchy.leaves_list(hierarchy.linkage(distance, "average")).tolist()


def test_a_matrix_has_each_pair_on_both_sides_and_a_dash_for_what_is_unknown() -> None:
    correlation = np.array([[1, 0.5, np.nan], [0.5, 1, -0.25], [np.nan, -0.25, 1]])
    drawing = pairs_drawing(pairs_of(correlation))
    cells = {(cell["row"], cell["column"]): cell for cell in data(drawing, "cells")}
    assert len(cells) == 6
    assert cells["member 0", "member 1"]["text"] == cells["member 1", "member 0"]["text"] == "0.50"
    assert cells["member 2", "member 1"]["text"] == "\N{MINUS SIGN}0.25"
    assert cells["member 0", "member 2"]["text"] == "\N{EM DASH}"
    assert [cells["member 0", "member 1"]["weight"], cells["member 1", "member 2"]["weight"]] == [1, 0.5]
    assert cells["member 0", "member 2"]["weight"] == 0
    vl_convert.vegalite_to_vega(drawing.chart(width=300).to_dict())


def test_weak_correlations_stay_pale() -> None:
    weights = {cell["weight"] for cell in data(pairs_drawing(pairs_of(np.full((2, 2), 0.03))), "cells")}
    assert weights == {0.1}


@pytest.mark.parametrize("members", [2, 5, 12, 30])
def test_a_matrix_of_any_size_is_one_that_vega_lite_takes(members: int) -> None:
    random = np.random.default_rng(members)
    correlation = np.atleast_2d(np.corrcoef(random.normal(size=(members, 50))))
    drawing = pairs_drawing(pairs_of(correlation))
    svg = vl_convert.vegalite_to_svg(drawing.chart(width=600).to_dict())
    figures = members * (members - 1) if members <= 12 else 0
    texts = {format_correlation(correlation[i, j]) for i, j in itertools.combinations(range(members), 2)}
    assert sum(svg.count(f">{text}</text>") for text in texts) == figures


def test_the_course_breaks_where_nothing_is_known_and_names_the_ends_under_the_pointer() -> None:
    drawn, found = view(), course(3)
    names = name_pairs(found.profile_ids, drawn.names)
    drawing = course_drawing(drawn, found, names)
    (group,) = data(drawing, "group")
    assert group["t"][:2] == [15, 45], "the middles of its windows"
    assert group["r"][5] is None
    assert [pair["r"][7] is None for pair in data(drawing, "pairs")] == [True, False, False]
    (columns,) = data(drawing, "columns")
    window = [columns["column"].index(column) for column in range(120) if (column + 0.5) * 599 / 120 // 30 == 8]
    best = int(found.pairs[:, 8].argmax())
    for place in window:
        assert columns["highest"][place] == f"{format_correlation(found.pairs[best, 8])} {names[best]}"
        assert columns["members"][place] == "3 of 3"
    assert columns["mean"][columns["column"].index(int(5.5 * 30 / 599 * 120))] == "\N{EM DASH}"
    vl_convert.vegalite_to_vega(drawing.chart(width=600).to_dict())


def test_more_pairs_than_the_eye_can_follow_are_not_drawn() -> None:
    (crowded,) = session_views(crowd(13, 600))
    many = course(13)
    many = SessionCourse(
        first_at=START, profile_ids=tuple(crowded.names), members=many.members, group=many.group, pairs=many.pairs
    )
    assert len(many.pairs) > MOST_PAIRS
    drawing = course_drawing(crowded, many, name_pairs(many.profile_ids, crowded.names))
    assert data(drawing, "pairs") == []
    assert data(drawing, "group")[0]["r"]


@pytest.mark.parametrize("has_course", [True, False])
def test_heart_rates_and_course_are_on_one_axis_of_time(has_course: bool) -> None:
    drawn, found = view(), course(3)
    chart = timeline_with_course(drawn, found if has_course else None, name_pairs(found.profile_ids, drawn.names), 600)
    spec = chart.to_dict()
    assert len(spec["concat"]) == 1 + has_course
    assert {each["width"] for each in spec["concat"]} == {600}
    vl_convert.vegalite_to_vega(spec)
