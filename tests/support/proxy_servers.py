"""Proxies: HTTP CONNECT, SOCKS4 and SOCKS5. Whatever server is asked for, they lead to one on this machine."""

import base64
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import trio

_GONE = (trio.BrokenResourceError, trio.ClosedResourceError, EOFError)


@dataclass
class ProxyServer:
    """What a proxy was asked for, and what it answers."""

    port: int
    user: str
    password: str
    refusal: int | None
    """HTTP's status, or SOCKS' code, instead of a connection."""
    targets: list[str] = field(default_factory=list)
    connections: int = 0
    """Those open now."""


Shake = Callable[["_Reader", ProxyServer], Awaitable[bool]]
"""Receives a request and answers it; returns whether a connection is to follow."""


@asynccontextmanager
async def open_proxy(
    shake: Shake,
    target_port: int,
    *,
    user: str = "",
    password: str = "",
    refusal: int | None = None,
    tls: ssl.SSLContext | None = None,
    port: int = 0,
) -> AsyncIterator[ProxyServer]:
    """Serve on this machine until the block ends."""
    [listener] = await trio.open_tcp_listeners(port, host="127.0.0.1")
    proxy = ProxyServer(listener.socket.getsockname()[1], user, password, refusal)

    async def serve(wire: trio.SocketStream) -> None:
        proxy.connections += 1
        stream = wire if tls is None else trio.SSLStream(wire, tls, server_side=True, https_compatible=True)
        with suppress(*_GONE):
            if await shake(_Reader(stream), proxy):
                await _relay(stream, await trio.open_tcp_stream("127.0.0.1", target_port))
        await trio.aclose_forcefully(stream)
        proxy.connections -= 1

    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, serve, [listener])
        yield proxy
        nursery.cancel_scope.cancel()


async def http(reader: "_Reader", proxy: ProxyServer) -> bool:
    """Answer a CONNECT, in two pieces."""
    lines = (await reader.until(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = lines[0].split(" ")
    assert method == "CONNECT"
    assert f"Host: {target}" in lines
    proxy.targets.append(target)
    credentials = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
    sent = [line for line in lines if line.startswith("Proxy-Authorization")]
    if sent != ([f"Proxy-Authorization: Basic {credentials}"] if proxy.user else []):
        await reader.send(b'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 2\r\n\r\nno')
        return False
    if proxy.refusal is not None:
        await reader.send(f"HTTP/1.1 {proxy.refusal} No\r\nContent-Length: 2\r\n\r\nno".encode())
        return False
    await reader.send(b"HTTP/1.0 200 Connection established\r\nVia: pro")
    await trio.sleep(0.01)
    await reader.send(b"xy\r\n\r\n")
    return True


async def socks5(reader: "_Reader", proxy: ProxyServer) -> bool:
    """Answer as RFC 1928 and RFC 1929 have it."""
    _, count = await reader.take(2)
    wanted = 2 if proxy.user else 0
    if wanted not in await reader.take(count):
        await reader.send(b"\x05\xff")
        return False
    await reader.send(bytes([5, wanted]))
    if wanted:
        await reader.take(1)
        given = [await reader.take((await reader.take(1))[0]) for _ in range(2)]
        is_right = given == [proxy.user.encode(), proxy.password.encode()]
        await reader.send(bytes([1, not is_right]))
        if not is_right:
            return False
    _, _, _, kind = await reader.take(4)
    if kind == 3:
        host = (await reader.take((await reader.take(1))[0])).decode()
    else:
        host = socket.inet_ntop(
            *((socket.AF_INET, await reader.take(4)) if kind == 1 else (socket.AF_INET6, await reader.take(16)))
        )
    port = int.from_bytes(await reader.take(2))
    proxy.targets.append(f"{host}:{port}")
    await reader.send(bytes([5, proxy.refusal or 0, 0, 1, 0, 0, 0, 0, 0, 0]))
    return proxy.refusal is None


async def socks4(reader: "_Reader", proxy: ProxyServer) -> bool:
    """Answer as SOCKS4, and 4A, which has the server's name."""
    await reader.take(2)
    port = int.from_bytes(await reader.take(2))
    address = await reader.take(4)
    user = (await reader.until(b"\0"))[:-1].decode()
    has_name = address[:3] == bytes(3)
    host = (await reader.until(b"\0"))[:-1].decode() if has_name else socket.inet_ntoa(address)
    proxy.targets.append(f"{host}:{port}")
    refusal = proxy.refusal or (0x5D if user != proxy.user else None)
    await reader.send(bytes([0, refusal or 0x5A, 0, 0, 0, 0, 0, 0]))
    return refusal is None


class _Reader:
    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.send = stream.send_all

    async def take(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = await self._stream.receive_some(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    async def until(self, end: bytes) -> bytes:
        data = b""
        while not data.endswith(end):
            data += await self.take(1)
        return data


async def _relay(one: trio.abc.Stream, other: trio.abc.Stream) -> None:
    async def pump(source: trio.abc.Stream, to: trio.abc.Stream) -> None:
        with suppress(*_GONE):
            while data := await source.receive_some():
                await to.send_all(data)
        nursery.cancel_scope.cancel()

    async with other, trio.open_nursery() as nursery:
        nursery.start_soon(pump, one, other)
        nursery.start_soon(pump, other, one)
