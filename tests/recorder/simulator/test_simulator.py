"""The simulator against the protocol's checklist: over real sockets, with a WebSocket and a plain HTTP client."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from unittest.mock import ANY
from urllib.parse import urlencode

import pytest
import trio
import trustme
from room_client import BEARER, ask, closing, connect, kinds_of, messages, open_client, path, refusal, texts
from simulator_control import ControlledSimulator, open_simulator
from trio_websocket import WebSocketConnection

from pulsoid_rec.recorder.simulator.client import ClientLimits
from pulsoid_rec.recorder.simulator.play import Play, Reading
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_REFRESH_TOKEN, DEMO_TOKEN, OWNER_ID, ROOM_SCOPE, Token
from pulsoid_rec.recorder.simulator.wire import text_frame

pytestmark = pytest.mark.process

AT = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


# The address, the token, the scope, membership (lines 1 to 3 and 12)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        (BEARER, {}),
        ({"Authorization": f"bearer {DEMO_TOKEN}"}, {}),
        ({}, {"access_token": DEMO_TOKEN}),
        (BEARER, {"access_token": "another"}),
    ],
    ids=["header", "header in small letters", "query", "header before query"],
)
async def test_token_comes_in_the_header_or_in_the_query(headers: dict[str, str], query: dict[str, str]) -> None:
    async with open_simulator() as simulator, open_client(simulator.port, path(**query), headers) as websocket:
        await simulator.wait_for_clients("demo")
        await simulator.send_heart_rate("demo", "user-1", 72)
        assert await kinds_of(websocket, 1) == ["heart_rate"]


@pytest.mark.parametrize(
    ("headers", "query", "code"),
    [
        ({}, {}, 7009),
        ({"Authorization": DEMO_TOKEN}, {}, 7010),
        ({"Authorization": "Bearer"}, {}, 7010),
        ({"Authorization": f"Basic {DEMO_TOKEN}"}, {}, 7010),
        ({"Authorization": "Bearer nobody"}, {}, 7005),
        ({}, {"access_token": "nobody"}, 7005),
        ({}, {"access_token": ""}, 7005),
        ({"Authorization": "Bearer nobody"}, {"access_token": DEMO_TOKEN}, 7005),
        ({"Authorization": "Bearer expired"}, {}, 7006),
        ({"Authorization": "Bearer without-plan"}, {}, 7007),
        ({"Authorization": "Bearer other-scope"}, {}, 7008),
    ],
)
async def test_without_a_good_token_the_answer_is_401(
    headers: dict[str, str], query: dict[str, str], code: int
) -> None:
    tokens = (
        Token(DEMO_TOKEN),
        Token("expired", life_s=0),
        Token("without-plan", premium=False),
        Token("other-scope", scopes=("data:heart_rate:read",)),
    )
    async with open_simulator(SimulatorConfig(tokens=tokens)) as simulator:
        status, content = await refusal(simulator, path(**query), headers)
        assert (status, content["error_code"]) == (401, code)
        assert simulator.refused == {401: 1}
        assert simulator.accepted == 0


async def test_who_is_not_a_member_of_the_room_gets_403() -> None:
    tokens = (Token(DEMO_TOKEN), Token("stranger", profile_id="somebody-else"))
    async with open_simulator(SimulatorConfig(rooms={"demo": None}, tokens=tokens)) as simulator:
        assert (await refusal(simulator, path(), {"Authorization": "Bearer stranger"}))[0] == 403
        assert (await refusal(simulator, path("no-such-room"), BEARER))[0] == 403
        await simulator.update_member("demo", "somebody-else", {})
        async with connect(simulator, token="stranger"):
            assert simulator.connected("demo") == 1


@pytest.mark.parametrize("status", [302, 401, 403, 500, 502, 599])
async def test_every_connection_is_refused_with_the_status_that_is_set(status: int) -> None:
    async with open_simulator() as simulator:
        simulator.refuse_with(status)
        assert (await refusal(simulator, path(), BEARER))[0] == status
        assert simulator.refused == {status: 1}
        simulator.refuse_with(None)
        async with connect(simulator):
            assert simulator.accepted == 1


async def test_room_ids_may_hold_any_character() -> None:
    room_id = "Café / 100 % ☕"
    async with open_simulator(SimulatorConfig(rooms={room_id: None})) as simulator:
        quoted = "Caf%C3%A9%20%2F%20100%20%25%20%E2%98%95"
        async with open_client(simulator.port, path(quoted) + "?kinds=room_updated", BEARER) as websocket:
            await simulator.wait_for_clients(room_id)
            await simulator.send_heart_rate(room_id, "user-1", 72)
            [event] = await messages(websocket, 1)
            assert event["room_updated"]["room_id"] == room_id


# Kinds (lines 4 and 5)


async def happen(simulator: ControlledSimulator) -> None:
    """Let something of every kind happen, each by itself."""
    await simulator.send_heart_rate("demo", "user-1", 72)
    await simulator.update_member("demo", "user-2", {})
    await simulator.remove_member("demo", "user-2")
    await simulator.update_room("demo", {})
    await simulator.send_raw("demo", '{"kind":"end"}')


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (None, ["heart_rate"]),
        ("", ["heart_rate"]),
        ("heart_rate", ["heart_rate"]),
        ("room_updated", ["room_updated", "room_updated"]),
        ("room_member_updated", ["room_member_updated", "room_member_updated"]),
        ("room_member_removed", ["room_member_removed"]),
        (" heart_rate , weather,room_member_removed", ["heart_rate", "room_member_removed"]),
        ("weather", []),
    ],
)
async def test_only_the_kinds_asked_for_are_sent_and_heart_rates_by_default(
    kinds: str | None, expected: list[str]
) -> None:
    async with open_simulator() as simulator, connect(simulator, kinds=kinds) as websocket:
        await happen(simulator)
        assert await kinds_of(websocket, len(expected) + 1) == [*expected, "end"]


# Messages, to the letter (lines 6 to 10)


async def test_messages_look_to_the_letter_as_on_pulsoids_wire() -> None:
    async with open_simulator() as simulator, connect(simulator, kinds="heart_rate") as websocket:
        await simulator.send_heart_rate("demo", "user-1", 85, AT)
        await simulator.send_heart_rate("demo", "user-1", 86, AT + timedelta(milliseconds=40))
        await simulator.send_heart_rate("demo", 'a"b', 0, AT.astimezone(timezone(timedelta(hours=5.5))))
        assert await texts(websocket, 3) == [
            '{"kind":"heart_rate","timestamp":"2024-01-15T10:30:00Z","heart_rate":{"profile_id":"user-1","bpm":85}}',
            '{"kind":"heart_rate","timestamp":"2024-01-15T10:30:00.040Z","heart_rate":{"profile_id":"user-1","bpm":86}}',
            '{"kind":"heart_rate","timestamp":"2024-01-15T10:30:00Z","heart_rate":{"profile_id":"a\\"b","bpm":0}}',
        ]


async def test_events_of_the_room_carry_what_changed_and_when() -> None:
    async with open_simulator() as simulator, connect(simulator) as websocket:
        before = datetime.now(UTC) - timedelta(milliseconds=1)
        await simulator.update_room("demo", {"name": "My Room"})
        await simulator.update_member("demo", "user-2", {"color": "red"})
        await simulator.remove_member("demo", "user-2")
        received = await messages(websocket, 3)
        payloads = [
            {"kind": "room_updated", "room_updated": {"room_id": "demo", "config": {"name": "My Room"}}},
            {
                "kind": "room_member_updated",
                "room_member_updated": {"profile_id": "user-2", "config": {"color": "red"}},
            },
            {"kind": "room_member_removed", "room_member_removed": {"profile_id": "user-2"}},
        ]
        for message in received:
            assert before <= datetime.fromisoformat(message.pop("timestamp")) <= datetime.now(UTC)
        assert received == payloads


@pytest.mark.parametrize("size", [1, 125, 126, 127, 65535, 65536, 100_000])
async def test_frames_of_every_length_arrive_whole(size: int) -> None:
    async with open_simulator() as simulator, connect(simulator) as websocket:
        await simulator.send_raw("demo", "x" * size, "last")
        assert await texts(websocket, 2) == ["x" * size, "last"]


# Lazy delivery (line 11)


async def test_nothing_is_sent_before_a_heart_rate_then_room_and_member_come_first_and_once() -> None:
    async with open_simulator() as simulator, connect(simulator) as websocket:
        await simulator.update_member("demo", "user-3", {})  # not lazy: sent at once
        assert await kinds_of(websocket, 1) == ["room_member_updated"]
        with trio.fail_after(5):
            await websocket.ping()  # answered, with nothing sent before the answer
        assert simulator.sent("demo").total() == 1
        for profile_id in ("user-1", "user-1", "user-2", "user-1", "user-2"):
            await simulator.send_heart_rate("demo", profile_id, 72, AT)
        received = await messages(websocket, 8)
        about = [(message["kind"], message[message["kind"]].get("profile_id", "room")) for message in received]
        assert about == [
            ("room_updated", "room"),
            ("room_member_updated", "user-1"),
            ("heart_rate", "user-1"),
            ("heart_rate", "user-1"),
            ("room_member_updated", "user-2"),
            ("heart_rate", "user-2"),
            ("heart_rate", "user-1"),
            ("heart_rate", "user-2"),
        ]
        assert received[1]["room_member_updated"]["config"] == {"name": "user-1"}


async def test_each_connection_is_sent_room_and_member_as_they_are_by_then() -> None:
    async with open_simulator() as simulator, connect(simulator) as first:
        await simulator.send_heart_rate("demo", "user-1", 72)
        await texts(first, 3)
        await simulator.update_member("demo", "user-1", {"name": "Ada"})
        await texts(first, 1)
        async with connect(simulator) as second:
            await simulator.send_heart_rate("demo", "user-1", 73)
            assert await kinds_of(first, 1) == ["heart_rate"]
            events = await messages(second, 3)
            assert [message["kind"] for message in events] == ["room_updated", "room_member_updated", "heart_rate"]
            assert events[1]["room_member_updated"]["config"] == {"name": "Ada"}


async def test_rooms_are_sent_nothing_of_each_other() -> None:
    async with (
        open_simulator(SimulatorConfig(rooms={"red": None, "blue": None})) as simulator,
        connect(simulator, "red", kinds=None) as red,
        connect(simulator, "blue", kinds=None) as blue,
    ):
        await simulator.send_heart_rate("red", "user-1", 60)
        await simulator.send_heart_rate("blue", "user-1", 90)
        assert [message["heart_rate"]["bpm"] for message in await messages(red, 1)] == [60]
        assert [message["heart_rate"]["bpm"] for message in await messages(blue, 1)] == [90]
        assert simulator.sent("red") == simulator.sent("blue") == {"heart_rate": 1}


# Ends (lines 13, 14 and 16)


async def test_expiry_of_the_token_closes_the_connection() -> None:
    tokens = (Token(DEMO_TOKEN), Token("short", life_s=0.2))
    async with open_simulator(SimulatorConfig(tokens=tokens)) as simulator, connect(simulator) as other:
        async with connect(simulator, token="short") as websocket:
            assert await closing(websocket) == (1008, "token expired")
        status, content = await refusal(simulator, path(), {"Authorization": "Bearer short"})
        assert (status, content["error_code"]) == (401, 7006)
        await simulator.send_heart_rate("demo", "user-1", 72)
        assert len(await texts(other, 3)) == 3
    tokens = (Token("one"), Token("two"))
    async with open_simulator(SimulatorConfig(tokens=tokens)) as simulator:
        async with connect(simulator, token="one") as one, connect(simulator, token="two") as two:
            await simulator.expire_token("one")
            assert await closing(one) == (1008, "token expired")
            status, content = await refusal(simulator, path(), {"Authorization": "Bearer one"})
            assert (status, content["error_code"]) == (401, 7006)
            await simulator.send_heart_rate("demo", "user-1", 72)
            assert len(await texts(two, 3)) == 3


async def test_removed_member_is_disconnected_after_the_news_and_others_go_on() -> None:
    tokens = (Token(DEMO_TOKEN), Token("guest", profile_id="user-1"))
    async with open_simulator(SimulatorConfig(tokens=tokens)) as simulator:
        await simulator.update_member("demo", "user-1", {})
        async with connect(simulator) as owner, connect(simulator, token="guest") as guest:
            await simulator.remove_member("demo", "user-1")
            assert await kinds_of(guest, 1) == ["room_member_removed"]
            assert await closing(guest) == (1008, "removed from the room")
            assert await kinds_of(owner, 1) == ["room_member_removed"]
            assert simulator.connected("demo") == 1
        assert (await refusal(simulator, path(), {"Authorization": "Bearer guest"}))[0] == 403


async def test_removed_member_plays_no_more() -> None:
    readings = tuple(Reading(second / 100, profile_id, 70) for second in range(40) for profile_id in ("stays", "goes"))
    play = Play({"stays": {}, "goes": {}}, readings, 0.4)
    config = SimulatorConfig(rooms={"demo": play})
    async with open_simulator(config) as simulator, connect(simulator, kinds=None) as websocket:
        await texts(websocket, 2)
        await simulator.remove_member("demo", "goes")
        with trio.fail_after(5):
            await simulator.wait_until_played()
        await simulator.send_raw("demo", '{"kind":"end"}')
        profile_ids = []
        while (message := (await messages(websocket, 1))[0])["kind"] != "end":
            profile_ids.append(message["heart_rate"]["profile_id"])
    assert profile_ids.count("stays") == 39
    assert profile_ids.count("goes") < 20


async def test_connections_cut_off_end_without_a_close_frame() -> None:
    async with open_simulator() as simulator, connect(simulator) as websocket:
        with trio.fail_after(5):
            await simulator.drop_connections("demo")
        assert simulator.connected("demo") == 0
        assert (await closing(websocket))[0] == 1006
        async with connect(simulator):
            assert simulator.accepted == 2


async def test_connections_closed_get_all_that_was_queued_and_then_the_code_asked_for() -> None:
    async with open_simulator() as simulator, connect(simulator, kinds=None) as websocket:
        sent = [f"message {number}" for number in range(900)]  # more than one write
        await simulator.send_raw("demo", *sent)
        with trio.fail_after(5):
            await simulator.close_connections(code=4001, reason="enough")
        assert await texts(websocket, 900) == sent
        assert await closing(websocket) == (4001, "enough")
        assert simulator.sent("demo") == {"raw": 900}


async def test_connections_are_closed_with_1001_when_the_server_ends() -> None:
    async with trio.open_nursery() as nursery:
        async with open_simulator() as simulator:
            websocket = await nursery.start(_hold_connection, simulator)
        assert await closing(websocket) == (1001, "server is going away")


async def _hold_connection(simulator: ControlledSimulator, task_status: trio.TaskStatus[WebSocketConnection]) -> None:
    async with connect(simulator) as websocket:
        task_status.started(websocket)
        await closing(websocket)


async def test_error_in_the_block_comes_out_as_it_was_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        async with open_simulator() as simulator, connect(simulator):
            raise ZeroDivisionError


async def test_cancelled_block_leaves_nothing_behind() -> None:
    with trio.move_on_after(0.1) as scope:
        async with open_simulator() as simulator, connect(simulator):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    with pytest.raises(OSError, match="connect"):
        await trio.open_tcp_stream("127.0.0.1", simulator.port)


# What clients send (line 15), and how they misbehave


async def test_whatever_a_client_sends_is_ignored() -> None:
    async with open_simulator() as simulator, connect(simulator, kinds=None) as websocket:
        for sent in (b"\x00\xff", "text", b"x" * 100_000, ""):
            await websocket.send_message(sent)
        with trio.fail_after(5):
            await websocket.ping()
        await simulator.send_heart_rate("demo", "user-1", 72)
        assert await kinds_of(websocket, 1) == ["heart_rate"]
        assert simulator.sent("demo") == {"heart_rate": 1}


async def test_client_that_does_not_read_is_cut_and_delays_no_other() -> None:
    config = SimulatorConfig(limits=ClientLimits(capacity=100, write_timeout_s=0.2))
    async with open_simulator(config) as simulator, connect(simulator) as reader, _silent_client(simulator):
        await simulator.wait_for_clients("demo", 2)
        sent = 0
        with trio.fail_after(10):
            while simulator.connected("demo") == 2:
                await simulator.send_raw("demo", "x" * 100_000)
                await texts(reader, 1)
                sent += 1
        assert sent > 100  # as many as its queue holds
        await simulator.send_raw("demo", "still here")
        assert await texts(reader, 1) == ["still here"]
        assert simulator.sent("demo")["raw"] < 2 * sent  # what it did not take is not counted


async def test_flush_waits_for_a_slow_client_but_not_for_one_that_reads_nothing() -> None:
    async with (
        open_simulator(SimulatorConfig(limits=ClientLimits(write_timeout_s=0.3))) as simulator,
        _silent_client(simulator),
        _silent_client(simulator) as slow,
    ):
        await simulator.wait_for_clients("demo", 2)

        async def read_slowly() -> None:
            while await slow.receive_some(150_000):
                await trio.sleep(0.005)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_slowly)
            began = trio.current_time()
            await simulator.send_raw("demo", *["x" * 200_000] * 150)
            with trio.fail_after(10):
                await simulator.flush("demo")
            assert trio.current_time() - began > 0.6  # twice the timeout
            await simulator.wait_for_clients("demo", 1)
            assert simulator.sent("demo")["raw"] >= 150
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def _silent_client(simulator: ControlledSimulator) -> AsyncIterator[trio.SocketStream]:
    async with await trio.open_tcp_stream("127.0.0.1", simulator.port) as stream:
        await stream.send_all(_upgrade())
        yield stream


def _upgrade() -> bytes:
    head = (
        f"GET {path()} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        f"Authorization: Bearer {DEMO_TOKEN}",
    )
    return "\r\n".join([*head, "", ""]).encode()


@pytest.mark.parametrize("cut", [0, 1, 20, -1, None])
async def test_clients_that_vanish_at_any_point_do_no_harm(cut: int | None) -> None:
    async with open_simulator() as simulator, connect(simulator, kinds=None) as websocket:
        for _ in range(20):
            stream = await trio.open_tcp_stream("127.0.0.1", simulator.port)
            await stream.send_all(_upgrade()[:cut])
            await trio.aclose_forcefully(stream)
            await simulator.send_heart_rate("demo", "user-1", 72)
        assert await kinds_of(websocket, 20) == ["heart_rate"] * 20


async def test_client_that_requests_nothing_is_disconnected_and_does_no_harm() -> None:
    config = SimulatorConfig(limits=ClientLimits(handshake_timeout_s=0.1))
    async with open_simulator(config) as simulator, await trio.open_tcp_stream("127.0.0.1", simulator.port) as stream:
        with trio.fail_after(5):
            assert await stream.receive_some() == b""
        async with connect(simulator):
            assert simulator.accepted == 1


async def test_upgrade_in_many_pieces_is_understood() -> None:
    async with open_simulator() as simulator, await trio.open_tcp_stream("127.0.0.1", simulator.port) as stream:
        for byte in _upgrade():
            await stream.send_all(bytes([byte]))
        await simulator.wait_for_clients("demo")
        await simulator.send_raw("demo", "hello")
        received = b""
        with trio.fail_after(5):
            while not received.endswith(b"\r\n\r\n\x81\x05hello"):
                received += await stream.receive_some()
        assert received.startswith(b"HTTP/1.1 101 ")


async def test_stalled_connection_stays_open_and_answers_nothing() -> None:
    async with open_simulator() as simulator, connect(simulator, kinds=None) as websocket:
        simulator.stall_connections("demo")
        await simulator.send_heart_rate("demo", "user-1", 72)
        with trio.fail_after(2):
            await simulator.flush("demo")
        with trio.move_on_after(0.2) as pinging:
            await websocket.ping()
        with trio.move_on_after(0.1) as reading:
            await websocket.get_message()
        assert pinging.cancelled_caught
        assert reading.cancelled_caught
        assert websocket.closed is None
        assert simulator.sent("demo").total() == 0
        await trio.aclose_forcefully(websocket._stream)
        with trio.fail_after(5):
            await simulator.wait_for_clients("demo", 0)
        assert simulator.connected("demo") == 0


async def test_bytes_below_the_websocket_reach_the_client_as_they_are() -> None:
    fragments = b"\x01\x03abc", b"\x80\x03def"
    async with open_simulator() as simulator, connect(simulator, kinds="weather") as websocket:
        await simulator.send_bytes("demo", *fragments, b"\x82\x02\x00\xff")
        with trio.fail_after(5):
            assert await websocket.get_message() == "abcdef"
            assert await websocket.get_message() == b"\x00\xff"
        await simulator.send("demo", {"kind": "weather"})
        assert await texts(websocket, 1) == ['{"kind":"weather"}']
        await simulator.send_bytes("demo", text_frame(b"\xff not UTF-8"))
        assert (await closing(websocket))[0] == 1007


async def test_many_messages_arrive_whole_in_order_and_are_counted() -> None:
    async with open_simulator() as simulator, connect(simulator) as one, connect(simulator) as two:
        received: dict[WebSocketConnection, list[int]] = {one: [], two: []}

        async def collect(websocket: WebSocketConnection) -> None:
            for message in await messages(websocket, 5002):
                if message["kind"] == "heart_rate":
                    received[websocket].append(message["heart_rate"]["bpm"])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect, one)
            nursery.start_soon(collect, two)
            for bpm in range(5000):
                await simulator.send_heart_rate("demo", "user-1", bpm)
            with trio.fail_after(30):
                await simulator.flush("demo")
        assert received == {one: list(range(5000)), two: list(range(5000))}
        assert simulator.sent("demo") == {"heart_rate": 10_000, "room_updated": 2, "room_member_updated": 2}
        assert simulator.readings("demo") == 5000
    assert simulator.sent("demo")["heart_rate"] == 10_000


async def test_served_over_tls_to_those_who_trust_it_only() -> None:
    authority = trustme.CA()
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    async with open_simulator(SimulatorConfig(ssl_context=server_side)) as simulator:
        assert simulator.url == f"wss://127.0.0.1:{simulator.port}"
        async with open_client(simulator.port, path(), BEARER, client_side) as websocket:
            await simulator.wait_for_clients("demo")
            await simulator.send_heart_rate("demo", "user-1", 72)
            assert await kinds_of(websocket, 1) == ["heart_rate"]
            with pytest.raises(trio.BrokenResourceError):
                async with await trio.open_tcp_stream("127.0.0.1", simulator.port) as stream:
                    await trio.SSLStream(
                        stream, ssl.create_default_context(), server_hostname="127.0.0.1"
                    ).do_handshake()
            async with await trio.open_tcp_stream("127.0.0.1", simulator.port) as stream:
                await stream.send_all(_upgrade())  # no TLS at all
            await simulator.send_heart_rate("demo", "user-1", 73)
            assert await kinds_of(websocket, 1) == ["heart_rate"]


# Plain HTTP on the same port


async def test_good_token_is_validated() -> None:
    async with open_simulator() as simulator:
        status, content = await ask(simulator, "GET", "/api/v1/token/validate", BEARER)
    assert status == 200
    assert content.pop("expires_in") in range(29 * 86400, 30 * 86400 + 1)
    assert content == {"client_id": "demo-client", "profile_id": OWNER_ID, "scopes": [ROOM_SCOPE]}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (403, 7009, "error_authorization_header_is_not_present")),
        ({"Authorization": DEMO_TOKEN}, (403, 7010, "error_authorization_header_has_wrong_format")),
        ({"Authorization": "Bearer nobody"}, (403, 7005, "token_not_found")),
        ({"Authorization": "Bearer expired"}, (403, 7006, "token_expired")),
        ({"Authorization": "Bearer without-plan"}, (402, 7007, "premium_required")),
    ],
)
async def test_other_tokens_are_refused_with_pulsoids_codes(
    headers: dict[str, str], expected: tuple[int, int, str]
) -> None:
    tokens = (Token("expired", life_s=0), Token("without-plan", premium=False))
    async with open_simulator(SimulatorConfig(tokens=tokens)) as simulator:
        status, content = await ask(simulator, "GET", "/api/v1/token/validate", headers)
    assert (status, content["error_code"], content["error_message"]) == expected


async def test_token_of_another_scope_is_valid_with_that_scope() -> None:
    async with open_simulator(SimulatorConfig(tokens=(Token("other", scopes=("widget:read",)),))) as simulator:
        status, content = await ask(simulator, "GET", "/api/v1/token/validate", {"Authorization": "Bearer other"})
    assert (status, content["scopes"]) == (200, ["widget:read"])


REFRESH = {
    "grant_type": "refresh_token",
    "refresh_token": DEMO_REFRESH_TOKEN,
    "client_id": "demo-client",
    "client_secret": "demo-secret",
}


async def renew(simulator: ControlledSimulator, **form: str) -> tuple[int, Any]:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return await ask(simulator, "POST", "/oauth2/token", headers, urlencode(REFRESH | form))


@pytest.mark.parametrize("life_s", [1000.0, 0.0], ids=["living", "expired"])
async def test_renewed_token_opens_and_the_old_pair_is_dead_at_once(life_s: float) -> None:
    old = Token(DEMO_TOKEN, life_s=life_s, refresh_token=DEMO_REFRESH_TOKEN)
    async with open_simulator(SimulatorConfig(tokens=(old,))) as simulator:
        status, pair = await renew(simulator)
        assert (status, pair["expires_in"], pair["token_type"]) == (200, int(life_s), "bearer")
        assert (await refusal(simulator, path(), BEARER))[1]["error_code"] == 7005
        assert await renew(simulator) == (400, {"error": "invalid_grant"})
        if life_s:
            async with connect(simulator, token=pair["access_token"]):
                assert simulator.connected("demo") == 1
        assert (await renew(simulator, refresh_token=pair["refresh_token"]))[0] == 200


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
        ({"client_secret": "guessed"}, (401, "invalid_client")),
        ({"client_id": "another"}, (401, "invalid_client")),
        ({"refresh_token": ""}, (400, "invalid_request")),
        ({"refresh_token": "another"}, (400, "invalid_grant")),
    ],
)
async def test_refused_renewal_leaves_the_old_pair_alone(form: dict[str, str], expected: tuple[int, str]) -> None:
    async with open_simulator() as simulator:
        status, content = await renew(simulator, **form)
        assert (status, content["error"]) == expected
        async with connect(simulator):
            assert simulator.accepted == 1


@pytest.mark.parametrize(
    ("method", "resource", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api/v2/data/rooms/demo", 404),
        ("GET", "/api/v2/data/rooms//real_time", 404),
        ("GET", "/api/v2/data/rooms/demo/real_time/", 404),
        ("GET", path(), 426),
        ("POST", path(), 405),
        ("POST", "/api/v1/token/validate", 405),
        ("GET", "/oauth2/token", 405),
    ],
)
async def test_other_requests_get_their_status(method: str, resource: str, status: int) -> None:
    async with open_simulator() as simulator:
        assert (await ask(simulator, method, resource, BEARER))[0] == status
        assert simulator.refused == {}


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000, 431),
        (b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000, 413),
        (_upgrade().replace(b"Version: 13", b"Version: 12"), 400),
        (_upgrade().replace(b"keep-alive, Upgrade", b"keep-alive"), 400),
    ],
    ids=["TLS", "no HTTP", "no host", "endless head", "large body", "old version", "no upgrade"],
)
async def test_requests_that_make_no_sense_are_answered(request_bytes: bytes, status: int) -> None:
    async with open_simulator() as simulator, await trio.open_tcp_stream("127.0.0.1", simulator.port) as stream:
        await stream.send_all(request_bytes)
        received = bytearray()
        with trio.fail_after(5):
            while piece := await stream.receive_some():  # until the server closes
                received += piece
        assert received.startswith(f"HTTP/1.1 {status} ".encode())
        async with connect(simulator):
            assert simulator.accepted == 1


@pytest.mark.parametrize("admits_pages", [False, True])
async def test_pages_in_a_browser_are_admitted_only_on_request(admits_pages: bool) -> None:
    page = {"Origin": "https://evil.example"}
    async with open_simulator(SimulatorConfig(admits_pages=admits_pages)) as simulator:
        if admits_pages:
            async with open_client(simulator.port, path(), BEARER | page):
                await simulator.wait_for_clients("demo")
        else:
            assert await refusal(simulator, path(), BEARER | page) == (403, ANY)
        for method, headers in (("OPTIONS", page), ("GET", page | BEARER)):
            status, _ = await ask(simulator, method, "/api/v1/token/validate", headers)
            assert status == (200 if admits_pages else 403)
        with socket.create_connection(("127.0.0.1", simulator.port)) as client:
            client.sendall(b"OPTIONS / HTTP/1.1\r\nHost: h\r\nOrigin: https://evil.example\r\n\r\n")
            said = await trio.to_thread.run_sync(lambda: b"".join(iter(lambda: client.recv(4096), b"")))
        assert (b"\r\nAccess-Control-Allow-Origin: *\r\n" in said) is admits_pages
