"""Replays: what a file must be, and that every reading of it is played once, when it is due."""

import csv
import itertools
import json
import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from readings import MATCHES
from room_client import connect
from simulator_control import open_simulator
from trio.testing import MockClock
from trio_websocket import WebSocketConnection

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.simulator.events import Event
from pulsoid_rec.recorder.simulator.play import Clock, Play, Reading, pace, started_at
from pulsoid_rec.recorder.simulator.replay import read_replay
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "replay.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


# Reading the file

rows = st.lists(
    st.tuples(
        st.integers(-(10**6), 10**7).map(lambda ms: ms / 1000),
        st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1).filter(
            lambda t: t == t.strip() != ""
        ),
        st.integers(0, 400),
    ),
    min_size=1,
    max_size=30,
)


@given(rows=rows, order=st.permutations(("time_s", "member", "bpm", "note")))
@settings(deadline=None)
def test_every_row_becomes_one_reading_in_order_of_time(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, str, int]], order: list[str]
) -> None:
    file = tmp_path_factory.mktemp("replay") / "replay.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, order)
        writer.writeheader()
        for time_s, member, bpm in rows:
            writer.writerow({"time_s": time_s, "member": member, "bpm": bpm, "note": 'a "note", or two'})
    play = read_replay(file)
    first_s = min(time_s for time_s, _, _ in rows)
    in_order = sorted(rows, key=lambda row: row[0])  # stable, as the play is to be
    assert [(reading.profile_id, reading.bpm) for reading in play.readings] == [row[1:] for row in in_order]
    for reading, row in zip(play.readings, in_order, strict=True):
        assert math.isclose(reading.time_s, row[0] - first_s, abs_tol=1e-9)
    assert play.length_s == max(reading.time_s for reading in play.readings)
    assert play.members == {member: {"name": member} for _, member, _ in rows}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no column time_s and no column member and no column bpm"),
        ("time_s,member\n0,a\n", "has no column bpm"),
        ("0,a,72\n", "has no column time_s"),
        ("time_s,member,bpm\n", "holds no reading"),
        ("time_s,member,bpm\n\n\n", "holds no reading"),
        ("time_s,member,bpm\n0,a,72\n1,a\n", "Line 3 of the replay"),
        ("time_s,member,bpm\n0,a,72\n1,a,fast\n", "has 'fast' as bpm"),
        ("time_s,member,bpm\n0,a,72\n1,a,72.5\n", "Line 3 of the replay"),
        ("time_s,member,bpm\n0,a,72.5\n", "has '72.5' as bpm"),
        ("time_s,member,bpm\n0,a,1_0\n", "has '1_0' as bpm"),
        ("time_s,member,bpm\n0,a,-1\n", "has '-1' as bpm"),
        ("time_s,member,bpm\n0,a,\n", "holds no reading"),
        ("time_s,member,bpm\n0,a,²\n", "has '²' as bpm"),
        ("time_s,member,bpm\n0,a,72\nsoon,a,73\n", "Line 3 of the replay"),
        ("time_s,member,bpm\nnan,a,72\n", "holds no reading"),
        ("time_s,member,bpm\ninf,a,72\n", "has 'inf' as time_s"),
        ("time_s,member,bpm\n1, ,72\n", "has no member"),
        ("time_s,member,bpm\n0,a,72\n1e12,a,73\n", "spans"),
        ("time_s,member,bpm\n0,a," + "7" * 5000 + "\n", "as bpm"),
        ("time_s,member,bpm,event\n0,a,72,\n5,,,jump:a\n", "Line 3 of the replay"),
        ("time_s,member,bpm,event\n0,,72,binary\n", "has no member"),
        ("time_s,member,bpm,event\n0,,,binary\n", "holds no reading"),
        (b"time_s,member,bpm\n0,\xff,72\n", "is not UTF-8 text"),
        (b"PK\x03\x04\x00\x00\x00\x00", "has no column"),
    ],
)
def test_file_that_makes_no_sense_is_refused_with_the_place_and_the_reason(
    tmp_path: Path, text: str | bytes, words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read_replay(write(tmp_path, text))
    assert words in str(caught.value)
    assert "replay.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere.csv", ""])
def test_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"Cannot read the replay .*: "):
        read_replay(tmp_path / name)


def test_spreadsheets_mark_and_line_ends_are_taken(tmp_path: Path) -> None:
    play = read_replay(write(tmp_path, "\ufefftime_s,member,bpm\r\n0.5,Ünal,72\r\n\r\n1,Ünal, 73\r\n"))
    assert list(play.readings) == [Reading(0.0, "Ünal", 72), Reading(0.5, "Ünal", 73)]


