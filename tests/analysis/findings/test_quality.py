"""Sensors that are not to be trusted are named, with counts and times."""

from datetime import UTC, datetime
from itertools import groupby, pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from readings import MATCHES
from report_samples import at, checks_of, readings_of, report_of

from pulsoid_rec.analysis.findings.faults import FINDINGS, JUMP_BPM, UNCHANGING_S
from pulsoid_rec.analysis.findings.note import Note
from pulsoid_rec.analysis.findings.quality import quality_notes
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


@pytest.mark.parametrize(("apart_s", "height"), [(1.0, JUMP_BPM), (1.55, 80)])
def test_a_change_just_small_or_slow_enough_is_no_jump(apart_s: float, height: int) -> None:
    assert texts(report_of(readings_of({"a": [(0, 70), (apart_s, 70 + height)]}))) == []


SPIKES = [160 if k % 15 == 7 else 80 + k % 3 for k in range(600)]


@pytest.mark.parametrize("pace_s", [0.5, 1, 2, 5, 10])
@pytest.mark.parametrize("jitter_s", [0, 0.02, 0.2])
def test_the_same_jumps_are_found_at_every_pace(pace_s: float, jitter_s: float) -> None:
    series = [(k * pace_s + jitter_s * pace_s * (k * k * 7919 % 13) / 12, bpm) for k, bpm in enumerate(SPIKES)]
    found = checks_of(readings_of({"a": series}), Definitions()).faults
    assert found.select("what", "times").rows() == [("jumps", 80)]


def test_between_readings_of_a_very_slow_sensor_there_are_no_jumps() -> None:
    assert checks_of(
        readings_of({"a": list(zip(range(0, 12_000, 20), SPIKES, strict=True))}), Definitions()
    ).faults.is_empty()


@pytest.mark.parametrize("pace_s", [1, 2, 5, 10])
def test_one_value_for_minutes_is_named_at_every_pace(pace_s: int) -> None:
    series = [(pace_s * k, 77 if 30 <= k <= 300 else 80 + k % 7) for k in range(400)]
    (text,) = [text for text in texts(report_of(readings_of({"a": series}))) if "unchanging" in text]
    assert text.startswith("a: one unchanging value for ")


def test_a_slow_sensor_is_named_with_what_to_do() -> None:
    regular = [(s, 100 + s // 10 % 7) for s in range(0, 1801, 10)]
    irregular, steps = [(0.0, 100)], [4.0, 4.9, 5.0, 5.1, 5.2, 6.0]
    for k in range(300):
        irregular.append((irregular[-1][0] + steps[k * 5 % 6], 100 + k % 7))
    found = texts(report_of(readings_of({"a": regular, "b": irregular, "c": lively(0, 1800)})))
    hold = "longer than a reading holds (5 s), so readings cover"
    assert found == [
        f"a: reports every 10 s, {hold} 50 % of the time: use --max-hold 15",
        f"b: reports every 5 s, often {hold} 96 % of the time: use --max-hold 8",
    ]
    patient = Definitions(max_hold_s=15)
    assert texts(report_of(readings_of({"a": regular, "b": irregular}), definitions=patient)) == []


def test_two_sensors_that_take_turns_are_named() -> None:
    strap, watch = [(s, 120 + s % 3) for s in range(600)], [(s + 0.3, 105 + s % 3) for s in range(0, 600, 5)]
    alike = [(s + 0.7, 120 + s % 3) for s in range(600)]
    report = report_of(readings_of({"a": sorted(strap + watch), "b": sorted(strap + alike), "c": strap}))
    two = "as if two sensors sent for one member, from 13:00:00 to"
    assert texts(report) == [
        f"a: 120 of 720 readings off from both neighbours (between 105 and 122), {two} 13:09:56",
        f"b: 1,198 of 1,200 readings at uneven steps of less than 1 s, {two} 13:09:59",
    ]


def test_a_sensor_that_reports_with_each_heart_beat_is_one() -> None:
    now, series = 0.0, []
    for k in range(600):
        now += 60 / (100 + 10 * (k % 8 < 4))
        series.append((now, 100 + 10 * (k % 8 < 4)))
    assert texts(report_of(readings_of({"a": series}))) == []


def test_low_coverage_is_named() -> None:
    report = report_of(readings_of({"a": [*lively(0, 100), *lively(150, 200)], "b": lively(0, 200)}))
    assert texts(report) == ["a: readings cover 78 % of the time from first to last"]


def test_many_remarks_fold_into_one() -> None:
    report = report_of(readings_of({f"p{i}": [(s, 0) for s in range(10)] for i in range(7)}))
    (note,) = notes_of(report)
    assert note.text == "7 notes on sensors"
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
STEP_S = st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0, 1.5, 1.6, 4.0, 5.0, 5.5, 7.5, 10.0, 15.0, 30.0, 60.0, 90.0])
BPM = st.sampled_from([0, 29, 30, 60, 60, 60, 60, 67, 68, 90, 91, 120, 121, 230, 231])
ANY = st.lists(st.tuples(STEP_S, BPM), max_size=40)
PACED = st.tuples(STEP_S, st.lists(BPM, max_size=40), st.lists(st.tuples(STEP_S, BPM), max_size=8)).map(
    lambda drawn: [*((drawn[0], bpm) for bpm in drawn[1]), *drawn[2]]
)
SERIES = st.one_of(ANY, PACED)
Readings = list[tuple[int, int]]
"""Microseconds and bpm."""


