"""A season is its sessions, added up: nothing twice, nothing left out, and no sum of what is known in part."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import readings_of, report_of

from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.season import (
    MOST_SESSIONS,
    is_season,
    season_members,
    season_periods,
    season_sessions,
)

DAY_S = 86_400.0
Series = dict[str, list[tuple[float, int]]]


def season(*sessions: Series, apart_s: float = DAY_S, rooms: tuple[str, ...] = ("room",)) -> ReportData:
    parts = [
        readings_of(
            {id_: [(number * apart_s + s, bpm) for s, bpm in series] for id_, series in members.items()},
            session=number + 1,
            room_id=room,
        )
        for room in rooms
        for number, members in enumerate(sessions)
    ]
    return report_of(pl.concat(parts).sort("room_id", "session", "profile_id", "occurred_at"))


STEPS = st.lists(
    st.tuples(st.sampled_from([1.0, 2.0, 7.0]), st.sampled_from([0, 60, 75, 140])), min_size=1, max_size=12
)
SESSION = st.dictionaries(st.sampled_from(["ada", "bob", "cid"]), STEPS, min_size=1)


def timed(steps: list[tuple[float, int]]) -> list[tuple[float, int]]:
    return [(sum(step for step, _ in steps[: place + 1]), bpm) for place, (_, bpm) in enumerate(steps)]


def held(series: list[tuple[float, int]]) -> list[tuple[int, float]]:
    ends = [at for at, _ in series[1:]] + [series[-1][0]]
    return [(bpm, min(5.0, end - at)) for (at, bpm), end in zip(series, ends, strict=True) if 30 <= bpm <= 230]


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(SESSION, min_size=1, max_size=5), st.sampled_from([("room",), ("gym", "track")]))
def test_members_and_sessions_are_what_is_added_up_by_hand(steps: list[Series], rooms: tuple[str, ...]) -> None:
    sessions = [{id_: timed(each) for id_, each in members.items()} for members in steps]
    report = season(*sessions, rooms=rooms)
    of_members: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for members in sessions:
        for id_, series in members.items():
            of_members[id_] += held(series)
    found = season_members(report)
    assert found.select("room_id", "profile_id").rows() == [(room, id_) for room in rooms for id_ in sorted(of_members)]
    for row in found.iter_rows(named=True):
        time = sorted(of_members[row["profile_id"]])
        total_s = sum(seconds for _, seconds in time)
        assert row["observed_s"] == pytest.approx(total_s)
        assert row["readings"] == len(time)
        assert row["sessions"] == sum(bool(held(each.get(row["profile_id"], [(0.0, 0)]))) for each in sessions)
        if total_s:
            assert row["bpm_mean"] == pytest.approx(sum(bpm * seconds for bpm, seconds in time) / total_s)
            reached = [bpm for bpm, _ in time if sum(s for b, s in time if b <= bpm) * 2 >= total_s - 1e-9]
            assert row["bpm_median"] == min(reached)
        else:
            assert row["bpm_mean"] is None
    by_session = season_sessions(report)
    assert by_session.select("room_id", "session").rows() == report.sessions.select("room_id", "session").rows()
    for name in ("readings", "observed_s", "left_out"):
        assert by_session[name].sum() == pytest.approx(found[name].sum())


def test_readings_left_out_are_counted_in_each_session_and_with_each_member() -> None:
    report = season({"ada": [(0.0, 80), (1.0, 0), (2.0, 82)], "bob": [(0.0, 0)]}, {"ada": [(0.0, 80), (1.0, 81)]})
    doubled = report.summary.with_columns(duplicates=pl.lit(2, pl.Int64), untimely=pl.lit(3, pl.Int64))
    report = replace(report, summary=doubled)
    assert season_sessions(report)["left_out"].to_list() == [12, 5]
    assert dict(season_members(report).select("profile_id", "left_out").iter_rows()) == {"ada": 11, "bob": 6}


def test_a_load_that_is_unknown_in_one_session_is_unknown_in_the_sum() -> None:
    report = season(*3 * [{"ada": [(0.0, 80), (4.0, 90)], "bob": [(0.0, 80), (4.0, 90)]}])
    known = pl.when((pl.col("profile_id") == "ada") | (pl.col("session") != 2)).then(1.5)
    found = season_members(replace(report, summary=report.summary.with_columns(trimp_edwards=known)))
    assert dict(found.select("profile_id", "trimp_edwards").iter_rows()) == {"ada": 4.5, "bob": None}


def test_two_members_of_one_name_have_two_labels_and_one_of_two_rooms_has_its_name_in_both() -> None:
    names = {"abcdefgh-1": "Alex", "abcdefgh-2": "Alex"}
    parts = [
        readings_of({id_: [(DAY_S * n, 80)] for id_ in names}, names=names, session=n + 1, room_id=room)
        for room in ("a", "b")
        for n in range(2)
    ]
    found = season_members(report_of(pl.concat(parts)))
    assert found["name"].to_list() == 2 * ["Alex (abcdefgh-1)", "Alex (abcdefgh-2)"]


@pytest.mark.parametrize(
    ("apart", "unit", "first"),
    [
        (timedelta(hours=6), "day", date(2026, 3, 4)),
        (timedelta(days=9), "week", date(2026, 3, 2)),
        (timedelta(days=40), "month", date(2026, 3, 1)),
        (timedelta(days=200), "year", date(2026, 1, 1)),
    ],
)
def test_periods_are_as_long_as_the_season_needs(apart: timedelta, unit: str, first: date) -> None:
    sessions = [{"ada": [(0.0, 80), (4.0, 90)]}] * 90
    found, periods = season_periods(season(*sessions, apart_s=apart.total_seconds()), UTC)
    assert found == unit
    assert periods["period"][0] == first
    assert periods["sessions"].sum() == len(sessions)
    assert periods["period"].is_sorted()
    assert periods["observed_s"].sum() == 4.0 * len(sessions)


def test_a_session_is_on_the_day_that_the_readers_clock_showed() -> None:
    report = season({"ada": [(0.0, 80), (4.0, 90)]}, {"ada": [(0.0, 80), (4.0, 90)]})
    _, periods = season_periods(report, timezone(timedelta(hours=11)))
    assert periods["period"].to_list() == [date(2026, 3, 5), date(2026, 3, 6)]


def test_so_many_sessions_are_a_season_and_no_fewer() -> None:
    sessions = [{"ada": [(0.0, 80)]}] * (MOST_SESSIONS + 1)
    assert is_season(season(*sessions))
    assert not is_season(season(*sessions[1:]))
