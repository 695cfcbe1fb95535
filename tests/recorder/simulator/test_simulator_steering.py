"""Events in a room, over real sockets: what each client gets, and what changes for those who come later."""

from datetime import UTC, datetime
from typing import Any

import pytest
import trio
from room_client import BEARER, closing, connect, messages, path, refusal
from simulator_control import ControlledSimulator, open_simulator
from trio_websocket import WebSocketConnection

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.simulator.events import Event, parse_event, parse_timed_event
from pulsoid_rec.recorder.simulator.people import play_people
from pulsoid_rec.recorder.simulator.play import Play, Reading
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.steering import apply_event

pytestmark = pytest.mark.process

AT = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
ADA = {"name": "Ada", "color": "red"}


def let(simulator: ControlledSimulator, *texts: str) -> None:
    for text in texts:
        apply_event(simulator.server.rooms["demo"], parse_event(text), AT)


async def payloads(websocket: WebSocketConnection, count: int) -> list[Any]:
    return [message[message["kind"]] for message in await messages(websocket, count)]


def with_ada(*others: str) -> SimulatorConfig:
    """Return a config of a room with Ada, a member with a config of her own, and others of one name."""
    return SimulatorConfig(rooms={"demo": Play({"id-a": ADA} | {other: {"name": "Twin"} for other in others}, (), 0.0)})


async def test_members_are_changed_by_name_and_come_back_as_they_were() -> None:
    async with open_simulator(with_ada()) as simulator, connect(simulator) as websocket:
        let(simulator, "rename:Ada:Ada B.", "remove:Ada B.", "join:Ada B.", "remove:id-a", "join:id-a")
        let(simulator, 'config:Ada B.:{"team": 7}', "remove:id-a", "join:id-a", "join:id-a")
        renamed, bare = {**ADA, "name": "Ada B."}, {"team": 7}
        removed = {"profile_id": "id-a"}
        configs = [renamed, None, renamed, None, renamed, bare, None, bare, bare]
        expected = [removed if config is None else {**removed, "config": config} for config in configs]
        assert await payloads(websocket, 9) == expected


async def test_a_member_who_is_heard_again_after_a_removal_is_sent_again() -> None:
    async with open_simulator(with_ada()) as simulator, connect(simulator) as websocket:
        let(simulator, "bpm:Ada:72")
        room = simulator.server.rooms["demo"]
        apply_event(room, Event(0, "leave", "id-a"), AT)  # as in a recording
        apply_event(room, Event(0, "admit", "id-a", ADA), AT)
        let(simulator, "bpm:Ada:73")
        kinds = [message["kind"].removeprefix("room_") for message in await messages(websocket, 6)]
        assert kinds == ["updated", "member_updated", "heart_rate", "member_removed", "member_updated", "heart_rate"]


async def test_a_member_sent_by_an_event_is_not_sent_again_with_the_first_reading() -> None:
    async with open_simulator(with_ada()) as simulator, connect(simulator) as websocket:
        let(simulator, "join:Zoe", 'room:{"name": "Final"}', "bpm:Zoe:72", "bpm:Ada:73", "remove:Zoe", "join:Zoe")
        let(simulator, "bpm:Zoe:74")
        kinds = [message["kind"].removeprefix("room_") for message in await messages(websocket, 8)]
        updated = "member_updated"
        assert kinds == [
            "member_updated",
            "updated",
            "heart_rate",
            updated,
            "heart_rate",
            "member_removed",
            updated,
            "heart_rate",
        ]
        async with connect(simulator) as later:
            let(simulator, "bpm:Zoe:75")
            assert [message["kind"] for message in await messages(later, 3)] == [
                "room_updated",
                "room_member_updated",
                "heart_rate",
            ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("remove:Nobody", "No member of demo is called 'Nobody'. Its members: Owner, Ada, Twin, Twin."),
        ("rename:Zoe:Zed", "No member of demo is called 'Zoe'."),
        ("bpm:Zoe:72", "No member of demo is called 'Zoe'."),
        ("remove:Twin", "Several members of demo are called 'Twin'. Name one by profile id: id-1, id-2."),
    ],
)
async def test_who_is_not_there_or_not_alone_is_an_error_that_lists_who_is(text: str, words: str) -> None:
    async with open_simulator(with_ada("id-1", "id-2")) as simulator, connect(simulator) as websocket:
        with pytest.raises(UsageError) as caught:
            let(simulator, text)
        assert str(caught.value).startswith(words)
        let(simulator, "remove:id-2", "remove:Twin")
        assert [payload["profile_id"] for payload in await payloads(websocket, 2)] == ["id-2", "id-1"]


