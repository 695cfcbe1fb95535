"""The check of a token: each of Pulsoid's answers has its sentence, and any other is no answer."""

import json
import ssl
from pathlib import Path

import pytest
import trio
import trustme
from hostile_server import Visit, answer, open_hostile_server
from recording_run import make_recorder
from simulator_control import open_simulator

from pulsoid_rec.recorder.connection.server_url import parse_server_url
from pulsoid_rec.recorder.contract.errors import ExitCode, RefusedError
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE
from pulsoid_rec.recorder.pulsoid.token_check import InvalidTokenError, check_token
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN, Token

pytestmark = pytest.mark.process

TOKEN = "t0ken-nobody-may-see"


def error(code: int) -> bytes:
    return json.dumps({"error_code": code, "error_message": f"message of {code}, with {TOKEN}"}).encode()


@pytest.mark.parametrize(
    ("status", "body", "words", "is_dead"),
    [
        (403, error(7005), "The token is unknown to the server", True),
        (401, error(7005), "The token is unknown to the server", True),
        (403, error(7006), "The token has expired", True),
        (402, error(7007), "The token needs a paid plan of Pulsoid", False),
        (402, b"", "The token needs a paid plan of Pulsoid", False),
        (403, error(7008), "The token lacks the scope data:room:read", False),
        (403, error(7009), "The request reached the server without a token", False),
        (403, error(7010), "The token is malformed", False),
        (401, b"", "The server refused the token (401)", True),
        (401, b"<html>", "The server refused the token (401)", True),
        (401, b'{"error_code":"x"}', "The server refused the token (401)", True),
        (401, b'{"error_code":"\xff"}', "The server refused the token (401)", True),
        (401, b'{"error_code":' + b"[" * 5000, "The server refused the token (401)", True),
        (200, b'{"scopes":["data:heart_rate:read"],"expires_in":5}', "The token lacks the scope data:room:read", False),
        (200, b'{"scopes":[]}', "The token lacks the scope data:room:read", False),
    ],
)
async def test_each_refusal_has_a_sentence_of_its_own(status: int, body: bytes, words: str, is_dead: bool) -> None:
    async with open_hostile_server(_nothing, validate=answer(status, body)) as server:
        with pytest.raises(RefusedError) as caught:
            await check_token(parse_server_url(server.url), TOKEN)
    assert caught.value.message == words
    assert caught.value.exit_code is ExitCode.REFUSED
    assert isinstance(caught.value, InvalidTokenError) is is_dead
    assert TOKEN not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        answer(200, b'{"scopes":["data:room:read","x"],"expires_in":5,"new":{}}'),
        answer(200, b'{"scopes":["data:room:read"]}', length=False),
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1d\r\n{"scopes":["data:room:read"]}\r\n0\r\n\r\n',
        answer(103) + answer(200, b'{"scopes":["data:room:read"]}'),
        answer(200, b"<html>Hello</html>"),
        answer(200, b'{"scopes":"data:room:read"}'),
        answer(200, b"[" * 60_000),
        answer(200, b'{"scopes":[' + b" " * 2**20 + b"]}"),
        answer(403, b"<html>Forbidden</html>"),
        answer(404, b"no such page"),
        answer(429),
        answer(500, error(7005)),
        answer(302, b"", "Location: http://elsewhere.invalid/"),
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
        b"HTTP/1.1 2",
        b"\x00" * 100_000,
    ],
)
async def test_what_is_no_refusal_leaves_the_verdict_to_the_connection(data: bytes) -> None:
    async with open_hostile_server(_nothing, validate=data) as server:
        with trio.fail_after(5):
            await check_token(parse_server_url(server.url), TOKEN)


async def test_a_server_that_dribbles_or_says_nothing_is_not_waited_for() -> None:
    timings = Timings(answer_timeout_s=0.2)

    async def dribble(stream: trio.SocketStream) -> None:
        with trio.move_on_after(5):
            for byte in answer(403, error(7005)):
                await stream.send_all(bytes([byte]))
                await trio.sleep(0.1)

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, dribble, [listener])
        with trio.fail_after(1):
            await check_token(parse_server_url(f"ws://127.0.0.1:{listener.socket.getsockname()[1]}"), TOKEN, timings)
        nursery.cancel_scope.cancel()


async def test_nobody_there_and_a_wrong_certificate_are_left_to_the_connection_and_see_no_token() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    async with open_hostile_server(_nothing, tls=context, validate=answer(403, error(7005))) as server:
        await check_token(parse_server_url(server.url), TOKEN)
    await check_token(parse_server_url(server.url), TOKEN)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (Token(DEMO_TOKEN, scopes=("data:heart_rate:read",)), "lacks the scope"),
        (Token(DEMO_TOKEN, life_s=0), "has expired"),
        (Token(DEMO_TOKEN, premium=False), "paid plan"),
        (Token("another"), "is unknown to the server"),
    ],
)
async def test_a_bad_token_ends_the_recording_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: Token, words: str
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, DEMO_TOKEN)
    async with open_simulator(SimulatorConfig(tokens=(token,))) as simulator:
        with pytest.raises(RefusedError, match=words):
            await make_recorder(simulator.url, tmp_path / "room.duckdb").run()
        assert simulator.accepted + sum(simulator.refused.values()) == 0
    assert not (tmp_path / "room.duckdb").exists()


async def _nothing(visit: Visit) -> None:
    """Say nothing."""
