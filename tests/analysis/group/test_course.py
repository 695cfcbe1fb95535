"""The course of a session: in each half minute what the measure says there, of those who are observed."""

import itertools
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from readings import START
from recordings import readings_frame
from teams import team_bpm, team_readings

from pulsoid_rec.analysis.group.course import course_of_readings, find_course, name_pairs
from pulsoid_rec.analysis.group.cross_correlation import mean_z, measure_wcc
from pulsoid_rec.analysis.group.windows import Sample, cut_windows
from pulsoid_rec.analysis.metrics.definitions import Definitions

IDS = ("a", "b", "c", "d")


@pytest.mark.parametrize("preparation", ["high-pass", "differences", "raw"])
def test_it_is_the_course_of_windowed_cross_correlation_where_all_are_observed(preparation: str) -> None:
    bpm = team_bpm(900, {"a": 1.0, "b": 1.0, "c": 0.0, "d": -1.0})
    bpm[np.random.default_rng(1).random(bpm.shape) < 0.02] = np.nan  # short gaps, as every sensor has
    bpm[300:400, 2] = 77  # a heart rate that does not change
    windows = cut_windows(bpm, preparation)  # type: ignore[arg-type] # a parameter of the test
    assert len(windows.starts_s) > 20
    course = find_course(bpm, START, IDS, preparation)  # type: ignore[arg-type] # one of them
    assert course is not None
    used = windows.starts_s // 30
    varying = np.where(windows.constant[..., None], np.nan, windows.values).swapaxes(0, 1)
    pairs = mean_z(varying, varying)[0][:, *np.triu_indices(4, 1)].T
    np.testing.assert_allclose(course.pairs[:, used], np.tanh(pairs), atol=1e-12)
    np.testing.assert_allclose(course.group[used], np.tanh(np.nanmean(pairs, axis=0)), atol=1e-12)
    by_pair = [pair.tested.value or np.nan for pair in measure_wcc(Sample(windows, IDS, IDS, 1000, 0))[0].pairs]
    np.testing.assert_allclose(np.nanmean(pairs, axis=1), by_pair)
    assert np.isnan(pairs).any(), "the test has what is undefined"
    assert (course.members[used] == 4).all()


def test_of_one_who_is_away_there_is_nothing_and_the_others_go_on() -> None:
    bpm = team_bpm(900, dict.fromkeys(IDS, 1.0))
    bpm[300:600, 3] = np.nan
    course = find_course(bpm, START, IDS)
    assert course is not None
    away = slice(11, 19)
    with_d = ["d" in pair for pair in itertools.combinations(IDS, 2)]
    assert np.isnan(course.pairs[with_d, away]).all()
    assert not np.isnan(course.pairs[np.logical_not(with_d), away]).any()
    assert not np.isnan(course.group[away]).any()
    assert set(course.members[away]) == {3}
    assert set(course.members[2:8]) == {4}


def test_of_a_group_of_which_most_are_away_there_is_no_mean() -> None:
    bpm = team_bpm(1200, dict.fromkeys(("a", "b", "c", "d", "e"), 1.0))
    bpm[600:900, 1:4] = np.nan
    course = find_course(bpm, START, ("a", "b", "c", "d", "e"))
    assert course is not None
    assert np.isnan(course.group[22:28]).all()
    assert (~np.isnan(course.pairs[:, 22:28])).any(axis=0).all(), "the two who are there still have theirs"


def test_who_is_hardly_there_is_not_compared() -> None:
    bpm = team_bpm(900, dict.fromkeys(IDS, 1.0))
    bpm[400:, 1] = np.nan
    course = find_course(bpm, START, IDS)
    assert course is not None
    assert course.profile_ids == ("a", "c", "d")


@pytest.mark.parametrize(("seconds", "members"), [(290, 3), (900, 1), (0, 2)])
def test_of_too_few_members_or_minutes_there_is_none(seconds: int, members: int) -> None:
    ids = IDS[:members]
    assert find_course(team_bpm(seconds, dict.fromkeys(ids, 1.0)), START, ids) is None


def test_readings_are_put_on_a_grid_first() -> None:
    common = {"a": 1.0, "b": 0.5}
    rows = readings_frame(sorted(team_readings(600, common), key=lambda row: row.profile_id))
    rows = rows.with_columns(session=pl.lit(1, pl.Int64)).select(
        "room_id", "session", "profile_id", "bpm", "occurred_at"
    )
    found = course_of_readings(rows, START, START + timedelta(seconds=599), Definitions())
    expected = find_course(team_bpm(600, common), START, ("a", "b"))
    assert found is not None
    assert expected is not None
    assert found.first_at == START
    np.testing.assert_allclose(found.pairs[:, :-2], expected.pairs[:, :-2])  # the last reading holds for no time
    assert course_of_readings(rows.clear(), START, START, Definitions()) is None


def test_pairs_are_named_in_their_order() -> None:
    assert name_pairs(("x", "y", "z"), {"x": "Xenia", "y": "Yann", "z": "Zoe"}) == [
        "Xenia and Yann",
        "Xenia and Zoe",
        "Yann and Zoe",
    ]
