"""A connection to a server: open it, with TLS and a WebSocket, and tell in words why there is none."""

import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from importlib.metadata import version

import trio
from trio_websocket import ConnectionRejected, WebSocketConnection, wrap_client_stream

from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.connection.watched_stream import QUEUED_MESSAGES, WatchedStream, Wire

CONNECT_TIMEOUT_S = 10.0
LARGEST_MESSAGE_BYTES = 4 * 2**20
USER_AGENT = f"pulsoid-rec/{version('pulsoid-rec')}"
_SWITCHING_PROTOCOLS = 101
_RECEIVE_BYTES = 64 * 2**10


class CannotConnectError(Exception):
    """No connection came about: why, and the HTTP status where the server gave one."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason, status)
        self.reason = reason
        self.status = status


async def open_stream(server: ServerUrl) -> WatchedStream:
    """Connect to the server, and agree on TLS where it is due, within 10 s.

    Raises
    ------
    CannotConnectError
        Nobody answers there, or its certificate is not good.
    """
    try:
        with trio.fail_after(CONNECT_TIMEOUT_S):
            return await _open_stream(server)
    except trio.TooSlowError:
        raise no_answer(server) from None


async def _open_stream(server: ServerUrl) -> WatchedStream:
    try:
        wire = Wire(await trio.open_tcp_stream(server.host, server.port))
    except OSError as error:
        raise CannotConnectError(f"no connection to {server.authority}: {_system_words(error)}") from None
    if server.tls is None:
        return WatchedStream(wire, wire)
    secure = trio.SSLStream(wire, server.tls, server_hostname=server.host, https_compatible=True)
    try:
        await secure.do_handshake()
    except trio.BrokenResourceError as error:
        await trio.aclose_forcefully(wire)
        why = _tls_words(error.__cause__)
        raise CannotConnectError(f"no safe connection to {server.authority}: {why}") from None
    except BaseException:
        await trio.aclose_forcefully(wire)
        raise
    return WatchedStream(secure, wire)


def _system_words(error: OSError) -> str:
    """Say what went wrong; where several addresses were tried, with the first of them."""
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.errno and cause.strerror):
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__
    if isinstance(cause, socket.gaierror):
        return "its name is not known"
    return (os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else str(error)).lower()


def _tls_words(cause: BaseException | None) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted ({cause.verify_message})"
    if isinstance(cause, ssl.SSLEOFError | OSError) and not getattr(cause, "reason", None):
        return "it hung up before TLS was agreed on"
    return f"it does not speak TLS as we do ({getattr(cause, 'reason', None) or cause or 'it hung up'})"


def no_answer(server: ServerUrl) -> CannotConnectError:
    """Say that the server lets us wait."""
    return CannotConnectError(f"{server.authority} does not answer")


class Reader:
    """Where trio-websocket's reader runs, which takes this for its nursery: apart from whoever receives.

    When it ends, fails or is stopped, what it has read can still be received. Whatever the server may have sent, it
    cannot make us raise.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._scope = trio.CancelScope()
        self.ended = trio.Event()
        self.failure: Exception | None = None
        """What ended it, other than the end of the connection."""

    def start_soon(self, read: Callable[[], Awaitable[None]]) -> None:
        """Run the library's reader."""
        self._nursery.start_soon(self._run, read)

    async def _run(self, read: Callable[[], Awaitable[None]]) -> None:
        try:
            with self._scope:
                await read()
        except Exception as error:  # noqa: BLE001 - the library has more than one for a server that talks nonsense
            self.failure = error
        finally:
            self.ended.set()

    def stop(self) -> None:
        """Read no further."""
        self._scope.cancel()


async def open_websocket(
    reader: Reader, stream: WatchedStream, server: ServerUrl, path: str, token: str
) -> WebSocketConnection:
    """Ask for the upgrade, and return the WebSocket, within 10 s. No redirect is followed.

    Raises
    ------
    CannotConnectError
        The server answered with something else, not at all, or hung up.
    """
    websocket: WebSocketConnection | None = None
    async with trio.open_nursery() as opening:
        opening.cancel_scope.deadline = trio.current_time() + CONNECT_TIMEOUT_S

        async def give_up_at_the_end() -> None:
            await reader.ended.wait()
            opening.cancel_scope.cancel()

        opening.start_soon(give_up_at_the_end)
        websocket = await wrap_client_stream(
            reader,  # type: ignore[arg-type] # of a nursery it asks for `start_soon` alone
            stream,  # type: ignore[arg-type] # and of a stream what every stream has
            server.authority,
            path,
            extra_headers=[(b"Authorization", b"Bearer " + token.encode()), (b"User-Agent", USER_AGENT.encode())],
            message_queue_size=QUEUED_MESSAGES,
            max_message_size=LARGEST_MESSAGE_BYTES,
            receive_buffer_size=_RECEIVE_BYTES,
        )
        opening.cancel_scope.cancel()
    if websocket is None:
        raise _no_upgrade(server, stream, reader)
    return websocket


def _no_upgrade(server: ServerUrl, stream: WatchedStream, reader: Reader) -> CannotConnectError:
    # The library tells of a refusal after its last byte only, which may never come.
    status = reader.failure.status_code if isinstance(reader.failure, ConnectionRejected) else stream.http_status
    if status is not None and status != _SWITCHING_PROTOCOLS:
        return CannotConnectError(f"the server answered {status} instead of opening a WebSocket", status)
    if stream.is_answered:
        return CannotConnectError("what the server answered does not open a WebSocket")
    if reader.ended.is_set():
        return CannotConnectError("the server hung up before it answered")
    return no_answer(server)
