"""Open a connection to the server: TCP, TLS and the WebSocket upgrade."""

import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version

import trio
from trio_websocket import ConnectionRejected, WebSocketConnection, wrap_client_stream

from pulsoid_rec.recorder.connection.http_fields import parse_origin, parse_retry_after
from pulsoid_rec.recorder.connection.poller import Poller
from pulsoid_rec.recorder.connection.proxy import ProxyError, find_proxy
from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.connection.watched_stream import WatchedStream
from pulsoid_rec.recorder.connection.wire import Wire
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.contract.wording import format_duration

USER_AGENT = f"pulsoid-rec/{version('pulsoid-rec')}"
_RECEIVE_BYTES = 64 * 2**10


class CannotConnectError(Exception):
    """Why there is no connection, with the HTTP status if the server sent one, and how long it requires to wait."""

    def __init__(self, reason: str, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(reason, status, retry_after_s)
        self.reason = reason
        self.status = status
        self.retry_after_s = retry_after_s


@contextmanager
def fail_after(timeout_s: float, server: str) -> Iterator[None]:
    """Raise `CannotConnectError` if the server, named in the message, takes longer than `timeout_s`."""
    try:
        with trio.fail_after(timeout_s):
            yield
    except trio.TooSlowError:
        raise _timeout_error(server) from None


def _timeout_error(server: str) -> CannotConnectError:
    return CannotConnectError(f"{server} does not answer")


async def open_stream(
    server_url: ServerUrl,
    timings: Timings = DEFAULT_TIMINGS,
    limits: Limits = DEFAULT_LIMITS,
    poller: Poller | None = None,
) -> WatchedStream:
    """Connect with TCP, through a proxy if one is set, and with TLS for `wss`.

    Raises `CannotConnectError` without an answer or a trusted certificate, `UsageError` if the proxy's setting is
    invalid.
    """
    with fail_after(timings.connect_timeout_s, f"the system's choice of a proxy for {server_url.authority}"):
        # In a thread, since some systems look names up to choose a proxy.
        proxy = await trio.to_thread.run_sync(find_proxy, server_url, abandon_on_cancel=True)
    via = f" (through the proxy {proxy.authority})" if proxy else ""
    with fail_after(timings.connect_timeout_s, server_url.authority + via):
        try:
            open_tcp = proxy.open_tunnel if proxy else trio.open_tcp_stream
            wire = Wire(await open_tcp(server_url.host, server_url.port), poller)
        except ProxyError as error:
            raise CannotConnectError(str(error)) from None
        except OSError as error:
            peer = f"the proxy {proxy.authority}" if proxy else server_url.authority
            raise CannotConnectError(f"no connection to {peer}: {_format_os_error(error)}") from None
        if server_url.tls is None:
            return WatchedStream(wire, wire, limits)
        stream = trio.SSLStream(wire, server_url.tls, server_hostname=server_url.host, https_compatible=True)
        try:
            await stream.do_handshake()
        except BaseException as error:
            await trio.aclose_forcefully(wire)
            if not isinstance(error, trio.BrokenResourceError):
                raise
            why = _format_tls_error(error.__cause__)
            raise CannotConnectError(f"no TLS connection to {server_url.authority}{via}: {why}") from None
        return WatchedStream(stream, wire, limits)


def _format_os_error(error: OSError) -> str:
    """Describe the error; where several addresses were tried, that of the first."""
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.errno and cause.strerror):
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__
    if isinstance(cause, socket.gaierror):
        return "host not found"
    return (os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else str(error)).lower()


def _format_tls_error(cause: BaseException | None) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message})"
    if isinstance(cause, ssl.SSLEOFError | OSError) and not getattr(cause, "reason", None):
        return "it closed the connection during the handshake"
    return f"the handshake failed ({getattr(cause, 'reason', None) or cause or 'connection closed'})"


class ReaderTask:
    """Runs trio-websocket's reader, which takes this for its nursery, apart from the task that receives.

    When it ends, fails or is stopped, what it has read can still be received; its errors are kept, not raised.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._scope = trio.CancelScope()
        self.ended = trio.Event()
        self.error: Exception | None = None
        """What ended it, other than the end of the connection."""

    def start_soon(self, read: Callable[[], Awaitable[None]]) -> None:
        """Start the library's reader."""
        self._nursery.start_soon(self._run, read)

    async def _run(self, read: Callable[[], Awaitable[None]]) -> None:
        try:
            with self._scope:
                await read()
        except Exception as error:  # noqa: BLE001 - the library raises several kinds for invalid data
            self.error = error
        finally:
            self.ended.set()

    def stop(self) -> None:
        """Stop reading."""
        self._scope.cancel()


async def open_websocket(
    reader: ReaderTask,
    stream: WatchedStream,
    server_url: ServerUrl,
    path: str,
    token: str,
    *,
    timings: Timings = DEFAULT_TIMINGS,
) -> WebSocketConnection:
    """Request the upgrade and return the WebSocket; `CannotConnectError` if there is none. Follows no redirect."""
    websocket: WebSocketConnection | None = None
    async with trio.open_nursery() as opening:
        opening.cancel_scope.deadline = trio.current_time() + timings.connect_timeout_s

        async def cancel_when_reader_ends() -> None:
            await reader.ended.wait()
            opening.cancel_scope.cancel()

        opening.start_soon(cancel_when_reader_ends)
        websocket = await wrap_client_stream(
            reader,  # type: ignore[arg-type] # it uses only a nursery's `start_soon`
            stream,  # type: ignore[arg-type] # and of a stream only the methods of every stream
            server_url.authority,
            path,
            extra_headers=[(b"Authorization", b"Bearer " + token.encode()), (b"User-Agent", USER_AGENT.encode())],
            max_message_size=0,  # the stream takes all messages, and leaves the library what it is to fail at
            receive_buffer_size=_RECEIVE_BYTES,
        )
        opening.cancel_scope.cancel()
    if websocket is None:
        raise _upgrade_error(server_url, stream, reader)
    return websocket


def _upgrade_error(server_url: ServerUrl, stream: WatchedStream, reader: ReaderTask) -> CannotConnectError:
    # The library reports a refusal only after its last byte, which may never come.
    status = reader.error.status_code if isinstance(reader.error, ConnectionRejected) else stream.http_status
    if status not in (None, HTTPStatus.SWITCHING_PROTOCOLS):
        reason = f"the server answered {status} instead of opening a WebSocket"
        origin = parse_origin(stream.http_header("Location"))
        if origin:
            reason += f", and points to {origin}"
        retry_after_s = parse_retry_after(stream.http_header("Retry-After"), datetime.now(UTC))
        if retry_after_s is not None:
            reason += f", and requires a wait of {format_duration(retry_after_s)}"
        return CannotConnectError(reason, status, retry_after_s)
    if not reader.ended.is_set():
        return _timeout_error(server_url.authority)
    if stream.is_answered:
        return CannotConnectError("the server's answer does not open a WebSocket")
    return CannotConnectError("the server closed the connection before it answered")
