"""The grid of seconds equals an oracle's in plain Python, whatever the rows, sessions, filter and spacing."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import hypothesis.strategies as st
import oracle
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from recordings import START, Reading, append_readings, at, make_recording, reading, steady

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.grid import INDEX, column_names
from pulsoid_rec.analysis.notebook.explore import Excerpt, explore
from pulsoid_rec.recorder.contract.errors import UsageError

SECOND = timedelta(seconds=1)
STEPS_US = st.one_of(
    st.integers(0, 3_000_000),
    st.sampled_from([0, 1, 1_000_000, 1_000_000, 4_999_999, 5_000_000, 5_000_001, 61_000_000, 901_000_000]),
)
SECONDS_US = st.sampled_from([0, 1_000_000, 1_000_000, 2_000_000, 5_000_000, 6_000_000, 61_000_000, 901_000_000])


@st.composite
def some_rows(draw: st.DrawFn) -> list[Reading]:
    """Make readings of two rooms and three members: ties, duplicates, zeros, silences, out of order."""
    start_us, step_us = draw(st.sampled_from([(st.integers(-1_500_000, 0), STEPS_US), (st.just(0), SECONDS_US)]))
    when, rows = START + timedelta(microseconds=draw(start_us)), list[Reading]()
    bpms = st.one_of(st.integers(60, 180), st.sampled_from([0, 29, 30, 230, 231]))
    members = st.sampled_from(["ann", "bob", "cid"])
    steps = st.tuples(step_us, st.sampled_from(["r1", "r1", "r2"]), members, bpms, st.integers(-2, 2))
    size = draw(st.integers(0, 40))
    for us, room, member, bpm, delay_s in draw(st.lists(steps, min_size=size, max_size=size)):
        when += timedelta(microseconds=us)
        rows.append(Reading(room, member, bpm, when, when + timedelta(seconds=delay_s)))
    return draw(st.permutations(rows + rows[:2]))


def held_seconds(part: oracle.SessionView) -> Iterator[tuple[datetime, int]]:
    """Give the whole seconds at which a plausible reading of a member holds, with its bpm."""
    for one in part.readings:
        when, until = one.at.replace(microsecond=0), one.at + timedelta(microseconds=one.held_us)
        while one.plausible and when < until:
            if when >= one.at:
                yield when, one.bpm
            when += SECOND


def expected(
    rows: list[Reading], rules: oracle.Rules, wanted: Filter, every_s: int
) -> dict[tuple[str, int, datetime], dict[str, int]]:
    """Say for each instant of the grid whose reading holds, straight from the definitions."""
    timely, _ = oracle.tell_apart(rows, rules)
    parts = oracle.take_apart(timely, rules)
    bounds: dict[tuple[str, int], list[datetime]] = {}
    for (room, when), session in oracle.number_sessions(timely, rules).items():
        bounds.setdefault((room, session), []).append(when)
    took_part = {key[:2] for key in parts if not wanted.members or key[2] in wanted.members}
    touched = [
        (room, session)
        for (room, session), whens in bounds.items()
        if (room, session) in took_part
        and (wanted.since is None or max(whens) >= wanted.since)
        and (wanted.until is None or min(whens) < wanted.until)
    ]
    if wanted.session == "latest":
        sessions = oracle.find_sessions(timely, rules)
        touched = [
            max(of_room, key=lambda one: (sessions[one[0]][one[1] - 1].last_received_at, one[1]))
            for room in sessions
            if (of_room := [one for one in touched if one[0] == room])
        ]
    cells: dict[tuple[str, int, datetime], dict[str, int]] = {}
    for room, session in touched:
        when = min(bounds[room, session]).replace(microsecond=0)
        while when <= max(bounds[room, session]):
            inside = (wanted.since is None or when >= wanted.since) and (wanted.until is None or when < wanted.until)
            if inside and when >= min(bounds[room, session]) and round(when.timestamp()) % every_s == 0:
                cells[room, session, when] = {}
            when += SECOND
    for (room, session, member), part in parts.items():
        if not wanted.members or member in wanted.members:
            for when, bpm in held_seconds(part):
                if (room, session, when) in cells:
                    cells[room, session, when][member] = bpm
    return cells


def cells_of(grid: pl.DataFrame) -> dict[tuple[Any, ...], dict[str, int]]:
    found = {}
    for row in grid.iter_rows(named=True):
        key = tuple(row.pop(name) for name in INDEX)
        assert key not in found
        found[key] = {member: bpm for member, bpm in row.items() if bpm is not None}
    return found


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recording(tmp_path_factory.mktemp("grid") / "pulsoid.duckdb")


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=some_rows(),
    max_hold_s=st.sampled_from([5.0, 5.0, 1.0, 2.5, 70.0]),
    session=st.sampled_from(["all", "latest"]),
    members=st.sets(st.sampled_from(["ann", "bob"]), max_size=2),
    since_s=st.none() | st.integers(-3, 20),
    length_us=st.none() | st.integers(1, 10_000_000) | st.integers(1, 1_000_000_000),
    every_s=st.sampled_from([1, 1, 2, 7]),
)
def test_every_cell_is_the_reading_that_holds_at_that_instant(
    *,
    path: Path,
    rows: list[Reading],
    max_hold_s: float,
    session: Any,
    members: set[str],
    since_s: int | None,
    length_us: int | None,
    every_s: int,
) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("DELETE FROM heart_rate")
        append_readings(connection, rows)
    since = None if since_s is None else at(since_s)
    until = None if length_us is None else (since or START) + timedelta(microseconds=length_us)
    wanted = Filter(session=session, members=tuple(sorted(members)), since=since, until=until)
    whole = explore(path, definitions=Definitions(max_hold_s=max_hold_s))
    grid = replace(whole, wanted=wanted).grid(every_s=every_s)
    rules = oracle.Rules(max_hold_us=round(max_hold_s * 1e6))
    assert cells_of(grid) == expected(rows, rules, wanted, every_s)
    assert grid.equals(grid.sort(*INDEX))
    assert set(grid.schema.values()) <= {*INDEX.values(), pl.Int32()}


def excerpt_of(tmp_path: Path, rows: list[Reading], **tables: Any) -> Excerpt:
    return explore(make_recording(tmp_path / "pulsoid.duckdb", rows, **tables))


def test_gap_is_null_and_never_bridged_beyond_the_longest_hold(tmp_path: Path) -> None:
    rows = [reading(0, 80), reading(1, 81), reading(10, 90), reading(11, 91)]
    grid = excerpt_of(tmp_path, rows).grid()
    assert grid["ann"].to_list() == [80, 81, 81, 81, 81, 81, None, None, None, None, 90, None]


def test_seconds_with_a_value_are_as_many_as_were_observed(tmp_path: Path) -> None:
    excerpt = excerpt_of(tmp_path, steady("ann", 80, 0, 60) + steady("bob", 90, 20, 50) + steady("bob", 0, 50, 60))
    observed = dict(excerpt.summary().select("name", "observed_s").iter_rows())
    assert {name: excerpt.grid()[name].count() for name in ("ann", "bob")} == observed


def test_range_of_time_cuts_the_grid_and_changes_no_cell(tmp_path: Path) -> None:
    excerpt = excerpt_of(tmp_path, steady("ann", 80, 0, 60) + steady("bob", 90, 5, 60, room="r2"))
    whole = excerpt.grid().filter(pl.col("at").is_between(at(10), at(20), closed="left"))
    assert excerpt.only(since=at(10), until=at(20)).grid().equals(whole)
    assert whole.height == 20


def test_reading_before_a_range_holds_into_it_and_one_after_it_is_known_to_come(tmp_path: Path) -> None:
    excerpt = excerpt_of(tmp_path, [reading(second, 80) for second in (8.5, 9.5, 18.5, 40)] + [reading(60, 70, "bob")])
    assert excerpt.only(since=at(10), until=at(12)).grid()["ann"].to_list() == [80, 80]
    assert excerpt.only(since=at(18), until=at(22)).grid()["ann"].to_list() == [None, 80, 80, 80]


def test_latest_session_of_a_range_is_not_the_one_that_begins_just_after_it(tmp_path: Path) -> None:
    excerpt = excerpt_of(tmp_path, [reading(0, 80), reading(1, 81), reading(2000, 90), reading(2001, 91)])
    assert excerpt.only(session="latest", until=at(1998)).grid()["ann"].to_list() == [80, None]


def test_members_of_one_name_have_a_column_each_and_none_takes_the_time_s(tmp_path: Path) -> None:
    members = pl.DataFrame({"profile_id": ["a1", "b2", "c3", "a1"], "name": ["Ada", "Ada", "at", "Ada"]})
    assert column_names(members) == {"a1": "Ada (a1)", "b2": "Ada (b2)", "c3": "at (c3)"}


def test_recording_of_nothing_gives_a_grid_of_nothing(tmp_path: Path) -> None:
    grid = excerpt_of(tmp_path, []).grid()
    assert grid.schema == INDEX
    assert grid.is_empty()


@pytest.mark.parametrize("every_s", [0, -1, 1.5, True, "1"])
def test_spacing_that_is_no_whole_number_of_seconds_is_refused(tmp_path: Path, every_s: Any) -> None:
    with pytest.raises(UsageError, match="every_s cannot be"):
        excerpt_of(tmp_path, []).grid(every_s=every_s)
