"""Many rooms at once: a failure in one room does not affect the others."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from hostile_server import Visit, answer, open_hostile_server, reading, text
from recording_run import FAST, make_recorder, rows, running, until
from simulator_control import open_simulator

from pulsoid_rec.recorder.connection.reconnect import State
from pulsoid_rec.recorder.contract.errors import ExitCode, RefusedError
from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

pytestmark = pytest.mark.process

WELL = [f"well-{n}" for n in range(50)]
MESSAGES = 60


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(TOKEN_VARIABLE, DEMO_TOKEN)
    return tmp_path / "rooms.duckdb"


async def test_a_refused_a_flapping_and_a_silent_room_are_not_noticed_by_fifty_others(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="pulsoid_rec.recorder")
    flaps = 0

    async def act(visit: Visit) -> None:
        nonlocal flaps
        room = visit.head.split(b"/rooms/")[1].split(b"/")[0].decode()
        if room == "refused":
            await visit.send(answer(403))
        elif room == "flapping":
            flaps += 1
            await visit.accept(text(reading(flaps)), text(b"\xff") if flaps % 2 else b"")
        elif room == "silent":
            await visit.accept()
            await visit.until_gone()
        else:
            await visit.accept()
            for number in range(MESSAGES):
                await visit.send(text(reading(number).replace("user", room)))
                await trio.sleep(0.02)
            await visit.until_gone()

    rooms = ["refused", "flapping", "silent", *WELL]
    async with open_hostile_server(act) as server, running(make_recorder(server.url, database, *rooms)) as recorder:
        await until(lambda: all(room.status.readings == MESSAGES for room in recorder.rooms[3:]))
        await until(lambda: flaps > 10)
        states = {room.room_id: room.status.state for room in recorder.rooms}
        assert states["refused"] in (State.REFUSED, State.CONNECTING)
        assert states["silent"] is State.LIVE
        assert all(room.status.reconnects == 0 for room in recorder.rooms if room.room_id in [*WELL, "silent"])
    expected = [(f"{room}-{n}",) for room in sorted(WELL) for n in range(MESSAGES)]
    assert rows(database, "SELECT profile_id FROM heart_rate WHERE room_id LIKE 'well-%' ORDER BY room_id, rowid") == (
        expected
    )
    events = rows(database, "SELECT room_id, event FROM connection_events WHERE room_id NOT IN ('flapping', 'refused')")
    assert sorted(events) == sorted((room, event) for room in [*WELL, "silent"] for event in ("opened", "closed"))
    assert rows(database, "SELECT count(*) FROM connection_events WHERE room_id = 'refused'") == [(1,)]
    [(reading_count,)] = rows(database, "SELECT count(*) FROM heart_rate WHERE room_id = 'flapping'")
    assert (
        reading_count
        == rows(database, "SELECT count(*) FROM connection_events WHERE room_id = 'flapping' AND event = 'opened'")[0][
            0
        ]
    )
    assert caplog.text.count("refused: ") == 1


async def test_a_room_that_is_refused_at_the_start_is_let_in_later_while_others_live(database: Path) -> None:
    async with open_simulator(SimulatorConfig(rooms={"open": None, "closed": None})) as simulator:
        await simulator.remove_member("closed", _owner(simulator))
        async with running(make_recorder(simulator.url, database, "open", "closed")) as recorder:
            await until(lambda: [room.status.state for room in recorder.rooms] == [State.LIVE, State.REFUSED])
            await simulator.update_member("closed", _owner(simulator), {})
            await until(lambda: recorder.rooms[1].status.state is State.LIVE)
    assert rows(database, "SELECT event, code FROM connection_events WHERE room_id = 'closed' ORDER BY rowid") == [
        ("refused", 403),
        ("opened", None),
        ("closed", 1000),
    ]


def _owner(_: object) -> str:
    return "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_only_if_every_room_is_refused_at_the_start_does_the_command_end(database: Path, status: int) -> None:
    calls = 0

    async def refuse_in_the_end(visit: Visit) -> None:
        nonlocal calls
        calls += 1
        await visit.send(answer(500 if b"/rooms/b/" in visit.head and calls < 8 else status))

    async with open_hostile_server(refuse_in_the_end) as server:
        with pytest.raises(RefusedError) as caught, trio.fail_after(5):
            await make_recorder(server.url, database, "a", "b").run()
    assert calls >= 8
    assert caught.value.exit_code is ExitCode.REFUSED
    assert str(status) in caught.value.message
    if status != 401:  # which is about the token
        named, other = caught.value.message.split(f" ({status}). Also refused: ")
        assert {named[-3:], f"'{other}'"} == {"'a'", "'b'"}


async def test_rooms_refused_after_one_was_live_are_retried_at_a_slow_pace(database: Path) -> None:
    timings = replace(FAST, refused_reconnect_s=0.5)
    async with open_simulator() as simulator:
        async with running(make_recorder(simulator.url, database, timings=timings)) as recorder:
            await until(lambda: simulator.accepted == 1)
            simulator.refuse_with(401)
            await simulator.drop_connections()
            await until(lambda: recorder.rooms[0].status.state is State.REFUSED)
            await trio.sleep(0.3)
            assert simulator.refused == {401: 1}
            simulator.refuse_with(None)
            await until(lambda: simulator.accepted == 2)
