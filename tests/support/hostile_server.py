"""A server that misbehaves: plain TCP, and a script for each connection."""

import base64
import hashlib
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import trio

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 0x1, 0x2, 0x8, 0x9, 0xA, 0x0
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError, OSError, ssl.SSLError)
VALID = b'{"client_id":"c","expires_in":10000000,"profile_id":"p","scopes":["data:room:read"]}'


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, flags: int = 0) -> bytes:
    """Make a WebSocket frame as a server sends it."""
    head = bytes([opcode | flags | (0x80 if final else 0)])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 2**16:
        return head + b"\x7e" + struct.pack("!H", len(payload)) + payload
    return head + b"\x7f" + struct.pack("!Q", len(payload)) + payload


def text(content: str | bytes) -> bytes:
    """Make a text frame."""
    return frame(TEXT, content.encode() if isinstance(content, str) else content)


def reading(number: int, bpm: int = 72) -> str:
    """Make a numbered reading, as the room sends it."""
    return (
        f'{{"kind":"heart_rate","timestamp":"2024-01-15T10:30:00Z","heart_rate":'
        f'{{"profile_id":"user-{number}","bpm":{bpm}}}}}'
    )


def close(code: int, reason: str = "") -> bytes:
    """Make a close frame."""
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())


def answer(status: int | str, body: bytes = b"", *lines: str, length: bool = True) -> bytes:
    """Make an HTTP answer; without a length its end is that of the connection."""
    head = [f"HTTP/1.1 {status} Whatever", *lines]
    if length:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


@dataclass
class Visit:
    """A client's connection: its request, and what the server can do with it."""

    stream: trio.abc.Stream
    wire: trio.SocketStream
    head: bytes

    async def accept(self, *frames: bytes, lines: str = "") -> None:
        """Open the WebSocket, and send frames with the same packet."""
        found = re.search(rb"(?i)sec-websocket-key: (\S+)", self.head)
        assert found is not None
        key = base64.b64encode(hashlib.sha1(found[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        await self.send(f"{head}Sec-WebSocket-Accept: {key}\r\n{lines}\r\n".encode("latin-1") + b"".join(frames))

    async def send(self, *pieces: bytes) -> None:
        """Send bytes."""
        await self.stream.send_all(b"".join(pieces))

    async def receive(self) -> bytes:
        """Receive what the client sends next; nothing when it has closed the connection."""
        try:
            return bytes(await self.stream.receive_some())
        except _GONE:
            return b""

    async def until_gone(self) -> bytes:
        """Wait until the client has closed the connection; return all it sent."""
        said = b""
        while data := await self.receive():
            said += data
        return said

    async def reset(self) -> None:
        """Reset the connection, so that what the client sends is refused."""
        self.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await trio.aclose_forcefully(self.wire)


Act = Callable[[Visit], Awaitable[None]]


@dataclass
class HostileServer:
    """What the server received."""

    url: str
    port: int
    heads: list[bytes] = field(default_factory=list)
    visited_at: list[float] = field(default_factory=list)


@asynccontextmanager
async def open_hostile_server(
    *acts: Act, tls: ssl.SSLContext | None = None, validate: bytes = answer(200, VALID)
) -> AsyncIterator[HostileServer]:
    """Handle each connection with the next act, and all later ones with the last; then close it.

    The check of the token is answered with `validate`, and is no visit.
    """
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    server = HostileServer(f"{'wss' if tls else 'ws'}://localhost:{port}", port)
    left = list(acts)

    async def serve(wire: trio.SocketStream) -> None:
        stream: trio.abc.Stream = wire
        if tls is not None:
            stream = trio.SSLStream(wire, tls, server_side=True, https_compatible=True)
        with suppress(*_GONE):
            head = b""
            while not (head.startswith(b"\x16") or b"\r\n\r\n" in head):
                if not (data := await stream.receive_some()):
                    return
                head += data
            if head.startswith(b"\x16"):  # it begins with TLS, and is answered as by any plain web server
                await stream.send_all(answer(400, b"Bad request"))
                return
            if b"/token/validate" in head:
                await stream.send_all(validate)
                return
            server.heads.append(head)
            server.visited_at.append(trio.current_time())
            await (left.pop(0) if len(left) > 1 else left[0])(Visit(stream, wire, head))
        await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, serve, [listener])
        yield server
        nursery.cancel_scope.cancel()
