"""`POST /control`: text and JSON, errors as sentences, and nothing for pages or those without a token."""

from typing import Any

import pytest
from room_client import BEARER, ask, connect, messages
from simulator_control import ControlledSimulator, open_simulator

from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN, Token

pytestmark = pytest.mark.process

ROOMS = SimulatorConfig(rooms={"red": None, "blue": None})


async def post(simulator: ControlledSimulator, body: str, where: str = "/control", **headers: str) -> tuple[int, Any]:
    return await ask(simulator, "POST", where, BEARER | headers, body)


@pytest.mark.parametrize(
    "body", ["join:Zoe", "join:Zoe\n", '{"event": "join:Zoe"}', '{"event": "join:Zoe", "room": "demo"}\n']
)
async def test_an_event_occurs_at_once_as_text_or_json_whatever_the_content_type(body: str) -> None:
    async with open_simulator() as simulator, connect(simulator) as websocket:
        form = "application/x-www-form-urlencoded"  # which curl sends with -d
        status, content = await post(simulator, body, **{"Content-Type": form})
        assert (status, content) == (200, {"room": "demo", "event": "join:Zoe", "connections": 1})
        [message] = await messages(websocket, 1)
        assert message["room_member_updated"] == {"profile_id": "Zoe", "config": {"name": "Zoe"}}


async def test_of_several_rooms_one_has_to_be_named() -> None:
    async with open_simulator(ROOMS) as simulator:
        assert (await post(simulator, "join:Zoe"))[0] == 400
        assert (await post(simulator, "join:Zoe", "/control?room=red"))[0] == 200
        assert (await post(simulator, '{"event": "join:Yan", "room": "blue"}', "/control?room=red"))[0] == 200
        status, content = await post(simulator, "join:Zoe", "/control?room=green")
        assert (status, content) == (
            400,
            {"error_message": "There is no room 'green'. Name one as /control?room=ID: red, blue."},
        )
        members = {room_id: set(room.members) & {"Zoe", "Yan"} for room_id, room in simulator.server.rooms.items()}
        assert members == {"red": {"Zoe"}, "blue": {"Yan"}}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "The event '' is none."),
        ("jump:Zoe", "The event 'jump:Zoe' is none. Write one of join:NAME"),
        ("remove:Zoe", "No member of demo is called 'Zoe'. Its members: Owner."),
        ('{"event": 1}', "The body is no event"),
        ('{"evnt": "join:Zoe"}', "The body is no event: Object contains unknown field `evnt`."),
        ('{"event": "join:Zoe"', "The body is no event"),
        (f'{{"event": {"[" * 30_000}', "The body is no event"),
        (f'room:{{"x": {"[" * 30_000}', "The event 'room:"),
    ],
)
async def test_a_mistake_is_answered_with_one_sentence(body: str, words: str) -> None:
    async with open_simulator() as simulator:
        status, content = await post(simulator, body)
        assert status == 400
        assert content["error_message"].startswith(words)


async def test_only_who_has_a_token_of_the_start_and_calls_the_loopback_by_its_name_changes_anything() -> None:
    tokens = (Token(DEMO_TOKEN, refresh_token="r"), Token("old", life_s=0.0))
    async with open_simulator(SimulatorConfig(tokens=tokens)) as simulator:
        refused = {
            401: ({"Authorization": "Bearer nobody"}, {"Authorization": DEMO_TOKEN}, {"Authorization": "Bearer "}),
            403: ({"Host": f"evil.example:{simulator.port}"}, {"Host": "localhost.evil.example"}, {"Origin": "null"}),
        }
        for status, several in refused.items():
            for headers in several:
                assert (await post(simulator, "join:Zoe", **headers))[0] == status
        assert (await ask(simulator, "POST", "/control", body="join:Zoe"))[0] == 401
        assert (await ask(simulator, "POST", f"/control?access_token={DEMO_TOKEN}", body="join:Zoe"))[0] == 401
        assert (await ask(simulator, "GET", "/control", BEARER))[0] == 405
        assert "Zoe" not in simulator.server.rooms["demo"].members
        for headers in ({"Host": "localhost"}, {"Host": "LOCALHOST:80"}, {"Authorization": "bearer old"}):
            assert (await post(simulator, "join:Zoe", **headers))[0] == 200


async def test_with_cors_every_answer_is_for_pages_and_a_page_needs_the_token_too() -> None:
    async with open_simulator(SimulatorConfig(admits_pages=True)) as simulator:
        page = {"Origin": "https://overlay.example"}
        assert (await ask(simulator, "POST", "/control", page, "join:Zoe"))[0] == 401
        assert (await post(simulator, "join:Zoe", **page))[0] == 200
