"""A connection to a room: open it, watch it, and tell in words how it ended.

Only here is trio-websocket spoken to. The bytes pass through a stream of our own that notes when the last ones came,
and what the server said before the WebSocket began, since the library tells neither.
"""

import contextlib
import os
import re
import socket
import ssl
from importlib.metadata import version

import trio
from trio_websocket import ConnectionRejected, WebSocketConnection, wrap_client_stream

from recorder.server import Server

CONNECT_TIMEOUT_S = 10.0
LARGEST_MESSAGE_BYTES = 4 * 2**20
QUEUED_MESSAGES = 64
_RECEIVE_BYTES = 64 * 2**10
_USER_AGENT = f"pulsoid-rec/{version('pulsoid-rec')}".encode()


class CannotConnectError(Exception):
    """No connection came about: why, and the HTTP status where the server gave one."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason, status)
        self.reason = reason
        self.status = status


class WatchedStream(trio.abc.Stream):
    """Passes bytes on, and knows when the last ones came, whether more can come, and how the server first answered."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._head = b""
        self.received_at = trio.current_time()
        self.ended = trio.Event()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive, as the stream below does."""
        try:
            data = await self._stream.receive_some(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.ended.set()
            raise
        self.received_at = trio.current_time()
        if not data:
            self.ended.set()
        elif len(self._head) < _STATUS_LINE_BYTES:
            self._head += data[:_STATUS_LINE_BYTES]
        return data

    @property
    def http_status(self) -> int | None:
        """Status of the server's first answer."""
        found = re.match(rb"HTTP/1\.[01] (\d{3})\b", self._head)
        return int(found[1]) if found else None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, if that is still possible.

        A failure is not raised: trio-websocket would stop reading, with messages that arrived still unread, because an
        answer to a ping cannot be sent. That the peer is gone shows in `receive_some`, after its last byte.
        """
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait, as the stream below does."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream below."""
        self.ended.set()
        await self._stream.aclose()


_STATUS_LINE_BYTES = 32


async def open_stream(server: Server) -> WatchedStream:
    """Connect to the server, and agree on TLS where it is due.

    Raises
    ------
    CannotConnectError
        Nobody answers there, or its certificate is not good.
    """
    try:
        stream = await trio.open_tcp_stream(server.host, server.port)
    except OSError as error:
        raise CannotConnectError(f"no connection to {server.authority}: {_system_words(error)}") from None
    if server.tls is None:
        return WatchedStream(stream)
    secure = trio.SSLStream(stream, server.tls, server_hostname=server.host, https_compatible=True)
    try:
        await secure.do_handshake()
    except trio.BrokenResourceError as error:
        await trio.aclose_forcefully(stream)
        cause = error.__cause__
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = f"its certificate is not to be trusted ({cause.verify_message})"
        else:
            why = f"no TLS ({getattr(cause, 'reason', None) or cause or 'it hung up'})"
        raise CannotConnectError(f"no safe connection to {server.authority}: {why}") from None
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return WatchedStream(secure)


def _system_words(error: OSError) -> str:
    """Say what went wrong; where several addresses were tried, with the first of them."""
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.errno and cause.strerror):
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__
    if isinstance(cause, socket.gaierror):
        return "its name is not known"
    return (os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else str(error)).lower()


async def open_websocket(
    nursery: trio.Nursery, stream: WatchedStream, server: Server, path: str, token: str
) -> WebSocketConnection:
    """Ask for the upgrade, and return the WebSocket; its reader runs in the nursery.

    Raises
    ------
    CannotConnectError
        The server answered with something else, or hung up. `ConnectionRejected` may come out of the nursery instead:
        see `rejection`.
    """
    websocket: WebSocketConnection | None = None
    async with trio.open_nursery() as waiting:

        async def give_up_at_the_end() -> None:
            await stream.ended.wait()
            waiting.cancel_scope.cancel()

        waiting.start_soon(give_up_at_the_end)
        websocket = await wrap_client_stream(
            nursery,
            stream,  # type: ignore[arg-type] # it asks for a socket's stream, and uses what every stream has
            server.authority,
            path,
            extra_headers=[(b"Authorization", b"Bearer " + token.encode()), (b"User-Agent", _USER_AGENT)],
            message_queue_size=QUEUED_MESSAGES,
            max_message_size=LARGEST_MESSAGE_BYTES,
            receive_buffer_size=_RECEIVE_BYTES,
        )
        waiting.cancel_scope.cancel()
    if websocket is None:
        raise CannotConnectError(*_no_upgrade(stream.http_status))
    return websocket


def rejection(error: ConnectionRejected) -> CannotConnectError:
    """Say in words what `open_websocket` let out of the nursery."""
    return CannotConnectError(*_no_upgrade(error.status_code))


def _no_upgrade(status: int | None) -> tuple[str, int | None]:
    if status is None:
        return "the server hung up before it answered", None
    return f"the server answered {status} instead of opening a WebSocket", status
