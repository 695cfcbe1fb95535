"""Faults on request: each has its effect, and no other."""

import json
from datetime import timedelta
from typing import Any

import pytest
import trio
from room_client import BEARER, ask, closing, connect, kinds_of, messages, path, refusal, texts
from simulator_control import open_simulator
from trio_websocket import ConnectionClosed

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.simulator.faults import MALFORMED, NO_FAULTS, Faults, parse_faults
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig

pytestmark = pytest.mark.process


def config(**faults: Any) -> SimulatorConfig:
    return SimulatorConfig(faults=Faults(**faults))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], NO_FAULTS),
        (["drop:30"], Faults(drop=30.0)),
        (["stall:0.5", "garbage:100"], Faults(stall=0.5, garbage=100)),
        (["repeat:5", "expire:60", "refuse:503"], Faults(repeat=5, expire=60.0, refuse=503)),
    ],
)
def test_faults_are_named_with_a_number(given: list[str], expected: Faults) -> None:
    assert parse_faults(given) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["flood:3"], "There is no fault 'flood:3'"),
        ([""], "There is no fault ''"),
        (["drop"], "needs a number of seconds"),
        (["drop:"], "needs a number of seconds"),
        (["drop:soon"], "not 'soon'"),
        (["drop:0"], "not '0'"),
        (["drop:nan"], "not 'nan'"),
        (["stall:-1"], "not '-1'"),
        (["expire:inf"], "not 'inf'"),
        (["refuse:200"], "from 300 to 599"),
        (["refuse:500.0"], "needs a whole number"),
        (["garbage:0"], "from 1 to"),
        (["repeat:x"], "not 'x'"),
        (["drop:3", "drop:4"], "is given twice"),
    ],
)
def test_fault_that_makes_no_sense_is_refused_with_what_there_is(given: list[str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_faults(given)
    assert words in str(caught.value)


async def test_dropped_connections_break_off_after_about_the_time_named_each_anew() -> None:
    async with open_simulator(config(drop=0.2)) as simulator:
        for _ in range(3):
            began = trio.current_time()
            async with connect(simulator) as websocket:
                assert (await closing(websocket))[0] == 1006
                assert 0.09 < trio.current_time() - began < 0.5
        assert simulator.accepted == 3


async def test_stalled_connections_stay_open_and_fall_silent() -> None:
    async with open_simulator(config(stall=0.1)) as simulator, connect(simulator, kinds=None) as websocket:
        await simulator.send_heart_rate("demo", "user-1", 72)
        assert await kinds_of(websocket, 1) == ["heart_rate"]
        await trio.sleep(0.2)
        await simulator.send_heart_rate("demo", "user-1", 73)
        with trio.move_on_after(0.1) as silence:
            await websocket.get_message()
        with trio.move_on_after(0.1) as deafness:
            await websocket.ping()
        assert silence.cancelled_caught
        assert deafness.cancelled_caught
        assert websocket.closed is None


async def test_tokens_live_as_long_as_named_the_renewed_ones_too() -> None:
    form = "grant_type=refresh_token&refresh_token=demo-refresh-token&client_id=demo-client&client_secret=demo-secret"
    async with open_simulator(config(expire=0.3)) as simulator:
        async with connect(simulator) as websocket:
            assert await closing(websocket) == (1008, "token expired")
        assert (await refusal(simulator, path(), BEARER))[0] == 401
        assert (await ask(simulator, "GET", "/api/v1/token/validate", BEARER))[1]["error_code"] == 7006
        status, pair = await ask(simulator, "POST", "/oauth2/token", {}, form)
        assert status == 200
        async with connect(simulator, token=pair["access_token"]) as websocket:
            assert await closing(websocket) == (1008, "token expired")


async def test_refusal_meets_every_connection_and_plain_http_none() -> None:
    async with open_simulator(config(refuse=503)) as simulator:
        for _ in range(2):
            assert (await refusal(simulator, path(), BEARER))[0] == 503
        assert simulator.refused == {503: 2}
        assert (await ask(simulator, "GET", "/api/v1/token/validate", BEARER))[0] == 200


async def test_garbage_follows_some_readings_and_harms_none() -> None:
    malformed = {text.decode() for text in MALFORMED}
    received: list[str] = []
    async with open_simulator(config(garbage=10)) as simulator, connect(simulator, kinds=None) as websocket:
        for start in range(0, 2000, 100):
            for bpm in range(start, start + 100):
                await simulator.send_heart_rate("demo", "user-1", bpm)
            await simulator.flush("demo")
            received += await texts(websocket, simulator.sent("demo").total() - len(received))
        sent = simulator.sent("demo")
    garbage = [text for text in received if text in malformed]
    readings = [json.loads(text)["heart_rate"]["bpm"] for text in received if text not in malformed]
    assert readings == list(range(2000))
    assert sent == {"heart_rate": 2000, "raw": len(garbage)}
    assert 120 < len(garbage) < 290
    assert set(garbage) == malformed


async def test_new_connections_get_the_latest_readings_again_as_they_were() -> None:
    async with open_simulator(config(repeat=3)) as simulator:
        async with connect(simulator) as first:
            for bpm in range(5):
                await simulator.send_heart_rate("demo", f"user-{bpm % 2}", bpm)
            before = await messages(first, 8)  # 5 readings, a room, 2 members
            repeated = [message for message in before if message["kind"] == "heart_rate"][-3:]
            async with connect(simulator) as second:
                await simulator.send_heart_rate("demo", "user-0", 5)
                events = await messages(second, 7)
                assert [message["kind"] for message in events] == [
                    *("room_updated", "room_member_updated", "heart_rate"),
                    *("room_member_updated", "heart_rate", "heart_rate", "heart_rate"),
                ]
                readings = [message for message in events if message["kind"] == "heart_rate"]
                assert readings[:3] == repeated
                assert readings[3]["heart_rate"]["bpm"] == 5
            assert await kinds_of(first, 1) == ["heart_rate"]


async def test_without_faults_nothing_goes_wrong_by_itself() -> None:
    async with open_simulator() as simulator, connect(simulator, kinds=None) as websocket:
        for bpm in range(500):
            await simulator.send_heart_rate("demo", "user-1", bpm)
        received = await messages(websocket, 500)
        assert [message["heart_rate"]["bpm"] for message in received] == list(range(500))
        with trio.move_on_after(timedelta(milliseconds=300).total_seconds()) as silence:
            with pytest.raises(ConnectionClosed):
                await websocket.get_message()
        assert silence.cancelled_caught
