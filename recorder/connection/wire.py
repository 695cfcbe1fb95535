"""The TCP connection below TLS and the WebSocket."""

import contextlib
import os
import struct
import sys
from collections.abc import Callable

import trio
from outcome import Error, Outcome, Value

from pulsoid_rec.recorder.connection.poller import Poller

if sys.platform != "win32":
    import fcntl
    import termios

BYTES_AT_ONCE = 4 * 2**10  # bytes handled before other tasks have their turn: they may be 2,048 messages


class Wire(trio.abc.Stream):
    """The TCP connection below TLS; knows when the last bytes arrived, on trio's clock.

    With a `poller` that is running it is read by that one, and only while somebody waits in `receive_some`.
    """

    def __init__(self, stream: trio.abc.Stream, poller: Poller | None = None) -> None:
        self._stream = stream
        self.received_at = trio.current_time()
        self.received_bytes = 0
        self.take: Callable[[bytes], bytes | None] | None = None
        """Called with each piece received; returns what is for `receive_some`, None if that need not return."""
        self._poller = poller if isinstance(stream, trio.SocketStream) and poller and poller.is_available else None
        self._reader: trio.lowlevel.Task | None = None
        self._registered: int | None = None

    @property
    def unread_bytes(self) -> int:
        """Bytes that the system has received and keeps for us; 0 on Windows, where that cannot be had."""
        if sys.platform == "win32" or not isinstance(self._stream, trio.SocketStream):
            return 0
        file = self._stream.socket.fileno()
        count: int = 0 if file < 0 else struct.unpack("i", fcntl.ioctl(file, termios.FIONREAD, bytes(4)))[0]
        return count

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive from the stream below."""
        if self._poller is not None:
            return await self._wait_for_poller(self._poller)
        while True:
            data = await self._stream.receive_some(min(max_bytes or BYTES_AT_ONCE, BYTES_AT_ONCE))
            if (rest := self._handle(bytes(data))) is not None:
                return rest

    def _handle(self, data: bytes) -> bytes | None:
        self.received_at = trio.current_time()
        self.received_bytes += len(data)
        return data if self.take is None else self.take(data)

    async def _wait_for_poller(self, poller: Poller) -> bytes:
        assert isinstance(self._stream, trio.SocketStream)
        if self._reader is not None:
            raise trio.BusyResourceError("another task is receiving")
        if self._registered is None:
            file = self._stream.socket.fileno()
            if file < 0:
                raise trio.ClosedResourceError
            poller.register(file, self)
            self._registered = file
        self._reader = trio.lowlevel.current_task()
        data: bytes = await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)
        return data

    def _stop_waiting(self, _: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def on_readable(self) -> int:
        """Read while a task waits in `receive_some`, and return the number of bytes; otherwise read nothing."""
        if self._reader is None or self._registered is None:
            self._unregister()
            return 0
        try:
            data = os.read(self._registered, BYTES_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            broken = trio.BrokenResourceError(str(error))
            broken.__cause__ = error
            self._wake(Error(broken))
            return 0
        try:
            rest = self._handle(data)
        except Exception as error:  # noqa: BLE001 - it is raised where the task waits
            self._wake(Error(error))
        else:
            if rest is not None:
                self._wake(Value(rest))
        return len(data)

    def _wake(self, received: Outcome[bytes]) -> None:
        if self._reader is not None:
            reader, self._reader = self._reader, None
            trio.lowlevel.reschedule(reader, received)

    def _unregister(self) -> None:
        if self._registered is not None and self._poller is not None:
            file, self._registered = self._registered, None
            self._poller.unregister(file)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send if that is still possible; raise nothing.

        On a failed pong both trio-websocket and TLS would stop reading, although messages have arrived. A lost
        peer shows in `receive_some`, after its last byte.
        """
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until `send_all` might not block."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream below."""
        self._unregister()
        self._wake(Error(trio.ClosedResourceError()))
        await self._stream.aclose()
