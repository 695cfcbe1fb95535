"""Time: stamps follow the wall clock as far as they can increase, and intervals no clock that can be set."""

import itertools
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from hostile_server import Visit, frame, open_hostile_server, reading, text
from recording_run import FAST, make_recorder, rows, running, until

from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE

pytestmark = pytest.mark.process

HOUR_US = 3_600_000_000


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(TOKEN_VARIABLE, "token")
    return tmp_path / "room.duckdb"


async def test_a_wall_clock_that_steps_an_hour_moves_stamps_alone_and_none_of_them_back(database: Path) -> None:
    timings = replace(FAST, ping_interval_s=0.05)
    step_ns = 0

    def stepping_ns() -> int:
        return time.time_ns() + step_ns

    async def talk(visit: Visit) -> None:
        nonlocal step_ns
        await visit.accept()
        for number, hours in enumerate((0, 1, -1, 0)):
            step_ns = hours * HOUR_US * 1000
            await visit.send(text(reading(number)))
            await until(lambda number=number: recorder.rooms[0].status.readings == number + 1)  # type: ignore[misc] # binds the value
        await visit.until_gone()

    async with open_hostile_server(talk) as server:
        async with running(make_recorder(server.url, database, timings=timings, time_ns=stepping_ns)) as recorder:
            await until(lambda: recorder.rooms[0].status.readings == 4)
            await trio.sleep(0.2)  # several pings
            assert len(server.heads) == 1
            assert recorder.rooms[0].status.reconnects == 0
    stamps = [at for (at,) in rows(database, "SELECT epoch_us(received_at) FROM heart_rate ORDER BY rowid")]
    now = time.time_ns() // 1000
    assert [round((at - now) / HOUR_US) for at in stamps] == [0, 1, 1, 1]
    assert stamps == sorted(set(stamps))


async def test_stamps_of_all_rooms_increase_strictly_however_messages_are_packed(database: Path) -> None:
    async def talk(visit: Visit) -> None:
        await visit.accept(*(text(reading(number)) for number in range(40)))
        long_way = (frame(0x1, reading(n).encode(), final=False) + frame(0x0) for n in range(40, 60))
        await visit.send(*long_way)
        for number in range(60, 100):
            await visit.send(text(reading(number)))
        await visit.until_gone()

    names = ["a", "b", "c"]
    frozen_ns = time.time_ns()
    async with open_hostile_server(talk) as server:
        recorder = make_recorder(server.url, database, *names, time_ns=lambda: frozen_ns)
        async with running(recorder):
            await until(lambda: all(room.status.readings == 100 for room in recorder.rooms))
    [(count, stamps)] = rows(database, "SELECT count(*), count(DISTINCT received_at) FROM heart_rate")
    assert (count, stamps) == (300, 300)
    for room in names:
        in_order = f"SELECT profile_id FROM heart_rate WHERE room_id = '{room}' ORDER BY received_at"
        assert rows(database, in_order) == [(f"user-{number}",) for number in range(100)]


async def test_a_wall_clock_that_runs_ahead_makes_no_short_connection_a_steady_one(database: Path) -> None:
    hours = itertools.count()

    def advancing_ns() -> int:
        return time.time_ns() + next(hours) * HOUR_US * 1000

    async def drop(visit: Visit) -> None:
        await visit.accept()

    async with open_hostile_server(drop) as server:
        async with running(make_recorder(server.url, database, time_ns=advancing_ns)) as recorder:
            await until(lambda: len(server.heads) == 10)
            assert recorder.rooms[0].connection.failures >= 9


async def test_readings_out_of_order_from_the_future_and_days_late_are_stored_as_sent(database: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    offsets = [timedelta(0), timedelta(seconds=-5), timedelta(days=-9), timedelta(days=365), timedelta(seconds=-5)]
    sent = [now + offset for offset in offsets]

    async def talk(visit: Visit) -> None:
        frames = [reading(n).replace("2024-01-15T10:30:00Z", at.isoformat()) for n, at in enumerate(sent)]
        await visit.accept(*map(text, frames))
        await visit.until_gone()

    async with open_hostile_server(talk) as server, running(make_recorder(server.url, database)) as recorder:
        await until(lambda: recorder.rooms[0].status.readings == len(sent))
    assert rows(database, "SELECT profile_id, epoch(occurred_at) FROM heart_rate ORDER BY rowid") == [
        (f"user-{n}", at.timestamp()) for n, at in enumerate(sent)
    ]
    assert rows(database, "SELECT count(*) FROM heart_rate WHERE abs(epoch(received_at) - epoch(now())) > 60") == [(0,)]
