"""Charts draw what was recorded: extremes kept, gaps open, colours that everybody can tell apart."""

import json
import math
import re
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from itertools import pairwise
from typing import Any

import altair as alt
import polars as pl
import pytest
import vl_convert
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import START, readings_of, report_of

from pulsoid_rec.analysis.charts.amounts import distribution_drawing, zone_drawing
from pulsoid_rec.analysis.charts.data import bpm_domain, crowd_hover, hover_columns, lines, thin, wall_ms
from pulsoid_rec.analysis.charts.history import calendar, member_history
from pulsoid_rec.analysis.charts.members import member_drawings, small_multiples
from pulsoid_rec.analysis.charts.season import period_drawing, season_calendar
from pulsoid_rec.analysis.charts.timeline import timeline_drawing
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.season import MOST_SESSIONS, season_periods
from pulsoid_rec.analysis.findings.session_view import SessionView, session_views
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.phases import PLACED_MARKS

Series = dict[str, list[tuple[float, int]]]


def view_of(report: ReportData) -> SessionView:
    (view,) = session_views(report, UTC)
    return view


def crowd(members: int, seconds: int) -> ReportData:
    series = {
        f"p{i:02}": [(s, int(90 + i + 20 * math.sin(s / 40 + i))) for s in range(seconds) if s % 97 > i % 20]
        for i in range(members)
    }
    return report_of(readings_of(series), hr_max={f"p{i:02}": 180.0 for i in range(0, members, 2)})


def datasets(chart: alt.LayerChart) -> list[Any]:
    """Give a chart's data, in no promised order."""
    return [json.loads(text) for text in chart.to_dict()["datasets"].values()]


def drawn_member(view: SessionView, profile_id: str) -> alt.LayerChart:
    return member_drawings(view)[profile_id].chart(width=360)


def timeline(view: SessionView) -> alt.LayerChart:
    return timeline_drawing(view, view, chooser=True).chart()


def drawn_lines(chart: alt.LayerChart) -> list[dict[str, Any]]:
    (found,) = [rows for rows in datasets(chart) if rows and "bpm" in rows[0] and isinstance(rows[0]["bpm"], list)]
    return list(found)


# Steps on both sides of the longest hold, and of what a bucket is wide.
STEP_S = st.sampled_from([0.0, 0.4, 1.0, 5.0, 5.1, 20.0])
STEPS = st.lists(st.tuples(STEP_S, st.sampled_from([0, 60, 61, 75, 90, 140, 250])), max_size=60)
SEEN = STEPS.filter(lambda steps: any(30 <= bpm <= 230 for _, bpm in steps))


def timed(steps: list[tuple[float, int]]) -> list[tuple[float, int]]:
    now, series = 0.0, []
    for step, bpm in steps:
        now += step
        series.append((round(now, 1), bpm))
    return series


