"""The TCP connection below TLS and the WebSocket."""

import contextlib
import os

import trio
from outcome import Error, Outcome, Value

from pulsoid_rec.recorder.connection.poller import Poller

_RECEIVE_BYTES = 64 * 2**10


class StreamWrapper(trio.abc.Stream):
    """Passes everything on to the stream below, as documented there."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive from the stream below."""
        return await self._stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send over the stream below."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until `send_all` might not block."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream below."""
        await self._stream.aclose()


class Wire(StreamWrapper):
    """The TCP connection below TLS; knows when the last bytes arrived, on trio's clock.

    With a `poller` that is running it is read by that one, and only while somebody waits in `receive_some`.
    """

    def __init__(self, stream: trio.abc.Stream, poller: Poller | None = None) -> None:
        super().__init__(stream)
        self.received_at = trio.current_time()
        self._poller = poller if isinstance(stream, trio.SocketStream) and poller and poller.is_available else None
        self._reader: trio.lowlevel.Task | None = None
        self._registered: int | None = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive from the stream below."""
        data = await (self._stream.receive_some(max_bytes) if self._poller is None else self._wait_for_poller())
        self.received_at = trio.current_time()
        return data

    async def _wait_for_poller(self) -> bytes:
        assert self._poller is not None
        assert isinstance(self._stream, trio.SocketStream)
        if self._reader is not None:
            raise trio.BusyResourceError("another task is receiving")
        if self._registered is None:
            file = self._stream.socket.fileno()
            if file < 0:
                raise trio.ClosedResourceError
            self._poller.register(file, self)
            self._registered = file
        self._reader = trio.lowlevel.current_task()
        data: bytes = await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)
        return data

    def _stop_waiting(self, _: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def on_readable(self) -> None:
        """Read for the task that waits; if none does, do not be called until one waits again."""
        if self._reader is None or self._registered is None:
            self._unregister()
            return
        received: Outcome[bytes]
        try:
            received = Value(os.read(self._registered, _RECEIVE_BYTES))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            broken = trio.BrokenResourceError(str(error))
            broken.__cause__ = error
            received = Error(broken)
        self._wake(received)

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

    async def aclose(self) -> None:
        """Close the stream below."""
        self._unregister()
        self._wake(Error(trio.ClosedResourceError()))
        await self._stream.aclose()
