"""A stream under the WebSocket that records what trio-websocket does not report, and delivers text messages itself."""

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import trio

from pulsoid_rec.recorder.connection.text_frames import Text, TextFrames
from pulsoid_rec.recorder.connection.wire import BYTES_AT_ONCE, Wire
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits

MessageHandler = Callable[[list[Text]], bool]  # handles messages; returns whether more may be received at once
_LOOK_EVERY_S = 0.02
_END_OF_HEAD = re.compile(rb"\n\r?\n")  # as in h11, which parses the head for trio-websocket
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_STATUS_BYTES = len(b"HTTP/1.1 101")


class WatchedStream(trio.abc.Stream):
    """The stream the WebSocket uses: knows the server's HTTP answer and its last bytes, and delivers text messages.

    `stream` is the wire, or TLS over it.
    """

    def __init__(self, stream: trio.abc.Stream, wire: Wire, limits: Limits = DEFAULT_LIMITS) -> None:
        self._stream = stream
        self._wire = wire
        self._limits = limits
        self._head = b""  # of the final answer, once interim ones (1xx) are over
        self._is_final = False
        self._is_head_over = False
        self._untaken = b""  # what arrived with the last piece of the head, or is too much to be taken at once
        self._frames = TextFrames(limits)
        self._handle: MessageHandler | None = None
        self._wait_for_space: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
        self._has_space = True
        self._is_at_end = False
        self._is_open = trio.Event()
        self.is_waiting = False
        """Whether the library has handled all that was received, and waits for more."""
        self.handler_error: Exception | None = None
        """What the handler raised: an error of ours, which the library's reader must not hide."""

    @property
    def received_at(self) -> float:
        """When the last bytes arrived, on trio's clock."""
        return self._wire.received_at

    async def drain(self) -> None:
        """Wait until all is handled that the system has received so far; another task receives it meanwhile."""
        until_bytes = self._wire.received_bytes + self._wire.unread_bytes
        while self._wire.received_bytes < until_bytes or self._untaken or not self.is_waiting:  # noqa: ASYNC110 - no event for each piece
            await trio.sleep(_LOOK_EVERY_S)

    @property
    def is_usual(self) -> bool:
        """Whether nothing but messages, pings and pongs was received."""
        return not self._frames.is_over

    @property
    def is_answered(self) -> bool:
        """Whether the server has sent anything but interim answers."""
        return bool(self._head)

    @property
    def http_status(self) -> int | None:
        """Status of the server's final answer; None before it, or if that is not HTTP."""
        return None if self._is_interim else self._status

    def http_header(self, name: str) -> str | None:
        """Return a field of the head of the server's final answer; None without one."""
        head = _END_OF_HEAD.split(self._head, maxsplit=1)[0]  # what follows is the body
        found = re.search(rf"(?im)^{re.escape(name)}:[ \t]*(.*?)[ \t]*\r?$".encode(), head)
        return found[1].decode("latin-1") if found else None

    @property
    def _status(self) -> int | None:
        found = _STATUS.match(self._head)
        return int(found[1]) if found else None

    @property
    def _is_interim(self) -> bool:
        return (self._status or 0) // 100 == 1 and self._status != HTTPStatus.SWITCHING_PROTOCOLS

    @property
    def last_bytes(self) -> bytes:
        """What the server sent last, from where it was against the protocol."""
        return self._frames.fault

    def deliver_to(self, handle: MessageHandler, wait_for_space: Callable[[], Awaitable[None]]) -> None:
        """Set the handler of text messages, and what to wait for after it returned False.

        To be called as soon as the WebSocket is open.
        """
        self._handle = handle
        self._wait_for_space = wait_for_space
        self._is_open.set()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send over the stream below."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until `send_all` might not block."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream below."""
        await self._stream.aclose()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive what is for the library.

        Cancelled, it loses what it was about to return.
        """
        if not self._is_head_over:
            if self._is_final:
                return self._split_head(await self._receive(max_bytes))
            return await self._receive_final(max_bytes)
        await self._is_open.wait()
        if self._stream is self._wire:
            self._wire.take = self._take  # sooner, in the task that reads all connections
        rest: bytes | bytearray | None = None
        while not (rest or self._is_at_end):
            if self._untaken:
                piece, self._untaken = self._untaken[:BYTES_AT_ONCE], self._untaken[BYTES_AT_ONCE:]
                rest = self._take(piece)
                await trio.lowlevel.cancel_shielded_checkpoint()  # shielded, so that nothing is lost
            else:
                data = await self._receive(max_bytes)
                if self._stream is self._wire:
                    rest = data
                elif len(data) > BYTES_AT_ONCE:
                    self._untaken = bytes(data)
                else:
                    rest = self._take(data)
            if not self._has_space:
                await self._wait_for_space()
                self._has_space = True
        return rest or b""

    def _take(self, data: bytes | bytearray) -> bytes | None:
        """Deliver the messages in what was received; return the rest, None if there is nothing to do about it."""
        assert self._handle is not None
        self._is_at_end = not data
        texts, rest = self._frames.cut(data)
        if texts:
            try:
                self._has_space = self._handle(texts)
            except Exception as error:
                self.handler_error = error
                raise
        return rest if rest or self._is_at_end or not self._has_space else None

    async def _receive(self, max_bytes: int | None) -> bytes | bytearray:
        self.is_waiting = True
        data = await self._stream.receive_some(max_bytes)
        self.is_waiting = False
        return data

    async def _receive_final(self, max_bytes: int | None) -> bytes | bytearray:
        """Receive up to the final answer; the interim ones before it, which the library takes for it, are dropped."""
        while not self._is_final:
            data = await self._receive(max_bytes)
            self._head += data
            while self._is_interim and (found := _END_OF_HEAD.search(self._head)):
                self._head = self._head[found.end() :]
            is_unknown = self._is_interim or len(self._head) < _STATUS_BYTES
            self._is_final = not (data and is_unknown and len(self._head) < self._limits.http_head_bytes)
        data, self._head = self._head, b""
        return self._split_head(data)

    def _split_head(self, data: bytes | bytearray) -> bytes | bytearray:
        """Return the head's part; keep what follows until the library has accepted the head."""
        before = len(self._head)
        if before < self._limits.http_head_bytes:
            self._head += data
        found = _END_OF_HEAD.search(self._head)
        if found is None or self.http_status != HTTPStatus.SWITCHING_PROTOCOLS:
            return data
        self._is_head_over = True
        self._untaken = self._head[found.end() :]
        return data[: found.end() - before]