@pytest.mark.slow
@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(["a", "b"]), STEPS, min_size=1), st.integers(1, 40))
def test_every_bucket_keeps_its_lowest_highest_first_and_last(steps: Series, buckets: int) -> None:
    series = {member: timed(each) for member, each in steps.items()}
    end = max((t for each in series.values() for t, _ in each), default=0.0)
    view = view_of(report_of(readings_of({"start": [(0.0, 0)], "end": [(end, 0)], **series})))
    kept = thin(view, buckets)
    span_us = max(1, round(end * 1e6))
    for member, readings in series.items():
        rows = [
            (round((when - START).total_seconds(), 1), bpm)
            for when, bpm in kept.filter(pl.col("profile_id") == member).select("occurred_at", "bpm").iter_rows()
        ]
        good = [(t, b) for t, b in readings if 30 <= b <= 230]
        full: dict[int, list[tuple[float, int]]] = {}
        thinned: dict[int, list[tuple[float, int]]] = {}
        for into, source in ((full, good), (thinned, rows)):
            for t, b in source:
                into.setdefault(min(buckets - 1, round(t * 1e6) * buckets // span_us), []).append((t, b))
        assert full.keys() == thinned.keys()
        assert rows == sorted(rows, key=lambda row: row[0])
        assert set(rows) <= set(good)
        for bucket, readings_in in full.items():
            values, kept_values = [b for _, b in readings_in], [b for _, b in thinned[bucket]]
            assert (min(kept_values), max(kept_values)) == (min(values), max(values))
            assert (thinned[bucket][0], thinned[bucket][-1]) == (readings_in[0], readings_in[-1])
            assert len(kept_values) <= 4


@pytest.mark.slow
@settings(max_examples=30)
@given(SEEN, st.integers(1, 40))
def test_a_line_is_broken_at_gaps_and_nowhere_else(steps: list[tuple[float, int]], buckets: int) -> None:
    readings = timed(steps)
    view = view_of(report_of(readings_of({"a": readings})))
    (drawn,) = lines(thin(view, buckets), view)
    first = readings[0][0]
    good = [round(t - first, 1) for t, b in readings if 30 <= b <= 230]
    paces = sorted(round(b - a, 1) for (a, _), (b, _) in pairwise(readings) if b > a)
    usual = 1.5 * paces[(len(paces) - 1) // 2] if len(paces) >= 10 else 0.0
    gaps = [(a, b) for a, b in pairwise(good) if round(b - a, 1) > max(5.0, usual)]
    for (a, bpm_a), (b, bpm_b) in pairwise(zip(drawn["t"], drawn["bpm"], strict=True)):
        crossed = any(a <= begin and end <= b for begin, end in gaps)
        if bpm_a is not None and bpm_b is not None:
            assert not crossed
        elif bpm_b is None:
            assert crossed


def test_a_gap_of_one_reading_more_than_the_hold_breaks_the_line() -> None:
    view = view_of(report_of(readings_of({"a": [(0, 80), (5, 81), (10.1, 82), (11, 83)]})))
    (drawn,) = drawn_lines(timeline(view))
    assert drawn["bpm"] == [80, 81, None, 82, 83]
    assert drawn["t"] == [0.0, 5.0, 10.1, 10.1, 11.0]


def test_a_slow_sensor_is_a_line_and_breaks_where_it_is_late() -> None:
    slow = [(10 * k + k % 2, 80 + k % 5) for k in range(60) if k != 30]
    view = view_of(report_of(readings_of({"a": slow, "b": [(s, 90 + s % 5) for s in range(100) if s % 50 < 44]})))
    a, b = drawn_lines(timeline(view))
    assert [(a["t"][i - 1], a["t"][i]) for i, bpm in enumerate(a["bpm"]) if bpm is None] == [(291.0, 311.0)]
    assert [(b["t"][i - 1], b["t"][i]) for i, bpm in enumerate(b["bpm"]) if bpm is None] == [(43.0, 50.0)]


def test_a_longer_hold_closes_the_same_gap() -> None:
    readings = readings_of({"a": [(0, 80), (5, 81), (10.1, 82)]})
    view = view_of(report_of(readings, definitions=Definitions(max_hold_s=6.0)))
    assert drawn_lines(timeline(view))[0]["bpm"] == [80, 81, 82]


def test_implausible_readings_are_not_drawn() -> None:
    view = view_of(report_of(readings_of({"a": [(0, 80), (1, 0), (2, 255), (3, 81)], "b": [(0, 0), (3, 0)]})))
    assert [(line["name"], line["bpm"]) for line in drawn_lines(timeline(view))] == [("a", [80, 81])]


def test_half_a_day_of_a_member_is_few_enough_points() -> None:
    seconds = pl.int_range(0, 43_200, eager=True)
    series = {"a": list(zip(seconds.to_list(), (60 + seconds * 7919 % 90).to_list(), strict=True))}
    (drawn,) = drawn_lines(timeline(view_of(report_of(readings_of(series)))))
    assert len(drawn["t"]) <= 4 * 480


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 6, 7])
def test_every_chart_of_a_session_is_one_that_vega_lite_takes(members: int) -> None:
    view = view_of(crowd(members, 200))
    one = next(iter(view.names))
    charts = (
        timeline(view),
        drawn_member(view, one),
        zone_drawing(view, legend=True).chart(),
        distribution_drawing(view).chart(),
        small_multiples(view),
    )
    for chart in charts:
        vl_convert.vegalite_to_vega(chart.to_dict())


@pytest.mark.slow
def test_charts_of_nothing_plausible_are_empty_and_no_error() -> None:
    view = view_of(report_of(readings_of({"a": [(0, 0), (9, 0)], "b": [(3, 0)]})))
    for chart in (
        timeline(view),
        drawn_member(view, "a"),
        zone_drawing(view, legend=True).chart(),
        distribution_drawing(view).chart(),
        small_multiples(view),
    ):
        vl_convert.vegalite_to_vega(chart.to_dict())
    assert drawn_lines_or_none(timeline(view)) == []


def drawn_lines_or_none(chart: alt.LayerChart) -> list[Any]:
    return [rows for rows in datasets(chart) if rows and isinstance(rows[0].get("bpm"), list)]


def test_the_clock_of_a_chart_is_local_whatever_the_browser_thinks() -> None:
    (view,) = session_views(
        report_of(readings_of({"a": [(0, 80), (60, 90)]})), timezone(timedelta(hours=5, minutes=30))
    )
    local = wall_ms(view.started_at, view)
    assert local - round(START.timestamp() * 1000) == 19_800_000
    assert f"{local}" in json.dumps(timeline(view).to_dict())


def test_zones_lie_behind_the_line_where_they_begin() -> None:
    view = view_of(report_of(readings_of({"a": [(s, 60 + s) for s in range(140)]}), hr_max={"a": 200.0}))
    (zones,) = [rows for rows in datasets(drawn_member(view, "a")) if rows and "zone" in rows[0]]
    low, high = bpm_domain(view.readings)
    assert (low, high) == (50, 210)
    assert [(row["zone"], row["from"], row["to"]) for row in zones] == [
        (1, 100, 120),
        (2, 120, 140),
        (3, 140, 160),
        (4, 160, 180),
        (5, 180, 210),
    ]


def test_without_hr_max_no_zones_are_drawn() -> None:
    view = view_of(report_of(readings_of({"a": [(s, 60 + s) for s in range(140)]})))
    assert not [rows for rows in datasets(drawn_member(view, "a")) if rows and "zone" in rows[0]]
    assert datasets(zone_drawing(view, legend=True).chart()) == [[]]


def test_the_time_nobody_recorded_is_shaded() -> None:
    report = report_of(
        readings_of({"a": [(s, 80) for s in range(300) if not 100 < s < 160]}),
        connection_events=[("c1", "opened", -5), ("c1", "lost", 100), ("c2", "opened", 160)],
    )
    view = view_of(report)
    begin = wall_ms(view.started_at, view)
    assert [{"from": begin + 100_000, "to": begin + 160_000}] in datasets(drawn_member(view, "a"))


def test_labels_of_marks_that_would_overlap_are_written_in_one_line() -> None:
    report = report_of(readings_of({"a": [(s, 80) for s in range(601)]}))
    marks = pl.DataFrame(
        [
            ("room", 1, None, label, kind, START + timedelta(seconds=s), START + timedelta(seconds=s), f"m{s}", "cli")
            for s, label, kind in ((100, "goal", "mark"), (102, "pause", "phase"), (111, "shout", "mark"))
        ],
        schema=PLACED_MARKS,
        orient="row",
    )
    (rules,) = (
        rows for rows in datasets(timeline(view_of(replace(report, marks=marks)))) if rows and "is_phase" in rows[0]
    )
    assert [rule["label"] for rule in rules] == ["goal, pause", "", "shout"]
    assert [rule["at"] - rules[0]["at"] for rule in rules] == [0, 2000, 11_000]
    assert [rule["is_phase"] for rule in rules] == [False, True, False]


def test_bars_of_zones_add_up_to_what_was_observed() -> None:
    view = view_of(crowd(4, 600))
    (rows,) = datasets(zone_drawing(view, legend=True).chart())
    for name, observed in view.summary.filter(pl.col("hr_max").is_not_null()).select("name", "observed_s").rows():
        ends = [(row["zone"], row["from"], row["to"]) for row in rows if row["member"] == name]
        assert ends == sorted(ends)
        assert ends[0][1] == 0
        assert ends[-1][2] == pytest.approx(observed, abs=0.05)
        assert all(before[2] == after[1] for before, after in pairwise(ends))


@pytest.mark.slow
@settings(max_examples=25)
@given(SEEN)
def test_hovering_tells_the_extremes_of_each_stretch(steps: list[tuple[float, int]]) -> None:
    readings = timed(steps)
    view = view_of(report_of(readings_of({"a": readings})))
    span_us = max(1, round((readings[-1][0] - readings[0][0]) * 1e6))
    expected: dict[int, list[int]] = {}
    for t, bpm in readings:
        if 30 <= bpm <= 230:
            expected.setdefault(min(9, round((t - readings[0][0]) * 1e6) * 10 // span_us), []).append(bpm)
    found = hover_columns(view, 10)
    assert {c: (low, high) for c, low, high in found.select("column", "low", "high").iter_rows()} == {
        column: (min(values), max(values)) for column, values in expected.items()
    }


def test_many_members_are_summed_up_and_absence_stays_open() -> None:
    series = {f"p{i}": [(s, 80 + 10 * i) for s in (*range(10), *range(90, 101))] for i in range(9)}
    view = view_of(report_of(readings_of(series)))
    columns = crowd_hover(view, 10)
    assert columns["present"] == ["9 members", *["nobody"] * 8, "9 members"]
    assert (
        columns["low"][0],
        columns["quarter"][0],
        columns["middle"][0],
        columns["three_quarters"][0],
        columns["high"][0],
    ) == (
        80,
        100.0,
        120.0,
        140.0,
        160,
    )
    assert columns["middle"][1:9] == [None] * 8
    assert columns["highest"][0] == "160 p8"


def test_two_members_of_one_name_have_two_labels() -> None:
    report = report_of(
        readings_of(
            {"abcdefgh-1": [(0, 80), (9, 80)], "abcdefgh-2": [(0, 90), (9, 90)], "c": [(0, 70), (9, 70)]},
            names={"abcdefgh-1": "Alex", "abcdefgh-2": "Alex", "c": "Kim"},
        )
    )
    assert sorted(view_of(report).names.values()) == ["Alex (abcdefgh-1)", "Alex (abcdefgh-2)", "Kim"]


def test_sessions_over_midnight_lie_in_two_days() -> None:
    sessions = report_of(readings_of({"a": [(0, 80), (12 * 3600, 90)]})).sessions
    (rows,) = datasets(calendar(sessions, UTC).chart())
    assert [(row["day"], row["from"], row["to"]) for row in rows] == [
        ("2026-03-04", 13.0, 24.0),
        ("2026-03-05", 0.0, 1.0),
    ]


def test_one_members_sessions_stand_side_by_side() -> None:
    readings = pl.concat(
        [readings_of({"a": [(9000 * n + s, 80 + n) for s in range(60)]}, session=n) for n in (1, 2, 3)]
        + [readings_of({"a": [(40_000, 0)], "b": [(40_000, 70)]}, session=4)]
    )
    chart = member_history(report_of(readings).summary, "a", UTC).chart()
    (rows,) = datasets(chart)
    assert [(row["label"], row["bpm_mean"]) for row in rows] == [
        ("4 Mar\n15:30", 81.0),
        ("4 Mar\n18:00", 82.0),
        ("4 Mar\n20:30", 83.0),
    ]
    vl_convert.vegalite_to_vega(chart.to_dict())


def test_no_session_is_an_empty_calendar() -> None:
    empty = report_of(readings_of({}))
    assert datasets(calendar(empty.sessions).chart()) == [[]]
    assert datasets(member_history(empty.summary, "a").chart()) == [[]]


def many_sessions(count: int, apart_s: float) -> ReportData:
    parts = [readings_of({"a": [(apart_s * n, 80), (apart_s * n + 60, 90)]}, session=n + 1) for n in range(count)]
    return report_of(pl.concat(parts))


def test_the_days_of_many_sessions_are_cells_a_column_a_week() -> None:
    sessions = many_sessions(MOST_SESSIONS + 1, 12 * 3600.0).sessions  # from 13:00 on Wednesday, 4 March 2026
    chart = calendar(sessions, UTC).chart()
    empty, cells = sorted(datasets(chart), key=len, reverse=True)
    assert len(empty) == 365
    assert [cell["sessions"] for cell in cells] == [1, *[2] * 30]
    first, second = cells[:2]
    assert (first["date"], first["week"], first["row"]) == ("Wed 4 Mar 2026", 9, 2)
    assert first["hours"] * 2 == second["hours"]
    assert [cell["row"] for cell in cells[:6]] == [2, 3, 4, 5, 6, 0]
    assert cells[5]["week"] == 10
    vl_convert.vegalite_to_vega(chart.to_dict())


def test_years_of_sessions_have_their_own_rows_the_latest_on_top() -> None:
    sessions = many_sessions(MOST_SESSIONS + 1, 86_400.0 * 30).sessions
    rows = {
        row["date"]: row["row"]
        for data in datasets(season_calendar(sessions, UTC).chart())
        for row in data
        if "date" in row
    }
    years = sorted({date[-4:] for date in rows})
    assert [{rows[date] // 8 for date in rows if date.endswith(year)} for year in reversed(years)] == [
        {place} for place in range(len(years))
    ]


def test_a_members_season_has_a_dot_a_period() -> None:
    report = many_sessions(120, 86_400.0 * 4)
    unit, periods = season_periods(report, UTC)
    chart = period_drawing(periods, unit, (periods["period"][0], periods["period"][-1])).chart(width=400)
    (rows,) = datasets(chart)
    assert len(rows) == periods.height
    assert rows[0]["at"] == "2026-03-02T00:00Z"
    assert rows[0]["observed"] == "10 s in 2 sessions"
    vl_convert.vegalite_to_vega(chart.to_dict())


def test_sessions_of_the_same_members_share_a_specification_without_their_data() -> None:
    readings = pl.concat(
        [
            readings_of({m: [(9000.0 * n + s, 80 + n) for s in range(60 + n)] for m in "ab"}, session=n + 1)
            for n in range(2)
        ]
    )
    first, second = session_views(report_of(readings, hr_max={"a": 180.0}), UTC)
    for prepare in (
        lambda view: timeline_drawing(view, view),
        lambda view: member_drawings(view)["a"],
        distribution_drawing,
        zone_drawing,
    ):
        one, other = prepare(first), prepare(second)
        assert one.template(width="container") is other.template(width="container")
        assert one.datasets != other.datasets or one.values != other.values
        spec = json.loads(one.template(width="container"))
        assert "datasets" not in spec
        named = set(re.findall(r'"data":\{"name":"(\w+)"', one.template(width="container")))
        assert named == set(one.datasets)
