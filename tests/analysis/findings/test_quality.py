"""Sensors that are not to be trusted are named, with counts and times."""

from datetime import UTC, datetime
from itertools import groupby, pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from readings import MATCHES
from report_samples import at, readings_of, report_of

from pulsoid_rec.analysis.findings.note import Note
from pulsoid_rec.analysis.findings.quality import FINDINGS, JUMP_BPM, UNCHANGING_S, find_faults, quality_notes
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.session_view import session_views
from pulsoid_rec.analysis.metrics.definitions import Definitions


def notes_of(report: ReportData) -> list[Note]:
    return [note for view in session_views(report, UTC) for note in quality_notes(view)]


def texts(report: ReportData) -> list[str]:
    return [note.text for note in notes_of(report)]


def lively(begin: int, end: int) -> list[tuple[float, int]]:
    return [(s, 80 + s % 7) for s in range(begin, end + 1)]


def test_nothing_is_remarked_of_a_lively_sensor() -> None:
    assert texts(report_of(readings_of({"a": lively(0, 600)}))) == []


def test_a_sensor_of_zeros_is_named() -> None:
    report = report_of(readings_of({"a": lively(0, 60), "b": [(s, 0) for s in range(61)]}))
    assert texts(report) == ["b: 61 readings of 0 bpm (all of them), from 13:00:00 to 13:01:00"]


def test_a_single_zero_is_told_with_its_instant() -> None:
    report = report_of(readings_of({"a": [*lively(0, 29), (30, 0), *lively(31, 60)]}))
    assert texts(report) == ["a: 1 reading of 0 bpm (of 61), at 13:00:30"]


def test_implausible_values_are_named_with_their_range() -> None:
    report = report_of(readings_of({"a": [*lively(0, 29), (30, 231), (31, 900), *lively(32, 60)]}))
    assert texts(report) == ["a: 2 readings outside 30 to 230 bpm (231 to 900; of 61), from 13:00:30 to 13:00:31"]


def test_one_value_for_minutes_is_named() -> None:
    stuck = [(s, 77) for s in range(100, 301)]
    report = report_of(readings_of({"a": [*lively(0, 99), *stuck, *lively(301, 400)]}))
    assert texts(report) == ["a: one unchanging value for 3 min 20 s (77 bpm), from 13:01:40 to 13:05:00"]


def test_one_value_for_exactly_the_bound_is_named() -> None:
    stuck = [(s, 77) for s in range(100, 101 + int(UNCHANGING_S))]
    assert texts(report_of(readings_of({"a": [*lively(0, 98), *stuck, *lively(300, 400)]})))[0] == (
        "a: one unchanging value for 3 min (77 bpm), from 13:01:40 to 13:04:40"
    )


def test_one_value_for_a_breath_less_is_no_fault() -> None:
    stuck = [(s, 77) for s in range(100, 100 + int(UNCHANGING_S))]
    assert texts(report_of(readings_of({"a": [*lively(0, 98), *stuck, *lively(300, 400)]}))) == []


def test_one_value_on_both_sides_of_a_gap_is_not_called_unchanging() -> None:
    assert texts(report_of(readings_of({"a": [(s, 77) for s in range(300) if not 140 < s < 150]}))) == []


def test_jumps_are_named_with_what_they_lie_between() -> None:
    report = report_of(readings_of({"a": [*lively(0, 29), (30, 150), (31, 151), *lively(32, 60)]}))
    assert texts(report) == [
        "a: 2 jumps of more than 30 bpm within 1 s (between 81 and 151), from 13:00:29 to 13:00:32",
    ]


@pytest.mark.parametrize(("apart_s", "height"), [(1.0, JUMP_BPM), (1.001, 80)])
def test_a_change_just_small_or_slow_enough_is_no_jump(apart_s: float, height: int) -> None:
    assert texts(report_of(readings_of({"a": [(0, 70), (apart_s, 70 + height)]}))) == []


def test_low_coverage_is_named() -> None:
    report = report_of(readings_of({"a": [*lively(0, 100), *lively(150, 200)], "b": lively(0, 200)}))
    assert texts(report) == ["a: readings cover 78 % of the time from first to last"]


def test_without_readings_the_summary_still_tells_of_implausible_ones() -> None:
    full = report_of(readings_of({"a": [*lively(0, 29), (30, 0), *lively(31, 60)]}))
    report = report_of(full.readings)
    bare = {name: getattr(full, name) for name in full.__dataclass_fields__} | {"readings": full.readings.clear()}
    assert texts(report) == ["a: 1 reading of 0 bpm (of 61), at 13:00:30"]
    assert texts(ReportData(**bare)) == ["a: 1 reading outside 30 to 230 bpm"]


