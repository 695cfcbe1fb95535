"""The line of the live page: bounded, with every gap and no other, and with the lowest and highest of each piece."""

from bisect import bisect_left
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pulsoid_rec.recorder.live.events import WINDOW_MS, Point
from pulsoid_rec.recorder.live.line import HOLD_MS, RECENT_MS, Line

PACES = st.lists(
    st.tuples(st.sampled_from([100, 250, 1_000, 2_000, 4_900, 5_000, 5_001, 9_000, 60_000]), st.integers(1, 400)),
    min_size=1,
    max_size=12,
)


def points_at(paces: list[tuple[int, int]]) -> list[Point]:
    at, points = 0, list[Point]()
    for step_ms, count in paces:
        for _ in range(count):
            at += step_ms
            points.append((at, 60 + (at // 100 * 7919) % 97))
    return points


@given(PACES)
def test_a_line_breaks_where_there_is_a_gap_and_nowhere_else(paces: list[tuple[int, int]]) -> None:
    points = points_at(paces)
    drawn = Line(points).points()
    assert drawn == sorted(set(drawn))
    assert set(drawn) <= set(points)
    times = [at for at, _ in points]
    for (one, _), (other, _) in pairwise(drawn):
        between = times[bisect_left(times, one) : bisect_left(times, other) + 1]
        assert (other - one > HOLD_MS) == any(b - a > HOLD_MS for a, b in pairwise(between))
    assert [at for at, _ in drawn if at >= points[-1][0] - 60_000] == [
        at for at in times[-2_000:] if at >= times[-1] - 60_000
    ]


@given(PACES)
def test_peaks_and_troughs_are_kept(paces: list[tuple[int, int]]) -> None:
    points = points_at(paces)
    drawn = Line(points).points()
    inside = [bpm for at, bpm in points if at >= drawn[0][0]]
    assert max(inside) == max(bpm for _, bpm in drawn)
    assert min(inside) == min(bpm for _, bpm in drawn)


def test_a_single_peak_and_a_single_trough_of_the_older_part_are_kept() -> None:
    drawn = Line(
        (at, {1_001_000: 201, 1_502_000: 41}.get(at, 60 + at // 1_000 % 2)) for at in range(0, 3_000_000, 1_000)
    )
    assert {(1_001_000, 201), (1_502_000, 41)} <= set(drawn.points())


def test_an_hour_of_any_pace_has_few_points() -> None:
    for pace_ms in (20, 1_000, 3_000):
        line = Line()
        for at in range(0, 2 * WINDOW_MS, pace_ms):
            line.add((at, 60 + at // 1_000 % 60))
        drawn = line.points()
        assert len(drawn) <= 4_800
        if pace_ms >= 1_000:
            assert drawn[0][0] <= 2 * WINDOW_MS - WINDOW_MS + 10_000
            assert sum(at >= 2 * WINDOW_MS - RECENT_MS for at, _ in drawn) == RECENT_MS // pace_ms


def test_a_late_reading_is_placed_among_the_latest_and_not_among_older_ones() -> None:
    line = Line((at, 60) for at in range(0, 900_000, 1_000))
    assert line.add((600_500, 99))
    assert (600_500, 99) in line.points()
    assert not line.add((10_500, 99))
    assert line.latest == (899_000, 60)
    new = Line([(5_000, 60)])
    assert new.add((1_000, 61))
    assert new.points() == [(1_000, 61), (5_000, 60)]


def test_a_line_without_readings_has_no_latest_one() -> None:
    assert Line().latest is None
