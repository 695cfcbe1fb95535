"""The bytes between us and the server: what trio-websocket does not tell of them, and what it need not know."""

import contextlib
import re
from collections import deque
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import trio

from pulsoid_rec.recorder.connection.text_frames import TextFrames

QUEUED_MESSAGES = 64
"""Messages that may wait between trio-websocket's reader and whoever receives."""

Take = Callable[[list[str]], Awaitable[None]]
"""Takes messages down, before more are received."""

_END_OF_HEAD = re.compile(rb"\n\r?\n")  # as h11 has it, which reads the head for trio-websocket
_MOST_HEAD_BYTES = 2**16
_KEPT_PIECES = 4
_CLOSE_FRAME = b"\x88"


class _Passing(trio.abc.Stream):
    """Passes everything on."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


class Wire(_Passing):
    """The connection itself, with TLS above it: knows when the last bytes came."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        super().__init__(stream)
        self.received_at = trio.current_time()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive, as the stream below does."""
        data = await self._stream.receive_some(max_bytes)
        self.received_at = trio.current_time()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, if that is still possible.

        A failure is not raised: trio-websocket, and TLS too, would stop reading, with messages that arrived still
        unread, because an answer to a ping cannot be sent. That the peer is gone shows in `receive_some`, after its
        last byte.
        """
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._stream.send_all(data)


class WatchedStream(_Passing):
    """What the WebSocket runs over: knows how the server answered, what it said last, and takes its messages short.

    Parameters
    ----------
    stream
        The wire, or TLS over it.
    wire
        The wire.
    """

    def __init__(self, stream: trio.abc.Stream, wire: Wire) -> None:
        super().__init__(stream)
        self._wire = wire
        self._head = b""
        self._is_head_over = False
        self._after_head = b""  # what came with the last piece of the head
        self._frames = TextFrames()
        self._take: Take | None = None
        self._is_open = trio.Event()
        self._last: deque[bytes | bytearray] = deque(maxlen=_KEPT_PIECES)
        self.fault: Exception | None = None
        """What was raised while messages were taken down: a fault of ours, which the library's reader must not hide."""

    @property
    def received_at(self) -> float:
        """When the last bytes came, on the clock of trio."""
        return self._wire.received_at

    @property
    def is_answered(self) -> bool:
        """Whether the server has said anything."""
        return bool(self._head)

    @property
    def http_status(self) -> int | None:
        """Status of the server's first answer; None before it, or if that is not HTTP."""
        found = re.match(rb"HTTP/1\.[01] (\d{3})\b", self._head)
        return int(found[1]) if found else None

    @property
    def last_bytes(self) -> bytes:
        """The last pieces received."""
        return b"".join(self._last)

    def take_messages(self, take: Take) -> None:
        """Say who takes down the messages that need no library; to be called as soon as the WebSocket is open."""
        self._take = take
        self._is_open.set()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive what the library is to have.

        Cancelled, what it was about to hand on is lost; nobody receives after that.
        """
        if not self._is_head_over:
            return self._split_head(await self._receive(max_bytes))
        await self._is_open.wait()
        while True:
            data: bytes | bytearray = self._after_head
            self._after_head = b""
            if not data:
                data = await self._receive(max_bytes)
            texts, rest = self._frames.cut(data)
            if texts:
                await self._take_down(texts)
            if rest or not data:
                return rest

    async def _take_down(self, texts: list[str]) -> None:
        assert self._take is not None
        try:
            await self._take(texts)
        except Exception as error:
            self.fault = error
            raise

    async def _receive(self, max_bytes: int | None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        self._last.append(data)
        return data

    def _split_head(self, data: bytes | bytearray) -> bytes | bytearray:
        """Keep what follows the head of the answer until the library has judged that."""
        before = len(self._head)
        if before < _MOST_HEAD_BYTES:
            self._head += data
        found = _END_OF_HEAD.search(self._head)
        if found is None or self.http_status != HTTPStatus.SWITCHING_PROTOCOLS:
            return data
        self._is_head_over = True
        self._after_head = self._head[found.end() :]
        return data[: found.end() - before]

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send; before a word of goodbye, whoever receives gets time to take what is queued.

        trio-websocket forgets its queue as soon as it has said that a message was too large.
        """
        if data[:1] == _CLOSE_FRAME:
            for _ in range(2 * QUEUED_MESSAGES):
                await trio.lowlevel.checkpoint()
        await self._stream.send_all(data)
