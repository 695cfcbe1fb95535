"""A Pulsoid server that numbers what it sends and notes when, so that a test can tell what a crash may have cost.

It speaks just enough HTTP and WebSocket for that, and shares no code with the recorder. Each reading is sent once, on
one connection; its number is in its timestamp, and again in its member and bpm.
"""

import base64
import hashlib
import itertools
import json
import re
import time
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import trio

TOKEN = "numbered-token"
MEMBERS = 7
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VALID = json.dumps({"client_id": "c", "expires_in": 10**7, "profile_id": "p0", "scopes": ["data:room:read"]}).encode()


def occurred_at(number: int) -> datetime:
    """When the reading of this number says it was taken."""
    return _EPOCH + timedelta(milliseconds=number)


NUMBER = "epoch_ms(occurred_at) - epoch_ms(TIMESTAMPTZ '2024-01-01 00:00:00Z')"
"""In SQL: the number of a reading that is stored."""
IS_AS_SENT = f"profile_id = 'p' || (({NUMBER}) % {MEMBERS}) AND bpm = 40 + ({NUMBER}) % 150"
"""In SQL: whether the other columns say the same."""


def _message(number: int) -> bytes:
    at = occurred_at(number).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    reading = {"profile_id": f"p{number % MEMBERS}", "bpm": 40 + number % 150}
    return json.dumps({"kind": "heart_rate", "timestamp": at, "heart_rate": reading}, separators=(",", ":")).encode()


def _frame(payload: bytes) -> bytes:
    size = len(payload)
    return b"\x81" + (bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")) + payload


@dataclass
class Sent:
    """The readings of one connection: their numbers, and when each was with the system, by `time.monotonic`."""

    room_id: str
    port: int  # the client's
    numbers: "array[int]" = field(default_factory=lambda: array("q"))
    at: "array[float]" = field(default_factory=lambda: array("d"))
    frames: "array[int]" = field(default_factory=lambda: array("q"))
    """Where each ends in the stream, in bytes after the handshake."""
    was_cut: bool = False
    stopped_at: float | None = None
    """When its recorder was killed or, before that, told to end: what comes after that need not be recorded."""
    unread: frozenset[int] = frozenset()
    """What its recorder had not got from the system when it was killed."""
    writing: trio.Lock = field(default_factory=trio.Lock)


class NumberedServer:
    """The server, running; made by `open_numbered_server`.

    Parameters
    ----------
    per_second
        Readings a second to each connection.
    """

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self.port = 0
        self.connections: list[Sent] = []
        self.answers_close = True
        """Whether it answers a close frame; a peer that does not must not hold the end."""
        self.answers_token_check = True
        self.answers_upgrade = True
        self.is_sending = True
        self.asked = 0
        """Requests that came so far."""
        self._streams: dict[int, trio.SocketStream] = {}
        self._numbers = itertools.count()

    @property
    def url(self) -> str:
        """What `--server` takes."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def sent(self) -> int:
        """Readings sent so far."""
        return sum(len(sent.numbers) for sent in self.connections)

    @property
    def live(self) -> list[Sent]:
        """The connections that live."""
        return [sent for sent in self.connections if sent.port in self._streams]

    async def cut(self, sent: Sent) -> None:
        """Cut a connection; what the client has not read by then may be lost."""
        sent.was_cut = True
        stream = self._streams.get(sent.port)
        if stream is not None:
            await trio.aclose_forcefully(stream)

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection, whatever the client does."""
        try:
            request = b""
            while b"\r\n\r\n" not in request:
                data = await stream.receive_some()
                if not data:
                    return
                request += data
            self.asked += 1
            if b"/token/validate" in request:
                await self._answer_token_check(stream, request)
            else:
                await self._stream_readings(stream, request)
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async def _answer_token_check(self, stream: trio.SocketStream, request: bytes) -> None:
        assert f"Bearer {TOKEN}".encode() in request
        if not self.answers_token_check:
            await trio.sleep_forever()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        await stream.send_all(head % len(_VALID) + _VALID)

    async def _stream_readings(self, stream: trio.SocketStream, request: bytes) -> None:
        if not self.answers_upgrade:
            await trio.sleep_forever()
        key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)
        path = re.match(rb"GET /api/v2/data/rooms/([^/]+)/real_time", request)
        assert key is not None
        assert path is not None
        accept = base64.b64encode(hashlib.sha1(key[1] + _MAGIC).digest())
        upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        await stream.send_all(upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        sent = Sent(path[1].decode(), stream.socket.getpeername()[1])
        self.connections.append(sent)
        self._streams[sent.port] = stream
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send, stream, sent, nursery.cancel_scope)
                await self._wait_for_close(stream, sent)
                nursery.cancel_scope.cancel()
        finally:
            del self._streams[sent.port]

    async def _send(self, stream: trio.SocketStream, sent: Sent, everything: trio.CancelScope) -> None:
        try:
            due_at, position = trio.current_time(), 0
            while True:
                due_at += 1 / self.per_second
                await trio.sleep_until(due_at)
                if not self.is_sending:
                    continue
                number = next(self._numbers)
                frame = _frame(_message(number))
                position += len(frame)
                with trio.CancelScope(shield=True):  # sent whole or, if the connection breaks, not counted
                    async with sent.writing:
                        await stream.send_all(frame)
                sent.numbers.append(number)
                sent.at.append(time.monotonic())
                sent.frames.append(position)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            everything.cancel()

    async def _wait_for_close(self, stream: trio.SocketStream, sent: Sent) -> None:
        """Read until the client hangs up, and answer its pings and its goodbye."""
        while data := await stream.receive_some():
            opcode = data[0] & 15
            if opcode == 8:
                if not self.answers_close:
                    continue
                async with sent.writing:
                    await stream.send_all(b"\x88\x02\x03\xe8")
                return
            if opcode == 9:
                mask, body = data[2:6], data[6 : 6 + (data[1] & 127)]
                payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(body))
                async with sent.writing:
                    await stream.send_all(b"\x8a" + bytes([len(payload)]) + payload)


@asynccontextmanager
async def open_numbered_server(per_second: float = 200) -> AsyncIterator[NumberedServer]:
    """Serve on loopback until the block ends."""
    server = NumberedServer(per_second)
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server.port = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, server.serve, listeners)
        yield server
        nursery.cancel_scope.cancel()