def test_many_remarks_fold_into_one() -> None:
    report = report_of(readings_of({f"p{i}": [(s, 0) for s in range(10)] for i in range(7)}))
    (note,) = notes_of(report)
    assert note.text == "7 remarks on sensors"
    assert note.details[6] == "p6: 10 readings of 0 bpm (all of them), from 13:00:00 to 13:00:09"


FAULTS_OF_MATCHES = {
    "early_end": [],
    "late_and_zeros": ["player_4: 900 readings of 0 bpm (all of them), from 13:00:00 to 13:14:59"],
    "match_18": ["player_4: 2,401 readings of 0 bpm (all of them), from 13:00:00 to 13:40:00"],
    "stuck": [
        "player_2: 1 jump of more than 30 bpm within 1 s (between 111 and 148), from 13:06:00 to 13:06:01",
        "player_2: one unchanging value for 4 min (111 bpm), from 13:02:00 to 13:06:00",
        "player_3: 10 readings outside 30 to 230 bpm (255; of 660), from 13:06:40 to 13:06:49",
    ],
}


@pytest.mark.parametrize("match", sorted(FAULTS_OF_MATCHES.keys() & MATCHES.keys()))
def test_the_faulty_sensors_of_a_match_are_the_only_ones_named(match: str) -> None:
    rows = pl.read_csv(MATCHES[match])
    series = {m: rows.filter(pl.col("member") == m).select("time_s", "bpm").rows() for m in rows["member"].unique()}
    assert texts(report_of(readings_of(series))) == FAULTS_OF_MATCHES[match]


# Steps of time and bpm that meet every bound from both sides.
STEP_S = st.sampled_from([0.0, 0.5, 1.0, 1.5, 4.0, 5.0, 5.5, 30.0, 60.0, 90.0])
BPM = st.sampled_from([0, 29, 30, 60, 60, 60, 60, 90, 91, 120, 121, 230, 231])
SERIES = st.lists(st.tuples(STEP_S, BPM), max_size=40)


def timed(steps: list[tuple[float, int]]) -> list[tuple[float, int]]:
    now, series = 0.0, []
    for step, bpm in steps:
        now += step
        series.append((now, bpm))
    return series


def oracle(member: str, readings: list[tuple[float, int]], max_hold_s: float) -> list[tuple[Any, ...]]:
    """Find a member's faults in plain Python, from the words of the definitions."""
    rows: list[tuple[Any, ...]] = []

    def add(
        what: str, times: int, concerned: list[tuple[float, int]], longest: tuple[int, float] | None = None
    ) -> None:
        if times:
            instants = [t for t, _ in concerned]
            bpms = [b for _, b in concerned] if longest is None else [longest[0]]
            ends: tuple[datetime, datetime] = (at(min(instants)), at(max(instants)))
            rows.append((member, what, times, *ends, min(bpms), max(bpms), longest and longest[1]))

    zeros = [(t, b) for t, b in readings if b == 0]
    odd = [(t, b) for t, b in readings if b != 0 and not 30 <= b <= 230]
    good = [(t, b) for t, b in readings if 30 <= b <= 230]
    add("zeros", len(zeros), zeros)
    add("implausible", len(odd), odd)
    jumps = [(x, y) for x, y in pairwise(good) if y[0] - x[0] <= 1.0 and abs(y[1] - x[1]) > 30]
    add("jumps", len(jumps), [reading for pair in jumps for reading in pair])
    run, label = [], 0
    for i, (t, b) in enumerate(good):
        if i and (b != good[i - 1][1] or t - good[i - 1][0] > max_hold_s):
            label += 1
        run.append((label, t, b))
    runs = [[(t, b) for _, t, b in group] for _, group in groupby(run, key=lambda r: r[0])]
    still = [r for r in runs if r[-1][0] - r[0][0] >= UNCHANGING_S]
    if still:
        longest = max(still, key=lambda r: r[-1][0] - r[0][0])
        length_s = longest[-1][0] - longest[0][0]
        add("unchanging", len(still), [reading for r in still for reading in r], (longest[0][1], length_s))
    return sorted(rows)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), SERIES, max_size=3), st.sampled_from([5.0, 60.0, 120.0]))
def test_faults_are_those_of_the_definitions(steps: dict[str, list[tuple[float, int]]], max_hold_s: float) -> None:
    series = {member: timed(each) for member, each in steps.items()}
    readings = readings_of(series)
    found = find_faults(readings, Definitions(max_hold_s=max_hold_s))
    assert dict(found.schema) == FINDINGS
    expected = [row for member in sorted(series) for row in oracle(member, series[member], max_hold_s)]
    assert found.rows() == expected
