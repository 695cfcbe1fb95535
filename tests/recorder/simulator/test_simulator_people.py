"""People made up: plausible, different from one another, and the same each time."""

import itertools
import os
import statistics
import subprocess
import sys
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsoid_rec.recorder.simulator.people import heart_rates, loads, make_people, make_visits, play_people
from pulsoid_rec.recorder.simulator.play import Reading

HOUR_S = 3600
seeds = st.integers(min_value=-(2**40), max_value=2**40)
room_ids = st.text(min_size=1, max_size=20)


def hour_of(seed: int, room_id: str = "demo", index: int = 0) -> list[int | None]:
    person = make_people(index + 1, seed, room_id)[index]
    return list(itertools.islice(heart_rates(person, seed, room_id), HOUR_S))


@given(seeds, room_ids, st.integers(0, 30))
@settings(max_examples=25, deadline=None)
def test_an_hour_of_anybody_is_plausible(seed: int, room_id: str, index: int) -> None:
    person = make_people(index + 1, seed, room_id)[index]
    hour = hour_of(seed, room_id, index)
    readings = [bpm for bpm in hour if bpm is not None]
    assert all(40 <= bpm <= person.max_bpm for bpm in readings)
    assert min(readings) < person.rest_bpm + 12  # they rest
    assert max(readings) > person.rest_bpm + 0.5 * (person.max_bpm - person.rest_bpm)  # and train
    changes = [abs(b - a) for a, b in itertools.pairwise(hour) if a is not None and b is not None]
    assert max(changes) <= 15  # a sensor shows no leaps
    assert 0.3 < statistics.mean(changes) < 2.5  # nor a flat line
    assert 0.85 < len(readings) / HOUR_S <= 1


def test_dropouts_come_now_and_then_and_last_some_seconds() -> None:
    lengths = []
    for seed in range(10):
        for gone, run in itertools.groupby(hour_of(seed), key=lambda bpm: bpm is None):
            if gone:
                lengths.append(len(list(run)))
    assert 10 <= len(lengths) <= 80  # in ten hours
    assert min(lengths) >= 1
    assert max(lengths) <= 60
    assert any(length > 5 for length in lengths)  # longer than a reading holds: gaps to be found


@given(seeds, room_ids)
@settings(max_examples=10, deadline=None)
def test_hearts_follow_the_load_of_the_group(seed: int, room_id: str) -> None:
    person = make_people(1, seed, room_id)[0]
    group = list(itertools.islice(loads(seed, room_id), HOUR_S))
    assert all(0 <= load <= 1 for load in group)
    hour = hour_of(seed, room_id)
    hard = [bpm for bpm, load in zip(hour[60:], group, strict=False) if bpm is not None and load > 0.6]
    easy = [bpm for bpm, load in zip(hour[60:], group, strict=False) if bpm is not None and load < 0.1]
    assert statistics.mean(hard) > statistics.mean(easy) + 0.25 * (person.max_bpm - person.rest_bpm)


@given(seeds, room_ids, st.integers(1, 60))
@settings(max_examples=25, deadline=None)
def test_people_of_a_room_differ(seed: int, room_id: str, count: int) -> None:
    people = make_people(count, seed, room_id)
    assert len({person.profile_id for person in people}) == count
    assert len({person.name for person in people}) == count
    assert len({person.rest_bpm for person in people}) == count
    for person in people:
        assert str(UUID(person.profile_id)) == person.profile_id
        assert set(person.config) == {"name", "color"}
        assert all(isinstance(value, str) and value for value in person.config.values())


@given(seeds, room_ids, st.integers(1, 20), st.integers(1, 20))
@settings(max_examples=25, deadline=None)
def test_same_seed_makes_the_same_people_however_many(seed: int, room_id: str, one: int, other: int) -> None:
    fewer = min(one, other)
    assert make_people(one, seed, room_id)[:fewer] == make_people(other, seed, room_id)[:fewer]


@pytest.mark.parametrize(("seed", "room_id"), [(2, "demo"), (1, "gym")])
def test_another_seed_or_room_makes_others(seed: int, room_id: str) -> None:
    ids = {person.profile_id for person in make_people(20, 1, "demo")}
    assert not ids & {person.profile_id for person in make_people(20, seed, room_id)}
    assert hour_of(seed, room_id) != hour_of(1, "demo")


@pytest.mark.process
def test_play_is_the_same_in_another_process_whatever_its_hash_seed() -> None:
    program = (
        "from itertools import islice; from pulsoid_rec.recorder.simulator.people import play_people;"
        "print([tuple(reading) for reading in islice(play_people(3, 7, 'demo').readings, 200)])"
    )
    here = [tuple(reading) for reading in itertools.islice(play_people(3, 7, "demo").readings, 200)]
    for hash_seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        there = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
        )
        assert there.stdout == f"{here}\n"


def test_play_shows_each_heart_second_by_second_and_nothing_in_its_dropouts() -> None:
    for person in make_people(5, 1, "demo"):
        play = play_people(5, 1, "demo").first(HOUR_S)
        played = {
            int(reading.time_s): reading.bpm for reading in play.readings if reading.profile_id == person.profile_id
        }
        heart = itertools.islice(heart_rates(person, 1, "demo"), HOUR_S)
        assert played == {second: bpm for second, bpm in enumerate(heart) if bpm is not None}


@given(seeds, room_ids, st.integers(1, 8), st.integers(1, 900))
@settings(max_examples=25, deadline=None)
def test_play_is_in_order_with_at_most_a_reading_a_second_each(
    seed: int, room_id: str, count: int, length_s: int
) -> None:
    play = play_people(count, seed, room_id).first(length_s)
    readings: list[Reading] = list(play.readings)
    assert readings == list(play.readings)  # can be gone through again
    assert play.length_s == length_s
    assert [reading.time_s for reading in readings] == sorted(reading.time_s for reading in readings)
    assert all(0 <= reading.time_s < length_s for reading in readings)
    for profile_id in play.members:
        times = [reading.time_s for reading in readings if reading.profile_id == profile_id]
        steps = [b - a for a, b in itertools.pairwise(times)]
        assert all(step > 0.999 for step in steps)
        assert len(times) <= length_s
    assert {reading.profile_id for reading in readings} <= set(play.members)


@pytest.mark.parametrize("count", [2, 5, 30])
def test_made_up_people_leave_come_back_and_are_renamed_by_seed(count: int) -> None:
    visits = [event for event, _ in zip(make_visits(count, 7, "gym"), range(60), strict=False)]
    assert visits == [event for event, _ in zip(make_visits(count, 7, "gym"), range(60), strict=False)]
    assert visits[:9] != [event for event, _ in zip(make_visits(count, 8, "gym"), range(9), strict=False)]
    people = {person.profile_id: person.name for person in make_people(count, 7, "gym")}
    away: set[str] = set()
    for event in visits:
        assert event.member in people
        assert (event.member in away) == (event.action == "join")
        away ^= {event.member} if event.action != "rename" else set()
        assert event.action != "rename" or str(event.value).startswith(people[event.member])
    times = [event.time_s for event in visits]
    assert times == sorted(times)
    assert {event.action for event in visits if event.time_s < 600} == {"remove", "join", "rename"}
    assert not list(make_visits(1, 7, "gym"))