def timed(steps: list[tuple[float, int]]) -> list[tuple[float, int]]:
    now, series = 0.0, []
    for step, bpm in steps:
        now += step
        series.append((round(now, 1), bpm))
    return series


def tenths(us: int) -> int:
    return (us + 50_000) // 100_000


def oracle_pace(readings: Readings) -> float | None:
    """Give the lower median of the steps in seconds."""
    steps = sorted(tenths(b - a) for (a, _), (b, _) in pairwise(readings) if b > a)
    return steps[(len(steps) - 1) // 2] / 10 if len(steps) >= 10 else None


def oracle_turns(good: Readings, sent: int) -> tuple[str, list[tuple[tuple[int, int], tuple[int, int]]]]:
    """Find readings that look like another sensor's, each with the one after, if there are enough."""
    threes = list(zip(good, good[1:], good[2:], strict=False))
    off = [(y, z) for x, y, z in threes if min(y[1] - x[1], y[1] - z[1]) >= 8 or min(x[1] - y[1], z[1] - y[1]) >= 8]
    uneven = [
        (y, z) for x, y, z in threes if z[0] - x[0] <= 1_500_000 and 5 * abs(z[0] - 2 * y[0] + x[0]) >= z[0] - x[0]
    ]
    return ("levels", off) if len(off) * 8 > sent else ("uneven", uneven if len(uneven) * 2 > sent else [])


def oracle(member: str, readings: Readings, max_hold_s: float) -> list[tuple[Any, ...]]:
    """Find a member's faults in plain Python, from the words of the definitions."""
    rows: list[tuple[Any, ...]] = []
    pace_s = oracle_pace(readings)

    def add(what: str, times: int, concerned: Readings, longest: tuple[int, float] | None = None) -> None:
        if not times:
            return
        instants = [t for t, _ in concerned]
        bpms = [longest[0]] if what == "unchanging" and longest else [b for _, b in concerned]
        ends: tuple[datetime, datetime] = (at(min(instants) / 1e6), at(max(instants) / 1e6))
        rows.append((member, what, times, *ends, min(bpms), max(bpms), longest and longest[1]))

    zeros = [(t, b) for t, b in readings if b == 0]
    odd = [(t, b) for t, b in readings if b != 0 and not 30 <= b <= 230]
    good = [(t, b) for t, b in readings if 30 <= b <= 230]
    add("zeros", len(zeros), zeros)
    add("implausible", len(odd), odd)
    near = min(150, int(15 * max(pace_s or 1.0, 1.0) + 1e-6))
    jumps = [
        (x, y)
        for x, y in pairwise(good)
        if tenths(y[0] - x[0]) <= near and y[0] - x[0] <= 15_000_000 and abs(y[1] - x[1]) > 30
    ]
    longest_s = max((tenths(y[0] - x[0]) for x, y in jumps), default=0) / 10
    add("jumps", len(jumps), [reading for pair in jumps for reading in pair], (0, longest_s))
    what, turns = oracle_turns(good, len(readings))
    add(what, len(turns), [reading for pair in turns for reading in pair])
    gap_us = round(1e6 * max(max_hold_s, 1.5 * (pace_s or 0)))
    run, label = [], 0
    for i, (t, b) in enumerate(good):
        if i and (b != good[i - 1][1] or t - good[i - 1][0] > gap_us):
            label += 1
        run.append((label, t, b))
    runs = [[(t, b) for _, t, b in group] for _, group in groupby(run, key=lambda r: r[0])]
    still = [r for r in runs if r[-1][0] - r[0][0] >= UNCHANGING_S * 1e6]
    if still:
        longest = max(still, key=lambda r: r[-1][0] - r[0][0])
        length_s = round((longest[-1][0] - longest[0][0]) / 1e6, 6)
        add("unchanging", len(still), [reading for r in still for reading in r], (longest[0][1], length_s))
    return sorted(rows)


@pytest.mark.slow
@given(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), SERIES, max_size=3),
    st.sampled_from([5.0, 60.0, 120.0]),
    st.sampled_from([3, 17, 1000]),
)
def test_faults_are_those_of_the_definitions_however_sliced(
    steps: dict[str, list[tuple[float, int]]], max_hold_s: float, slice_rows: int
) -> None:
    series = {member: timed(each) for member, each in steps.items()}
    found = checks_of(readings_of(series), Definitions(max_hold_s=max_hold_s), slice_rows=slice_rows).faults
    found = found.with_columns(pl.col("longest_s").round(6))
    in_us = {member: [(round(t * 1e6), bpm) for t, bpm in each] for member, each in series.items()}
    expected = [row for member in sorted(in_us) for row in oracle(member, in_us[member], max_hold_s)]
    assert found.select("profile_id", *list(FINDINGS)[1:]).rows() == expected