def test_a_series_with_holes_is_taken_as_pandas_and_r_write_it(tmp_path: Path) -> None:
    lines = ["0.0,a,75.0", "1.5,a,", "2,a,NA", "3,a,NaN", ",a,80", "4,a,72.", "5e0,a,0.0", "6,a,2147483647.00"]
    play = read_replay(write(tmp_path, "\n".join(["time_s,member,bpm", *lines])))
    assert [each[:3] for each in play.readings] == [(0, "a", 75), (4, "a", 72), (5, "a", 0), (6, "a", 2147483647)]
    assert (play.holes, play.first(1).holes) == (4, 4)


def test_a_column_has_events_and_who_joins_first_is_no_member_before(tmp_path: Path) -> None:
    lines = [
        "10,,,join:Zoe",
        "11,Zoe,80,",
        '12,Ada,70,"room:{""name"": ""Final, 2""}"',
        "2,Ada,65,NA",
        "30,,NaN,close:1012",
        ",,,binary",
        "10,Bob,60",
    ]
    play = read_replay(write(tmp_path, "\n".join(["time_s,member,bpm,event", *lines])))
    assert play.events == (
        Event(8.0, "join", "Zoe"),
        Event(10.0, "room", "", {"name": "Final, 2"}),
        Event(28.0, "close", "", 1012),
    )
    assert [reading[:3] for reading in play.readings] == [
        (0, "Ada", 65),
        (8, "Bob", 60),
        (9, "Zoe", 80),
        (10, "Ada", 70),
    ]
    assert (set(play.members), play.length_s, play.holes) == ({"Ada", "Bob"}, 28.0, 1)
    assert tuple(play.first(9.5).events) == play.events[:1]


# By the clock


@given(st.floats(0, 10**6), st.floats(0.01, 10**5), st.datetimes(min_value=datetime(2000, 1, 1)))  # noqa: DTZ001 - made aware below
def test_last_event_carries_about_the_time_at_which_it_is_sent_and_none_the_future(
    length_s: float, speed: float, now: datetime
) -> None:
    now = now.replace(tzinfo=UTC)
    if now.year > 9990:
        return
    began = started_at(length_s, speed, now)
    last_at, last_sent_at = began + timedelta(seconds=length_s), now + timedelta(seconds=length_s / speed)
    assert last_at <= last_sent_at + timedelta(milliseconds=1)
    assert began <= now
    assert began.microsecond == 0
    if speed >= 1:
        assert last_sent_at - last_at < timedelta(seconds=1.001)


async def test_a_play_of_any_length_and_speed_has_times_and_of_endless_events_no_more_are_made(
    autojump_clock: MockClock,
) -> None:
    play = Play({}, (), math.inf, events=(Event(float(n), "binary") for n in itertools.count())).first(1e308)
    clock = Clock.start(play.length_s, 1e300)
    assert clock.start_at.year == 1
    await trio.sleep(1)
    assert [at.year for at in (clock.at(next(iter(play.events))), clock.now())] == [1, 9999]
    assert clock.at(Reading(1e308, "id-a", 70)).year == 9999


@pytest.mark.parametrize("speed", [0.5, 1.0, 60.0, 3600.0])
async def test_readings_are_sent_when_they_are_due_and_the_pace_does_not_drift(
    autojump_clock: MockClock, speed: float
) -> None:
    readings = [Reading(index * 0.4, "a", index) for index in range(2000)]
    began, events = trio.current_time(), []

    async def slow_clients() -> None:
        await trio.sleep(0.3 / speed)  # each pause is used up by three quarters

    def send(reading: Reading | Event, at: datetime) -> None:
        events.append((reading, at, trio.current_time() - began))

    await pace(Play({}, readings, 799.6), Clock.start(799.6, speed), send, slow_clients)
    assert [reading for reading, _, _ in events] == readings
    start_at = events[0][1]
    for reading, at, sent_after_s in events:
        assert at - start_at == timedelta(milliseconds=round(reading.time_s * 1000))
        assert 0 <= sent_after_s - reading.time_s / speed <= 0.31 / speed


