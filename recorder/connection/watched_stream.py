"""A stream under the WebSocket that records what trio-websocket does not report, and delivers text messages itself."""

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import trio

from pulsoid_rec.recorder.connection.text_frames import Text, TextFrames
from pulsoid_rec.recorder.connection.wire import StreamWrapper, Wire
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits

MessageHandler = Callable[[list[Text]], Awaitable[None]]
"""Handles messages before more are received."""

_END_OF_HEAD = re.compile(rb"\n\r?\n")  # as in h11, which parses the head for trio-websocket
_BYTES_AT_ONCE = 2**12
"""Bytes split before other tasks have their turn: they may be 2,048 frames."""


class WatchedStream(StreamWrapper):
    """The stream the WebSocket uses: knows the server's HTTP answer and its last bytes, and delivers text messages.

    `stream` is the wire, or TLS over it.
    """

    def __init__(self, stream: trio.abc.Stream, wire: Wire, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(stream)
        self._wire = wire
        self._limits = limits
        self._head = b""
        self._is_head_over = False
        self._after_head = b""  # what arrived with the last piece of the head
        self._frames = TextFrames(limits)
        self._handle: MessageHandler | None = None
        self._is_open = trio.Event()
        self.handler_error: Exception | None = None
        """What the handler raised: an error of ours, which the library's reader must not hide."""

    @property
    def received_at(self) -> float:
        """When the last bytes arrived, on trio's clock."""
        return self._wire.received_at

    @property
    def is_answered(self) -> bool:
        """Whether the server has sent anything."""
        return bool(self._head)

    @property
    def http_status(self) -> int | None:
        """Status of the server's first answer; None before it, or if that is not HTTP."""
        found = re.match(rb"HTTP/1\.[01] (\d{3})\b", self._head)
        return int(found[1]) if found else None

    @property
    def last_bytes(self) -> bytes:
        """What the server sent last, from where it was against the protocol."""
        return self._frames.fault

    def deliver_to(self, handle: MessageHandler) -> None:
        """Set the handler of text messages; to be called as soon as the WebSocket is open."""
        self._handle = handle
        self._is_open.set()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive what is for the library.

        Cancelled, it loses what it was about to return.
        """
        if not self._is_head_over:
            return self._split_head(await self._stream.receive_some(max_bytes))
        await self._is_open.wait()
        while True:
            data: bytes | bytearray = self._after_head
            self._after_head = b""
            if not data:
                data = await self._stream.receive_some(max_bytes)
            texts, rest = await self._cut(data)
            if texts:
                await self._deliver(texts)
            if rest or not data:
                return rest

    async def _cut(self, data: bytes | bytearray) -> tuple[list[Text], bytes]:
        texts, rest = self._frames.cut(data[:_BYTES_AT_ONCE])
        for start in range(_BYTES_AT_ONCE, len(data), _BYTES_AT_ONCE):
            await trio.lowlevel.cancel_shielded_checkpoint()  # shielded, so that nothing is lost
            more, passed = self._frames.cut(data[start : start + _BYTES_AT_ONCE])
            texts += more
            rest += passed
        return texts, rest

    async def _deliver(self, texts: list[Text]) -> None:
        assert self._handle is not None
        try:
            await self._handle(texts)
        except Exception as error:
            self.handler_error = error
            raise

    def _split_head(self, data: bytes | bytearray) -> bytes | bytearray:
        """Return the head's part; keep what follows until the library has accepted the head."""
        before = len(self._head)
        if before < self._limits.http_head_bytes:
            self._head += data
        found = _END_OF_HEAD.search(self._head)
        if found is None or self.http_status != HTTPStatus.SWITCHING_PROTOCOLS:
            return data
        self._is_head_over = True
        self._after_head = self._head[found.end() :]
        return data[: found.end() - before]
