"""Heart-rate recovery: an effort, its seen end, and the fall a minute later."""

import polars as pl
import pytest
from recordings import at, reading, readings_frame
from reference_tally import tally_readings

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.holds import MEMBER, hold_readings, sort_and_deduplicate
from pulsoid_rec.analysis.metrics.recovery import find_falls, largest_falls, may_have_effort

BY = ("profile_id",)
HR_MAX = 200.0  # so that an effort is at or above 140


def falls(*stretches: tuple[int, int, int]) -> list[tuple[object, object]]:
    """Find the falls in stretches of a reading a second: bpm, first second, second after the last."""
    rows = [reading(second, bpm) for bpm, start, end in stretches for second in range(start, end)]
    return (
        find_falls(readings_frame(rows).with_columns(hr_max=HR_MAX), Definitions(), BY)
        .sort("ended_at")
        .select("ended_at", "fall_bpm")
        .rows()
    )


def test_fall_is_from_the_end_of_an_effort_to_a_minute_later() -> None:
    assert falls((160, 0, 121), (120, 121, 178), (100, 178, 183), (90, 183, 200)) == [(at(120), 60)]


def test_means_are_of_the_last_five_seconds_and_of_five_around_a_minute_later() -> None:
    slope = [(150 + second % 2, 116 + second, 117 + second) for second in range(5)]
    assert falls((170, 0, 116), *slope, (100, 121, 178), (98, 178, 180), (103, 180, 183), (100, 183, 190)) == [
        (at(120), pytest.approx(150.4 - 101))
    ]


@pytest.mark.parametrize("end", [119, 120])
def test_effort_lasts_two_minutes_or_is_none(end: int) -> None:
    assert falls((160, 0, end), (100, end, 300)) == []


def test_effort_may_be_just_at_seventy_percent() -> None:
    assert falls((140, 0, 130), (139, 130, 300)) == [(at(129), 1)]


def test_end_that_nobody_saw_is_none() -> None:
    assert falls((160, 0, 130), (100, 136, 300)) == []
    assert falls((160, 0, 130)) == []


def test_end_within_a_hold_is_seen() -> None:
    assert falls((160, 0, 130), (100, 134, 300)) == [(at(129), 60)]


def test_gap_parts_an_effort_in_two() -> None:
    assert falls((160, 0, 100), (160, 106, 200), (100, 200, 300)) == []


def test_implausible_readings_end_no_effort() -> None:
    assert falls((160, 0, 60), (0, 60, 62), (160, 62, 130), (100, 130, 300)) == [(at(129), 60)]


def test_fall_is_unknown_where_nothing_was_read_a_minute_later() -> None:
    assert falls((160, 0, 130), (100, 130, 180), (100, 192, 300)) == [(at(129), None)]


def test_rise_is_a_negative_fall() -> None:
    assert falls((160, 0, 130), (100, 130, 140), (180, 140, 230), (100, 230, 400)) == [(at(129), -20)]


def test_largest_fall_counts() -> None:
    rows = [("ann", 20.0), ("ann", 35.5), ("ann", None), ("bob", None)]
    frame = pl.DataFrame(rows, schema={"profile_id": pl.String, "fall_bpm": pl.Float64}, orient="row")
    assert largest_falls(frame, BY).sort("profile_id").rows() == [("ann", 35.5), ("bob", None)]


def test_nobody_whose_hr_max_is_unknown_has_a_recovery() -> None:
    frame = readings_frame([reading(second, 160 if second < 150 else 100) for second in range(300)])
    assert find_falls(frame.with_columns(hr_max=pl.lit(None, pl.Float64)), Definitions(), BY).is_empty()


@pytest.mark.parametrize(("seconds", "expected"), [(range(0, 121, 5), 1), (range(0, 120, 5), 0)])
def test_who_has_too_few_high_readings_for_an_effort_is_not_looked_at(seconds: range, expected: int) -> None:
    """The fewest in two minutes are 25, at 0, 5, ..., 120 s."""
    rows = [*(reading(second, 160) for second in seconds), reading(121, 139), reading(180, 100)]
    readings = readings_frame(rows).with_columns(room_id=pl.lit("r"), session=pl.lit(1, pl.Int64), hr_max=HR_MAX)
    tally = tally_readings(hold_readings(readings, Definitions()), sort_and_deduplicate(readings)[1])
    people = readings.select(*MEMBER, "hr_max").unique()
    assert find_falls(readings, Definitions()).height == expected
    assert may_have_effort(tally, people, Definitions()).height == expected