async def test_connections_end_as_asked_and_the_owner_who_is_removed_is_refused() -> None:
    async with open_simulator() as simulator:
        for event, how in (("close:4001", (4001, "closed on request")), ("close:1006", (1006, None))):
            async with connect(simulator) as websocket:
                let(simulator, event)
                assert await closing(websocket) == how
                await simulator.wait_for_clients("demo", 0)
        async with connect(simulator) as websocket:
            let(simulator, "remove:Owner")
            assert await closing(websocket) == (1008, "removed from the room")
            await simulator.wait_for_clients("demo", 0)
        assert (await refusal(simulator, path(), BEARER))[0] == 403
        let(simulator, "join:Owner")
        async with connect(simulator):
            assert simulator.connected("demo") == 1


async def test_text_and_binary_frames_are_sent_whatever_was_subscribed_to() -> None:
    async with open_simulator() as simulator, connect(simulator, kinds="room_updated") as websocket:
        let(simulator, "send:not JSON", "binary", "send:")
        with trio.fail_after(5):
            assert [await websocket.get_message() for _ in range(3)] == ["not JSON", bytes(range(256)), ""]


async def test_events_of_a_play_come_in_order_and_a_mistake_among_them_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    texts = ("0:join:Zoe", "1:remove:Ada", "2:remove:Ada", "2.5:join:Ada", "9:close:1012")
    events = tuple(map(parse_timed_event, texts))
    play = Play({"id-a": ADA}, tuple(Reading(float(second), "id-a", 70 + second) for second in range(4)), 9.0, events)
    async with open_simulator(SimulatorConfig(rooms={"demo": play}, speed=50)) as simulator:
        async with connect(simulator) as websocket:
            received = await messages(websocket, 7)
            assert await closing(websocket) == (1012, "closed on request")
    zero = datetime.fromisoformat(received[0]["timestamp"])
    found = [
        ((datetime.fromisoformat(one["timestamp"]) - zero).total_seconds(), one["kind"].removeprefix("room_"))
        for one in received
    ]
    assert found == [
        (0.0, "member_updated"),
        (0.0, "updated"),
        (0.0, "member_updated"),
        (0.0, "heart_rate"),
        (1.0, "member_removed"),
        (2.5, "member_updated"),
        (3.0, "heart_rate"),
    ]
    assert "demo: No member of demo is called 'Ada'. Its members: Owner, Zoe." in caplog.messages


async def test_somebody_invited_among_made_up_people_gets_a_heart() -> None:
    play = play_people(2, 1, "demo").first(600.0)
    async with (
        open_simulator(SimulatorConfig(rooms={"demo": play}, speed=60)) as simulator,
        connect(simulator) as client,
    ):
        await messages(client, 20)
        let(simulator, "join:Zoe")
        zoe = ""
        bpms: list[int] = []
        while len(bpms) < 30:
            [message] = await messages(client, 1)
            payload = message[message["kind"]]
            if payload.get("config", {}).get("name") == "Zoe":
                zoe = payload["profile_id"]
            elif message["kind"] == "heart_rate" and payload["profile_id"] == zoe:
                bpms.append(payload["bpm"])
    assert all(40 <= bpm <= 202 for bpm in bpms)
    assert len(set(bpms)) > 3
