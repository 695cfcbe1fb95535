"""Clients of the simulator that share no code with it: a WebSocket's, and plain HTTP's."""

import http.client
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
import trio
from simulator_control import ControlledSimulator
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, wrap_client_stream

from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

ALL_KINDS = "heart_rate,room_member_updated,room_member_removed,room_updated"
BEARER = {"Authorization": f"Bearer {DEMO_TOKEN}"}


def path(room_id: str = "demo", **query: str) -> str:
    return f"/api/v2/data/rooms/{room_id}/real_time" + (f"?{urlencode(query)}" if query else "")


@asynccontextmanager
async def open_client(
    port: int, resource: str, headers: dict[str, str], tls: ssl.SSLContext | None = None
) -> AsyncIterator[WebSocketConnection]:
    """Connect with the library's client, on a stream of ours: the library leaves its own open in some cases."""
    tcp = await trio.open_tcp_stream("127.0.0.1", port)
    stream: trio.SocketStream | trio.SSLStream[trio.SocketStream] = tcp
    if tls is not None:
        stream = trio.SSLStream(tcp, tls, server_hostname="127.0.0.1", https_compatible=True)
    extra = [(name.encode(), value.encode()) for name, value in headers.items()]
    try:
        async with trio.open_nursery() as nursery:
            with trio.fail_after(5):
                websocket = await wrap_client_stream(
                    nursery, stream, "127.0.0.1", resource, extra_headers=extra, message_queue_size=1000
                )
            yield websocket
            with trio.move_on_after(0.5):
                await websocket.aclose()
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise
    finally:
        await trio.aclose_forcefully(stream)


@asynccontextmanager
async def connect(
    simulator: ControlledSimulator, room_id: str = "demo", *, kinds: str | None = ALL_KINDS, token: str = DEMO_TOKEN
) -> AsyncIterator[WebSocketConnection]:
    resource = path(room_id) if kinds is None else path(room_id, kinds=kinds)
    expected = simulator.connected(room_id) + 1
    async with open_client(simulator.port, resource, {"Authorization": f"Bearer {token}"}) as websocket:
        with trio.fail_after(5):
            await simulator.wait_for_clients(room_id, expected)
        yield websocket


async def texts(websocket: WebSocketConnection, count: int) -> list[str]:
    received = []
    with trio.fail_after(30):
        for _ in range(count):
            text = await websocket.get_message()
            assert isinstance(text, str)
            received.append(text)
    return received


async def messages(websocket: WebSocketConnection, count: int) -> list[dict[str, Any]]:
    return [json.loads(text) for text in await texts(websocket, count)]


async def kinds_of(websocket: WebSocketConnection, count: int) -> list[str]:
    return [message["kind"] for message in await messages(websocket, count)]


async def closing(websocket: WebSocketConnection) -> tuple[int, str | None]:
    """Read to the end, and return the close code and reason."""
    with trio.fail_after(5):
        try:
            while True:
                await websocket.get_message()
        except ConnectionClosed:
            reason = websocket.closed
    assert reason is not None
    return reason.code, reason.reason


async def refusal(
    simulator: ControlledSimulator, resource: str, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """Try to connect; return the HTTP status of the refusal, and its content."""
    with pytest.raises(ConnectionRejected) as caught:
        async with open_client(simulator.port, resource, headers or {}):
            pass
    return caught.value.status_code, json.loads(caught.value.body or b"null")


async def ask(
    simulator: ControlledSimulator,
    method: str,
    resource: str,
    headers: dict[str, str] | None = None,
    body: str | None = None,
) -> tuple[int, Any]:
    """Send a plain HTTP request with the standard library's client; return status and content."""

    def request() -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=5)
        try:
            connection.request(method, resource, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    return await trio.to_thread.run_sync(request)