async def test_after_a_delay_all_that_is_due_is_sent_at_once(autojump_clock: MockClock) -> None:
    readings = [Reading(float(index), "a", index) for index in range(3000)]
    began, sent_after_s, held_up = trio.current_time(), [], False

    async def clients() -> None:
        nonlocal held_up
        if not held_up and trio.current_time() - began >= 10:
            held_up = True
            await trio.sleep(2000)

    play, clock = Play({}, readings, 2999.0), Clock.start(2999.0, 1.0)
    await pace(play, clock, lambda *_: sent_after_s.append(trio.current_time() - began), clients)
    assert sent_after_s[:11] == list(range(11))
    assert set(sent_after_s[11:2011]) == {2010.0}
    assert sent_after_s[2011:] == list(range(2011, 3000))


def test_play_cut_short_ends_before_its_new_length() -> None:
    play = Play({}, [Reading(float(second), "a", 70) for second in range(10)], 9.0)
    assert [reading.time_s for reading in play.first(3).readings] == [0.0, 1.0, 2.0]
    assert play.first(3).length_s == 3
    assert play.first(9.0) is play


def test_endless_play_cannot_be_faster_than_real_time() -> None:
    endless = Play({}, (), math.inf)
    assert SimulatorConfig(rooms={"demo": endless}, speed=1.0).speed == 1.0
    with pytest.raises(ValueError, match="without end"):
        SimulatorConfig(rooms={"demo": endless}, speed=1.5)


# Over a socket

MILLISECOND = timedelta(milliseconds=1)


async def receive_all(websocket: WebSocketConnection, count: int) -> list[tuple[str, int, datetime]]:
    readings: list[tuple[str, int, datetime]] = []
    with trio.fail_after(10):
        while len(readings) < count:
            event = json.loads(await websocket.get_message())
            if event["kind"] == "heart_rate":
                reading = event["heart_rate"]
                readings.append((reading["profile_id"], reading["bpm"], datetime.fromisoformat(event["timestamp"])))
    return readings


async def play_to_a_client(file: Path, speed: float, count: int) -> list[tuple[str, int, datetime]]:
    play = read_replay(file)
    async with open_simulator(SimulatorConfig(rooms={"demo": play}, speed=speed)) as simulator:
        await trio.sleep(0.05)
        assert simulator.readings("demo") == 0  # not before somebody listens
        async with connect(simulator) as websocket:
            received = await receive_all(websocket, count)
            with trio.fail_after(5):
                await simulator.wait_until_played()
            assert simulator.sent("demo")["heart_rate"] == simulator.readings("demo") == count
            with trio.move_on_after(0.05) as silence:
                await websocket.get_message()
            assert silence.cancelled_caught
            assert websocket.closed is None  # a room whose people went home
    return received


@pytest.mark.process
async def test_client_there_from_the_start_gets_every_reading_once_at_its_time(tmp_path: Path) -> None:
    lines = [f"{1000 + index * 0.125},{'ab'[index % 2]},{60 + index % 90}" for index in range(800)]
    began_at = datetime.now(UTC)
    received = await play_to_a_client(write(tmp_path, "\n".join(["time_s,member,bpm", *lines])), 1000, 800)
    start_at = received[0][2]
    for index, (member, bpm, at) in enumerate(received):
        assert (member, bpm) == ("ab"[index % 2], 60 + index % 90)
        assert at - start_at == timedelta(milliseconds=125 * index)
    assert timedelta(seconds=-1.1) < received[-1][2] - began_at < timedelta(seconds=5)


@pytest.mark.process
async def test_play_is_over_when_its_last_reading_is_written_to_all_who_listen() -> None:
    play = Play({"a": {}}, tuple(Reading(index / 1000, "a", 60 + index % 90) for index in range(12_000)), 11.999)
    async with open_simulator(SimulatorConfig(rooms={"demo": play}, speed=1e6)) as simulator:
        async with connect(simulator, kinds=None) as websocket, trio.open_nursery() as nursery:
            nursery.start_soon(receive_all, websocket, 12_000)
            with trio.fail_after(10):
                await simulator.wait_until_played()
            assert simulator.sent("demo") == {"heart_rate": 12_000}


@pytest.mark.process
@pytest.mark.parametrize("match", MATCHES)
async def test_a_match_comes_whole_however_fast_it_is_played(match: str) -> None:
    with MATCHES[match].open(encoding="utf-8") as file:
        rows = [line.strip().split(",") for line in file][1:]
    first_ms = min(round(float(time_s) * 1000) for time_s, _, _ in rows)
    expected = Counter((round(float(time_s) * 1000) - first_ms, member, int(bpm)) for time_s, member, bpm in rows)
    received = await play_to_a_client(MATCHES[match], 3600, len(rows))
    start_at = received[0][2]
    assert Counter(((at - start_at) / MILLISECOND, member, bpm) for member, bpm, at in received) == expected
