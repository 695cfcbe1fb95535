"""The device flow: what is shown to the user, when the token is asked for, and every answer that ends it."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import trio
from hostile_server import HostileServer, Visit, answer, open_hostile_server
from hypothesis import given
from hypothesis import strategies as st

from pulsoid_rec.recorder.connection.server_url import ServerUrl, parse_server_url
from pulsoid_rec.recorder.contract.errors import RefusedError
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.pulsoid.device_login import DeviceCode, _is_safe, request_code, wait_for_token

FAST = Timings(shortest_login_poll_s=0.01, login_slow_down_s=0.2)
PULSOID, HERE = map(parse_server_url, ("wss://dev.pulsoid.net", "ws://127.0.0.1:8765"))
DEVICE = DeviceCode("device-code-0123", "AB-CD", "https://h/x", has_code=True, interval_s=0.01, life_s=5)
CODE = {
    "device_code": "device-code-0123",
    "user_code": "32761c50-bc77",
    "verification_uri": "https://pulsoid.net/device",
    "verification_uri_complete": "https://pulsoid.net/device?user_code=32761c50-bc77",
    "expires_in": 600,
    "interval": 3,
}


def says(status: int, content: Any) -> bytes:
    return answer(status, content if isinstance(content, bytes) else json.dumps(content).encode())


def act(*answers: bytes) -> Any:
    left = list(answers)

    async def serve(visit: Visit) -> None:
        await visit.send(left.pop(0) if len(left) > 1 else left[0])

    return serve


async def begin(content: Any, status: int = 200) -> DeviceCode:
    got, _ = await _with_server(lambda url: request_code(url, "an-id", FAST), says(status, content))
    assert isinstance(got, DeviceCode)
    return got


async def wait(*answers: bytes, device: DeviceCode = DEVICE) -> tuple[dict[str, Any], HostileServer]:
    return await _with_server(lambda url: wait_for_token(url, "an-id", device, FAST), *answers)


async def _with_server(work: Callable[[ServerUrl], Awaitable[Any]], *answers: bytes) -> tuple[Any, HostileServer]:
    async with open_hostile_server(act(*answers)) as server:
        try:
            got = await work(parse_server_url(server.url))
        except RefusedError as error:
            got = error
    if isinstance(got, RefusedError):
        raise got
    return got, server


@pytest.mark.process
async def test_code_and_link_are_shown_and_the_device_code_is_not() -> None:
    device = await begin(CODE)
    assert (device.link, device.user_code) == (CODE["verification_uri_complete"], CODE["user_code"])
    assert (device.has_code, device.interval_s, device.life_s) == (True, 3, 600)
    assert "device-code-0123" not in repr(device)


@pytest.mark.process
async def test_without_the_link_that_has_the_code_the_other_is_shown_and_without_times_those_of_the_standard() -> None:
    needed = {name: CODE[name] for name in ("device_code", "user_code", "verification_uri")}
    device = await begin(needed | {"interval": "soon", "expires_in": "9" * 400})
    assert (device.link, device.has_code) == (CODE["verification_uri"], False)
    assert (device.interval_s, device.life_s) == (5, 600)
    assert (await begin(CODE | {"interval": 0.001, "expires_in": 10**9})).life_s == 3600
    assert [(await begin(CODE | {"interval": each})).interval_s for each in (10**9, 0, -1, "nan")] == [60, 5, 5, 5]


@pytest.mark.process
@pytest.mark.parametrize(
    "changes",
    [
        {"user_code": "\x1b]0;owned\x07"},
        {"user_code": "A B"},
        {"user_code": "A" * 101},
        {"user_code": 7},
        {"user_code": "\N{RIGHT-TO-LEFT OVERRIDE}abc"},
        {"device_code": ""},
        {"device_code": "a\nb"},
        {"verification_uri_complete": "file:///etc/passwd"},
        {"verification_uri_complete": "javascript:alert(1)"},
        {"verification_uri_complete": "http://pulsoid.net/x"},
        {"verification_uri_complete": "https://pulsoid.net@elsewhere.example/"},
        {"verification_uri_complete": "https://[::1/"},
        {"verification_uri_complete": "https://h/\x1b[31m"},
        {"verification_uri_complete": "https://h/\u202e"},
        {"verification_uri_complete": "https://h/" + "x" * 2000},
        {"verification_uri_complete": "https://h/?code=device-code-0123"},
        {"verification_uri_complete": ["https://h/"]},
        {"verification_uri_complete": None, "verification_uri": None},
    ],
)
async def test_what_a_terminal_would_obey_or_a_browser_should_not_open_is_not_shown(changes: dict[str, Any]) -> None:
    with pytest.raises(
        RefusedError, match=r"answered the login with no (code that can be shown|link that is safe)"
    ) as e:
        await begin(CODE | changes)
    assert str(e.value).isprintable()
    assert "device-code-0123" not in str(e.value)


@given(st.text() | st.from_regex(r"\Ahttps?://[^/]*/.*", fullmatch=False))
def test_a_link_that_is_shown_is_encrypted_or_on_this_machine_and_printable(link: str) -> None:
    for issuer in (PULSOID, HERE):
        if _is_safe(link, issuer):
            assert link.isascii()
            assert link.isprintable()
            is_here = any(link.startswith(f"http://{host}") for host in ("127.", "localhost", "[::"))
            assert link.lower().startswith("https://") or (is_here and issuer is HERE)


def test_a_page_on_this_machine_is_only_that_of_a_server_on_this_machine() -> None:
    link = "http://127.0.0.1:8765/x"
    assert _is_safe(link, HERE)
    assert not _is_safe(link, PULSOID)


@pytest.mark.process
@pytest.mark.parametrize(
    ("status", "content", "words"),
    [
        (401, {"error": "invalid_client"}, "does not know this client id"),
        (400, {"error": "invalid_scope"}, "no token with the scope data:room:read"),
        (400, {"error": "unauthorized_client"}, "no login by device flow"),
        (404, b"<html>", "has no login by device flow"),
        (400, {"error_code": 7008, "error_message": "insufficient_scope"}, r"\(400, insufficient_scope\)"),
        (400, {"error": "\x1b[2J"}, r"refused the login \(400\)"),
        (200, b"<html>", r"refused the login \(200\)"),
        (200, b'{"user_code":"\xff"}', r"refused the login \(200\)"),
        (200, {"error": "invalid_client"}, "does not know this client id"),
        (302, b"", r"refused the login \(302\)"),
    ],
)
async def test_a_login_that_cannot_begin_is_one_clear_sentence(status: int, content: Any, words: str) -> None:
    with pytest.raises(RefusedError, match=words) as error:
        await begin(content, status)
    assert str(error.value).isprintable()


@pytest.mark.process
@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (400, "access_denied", "Access was denied"),
        (400, "expired_token", "expired before access was allowed"),
        (400, "invalid_grant", "no longer accepts the code"),
        (401, "invalid_client", "does not know this client id"),
        (418, "teapot", r"refused the login \(418, teapot\)"),
        (200, "access_denied", "Access was denied"),
    ],
)
async def test_a_refusal_while_waiting_ends_it(status: int, error: str, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        await wait(says(400, {"error": "authorization_pending"}), says(status, {"error": error}))


@pytest.mark.process
async def test_pending_waits_slow_down_waits_longer_and_faults_are_asked_again() -> None:
    pair = {"access_token": "access-token-1", "refresh_token": "refresh-token-1", "expires_in": 60, "other": 1}
    pending = says(400, {"error": "authorization_pending"})
    got, server = await wait(pending, says(200, {"error": "slow_down"}), pending, says(503, b""), b"", says(200, pair))
    assert got == {"access_token": "access-token-1", "refresh_token": "refresh-token-1", "expires_in": 60}
    waited = [later - earlier for earlier, later in zip(server.visited_at, server.visited_at[1:], strict=False)]
    assert len(waited) == 5
    assert min(waited[1:]) >= 0.2


@pytest.mark.process
async def test_a_code_that_nobody_answers_expires_and_the_last_fault_is_named() -> None:
    device = replace(DEVICE, life_s=0.2)
    with pytest.raises(RefusedError, match=r"expired before access was allowed\. Run"):
        await wait(says(400, {"error": "authorization_pending"}), device=device)
    with pytest.raises(RefusedError, match=r"expired before access was allowed \(.*closed the connection"):
        await wait(b"", device=device)


@pytest.mark.process
@pytest.mark.parametrize(
    "content",
    [
        b"<html>",
        {},
        {"access_token": ""},
        {"access_token": "a b"},
        {"access_token": "a\r\nX-Evil: 1"},
        {"access_token": 1},
    ],
)
async def test_an_answer_without_what_can_be_a_token_is_refused(content: Any) -> None:
    with pytest.raises(RefusedError, match="no access token, or what cannot be one") as error:
        await wait(says(200, content))
    assert "Evil" not in str(error.value)


@pytest.mark.process
async def test_a_refresh_token_may_be_missing_or_unusable() -> None:
    got, _ = await wait(says(200, {"access_token": "access-token-1", "refresh_token": "no token"}))
    assert got == {"access_token": "access-token-1", "expires_in": None}


@pytest.mark.process
async def test_cancelled_it_ends_at_once() -> None:
    with trio.move_on_after(0.1) as scope:
        await wait(says(400, {"error": "authorization_pending"}), device=replace(DEVICE, interval_s=60, life_s=600))
    assert scope.cancelled_caught
