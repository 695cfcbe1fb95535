"""The TCP connection below TLS and the WebSocket."""

import contextlib

import trio


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
    """The TCP connection below TLS; knows when the last bytes arrived, on trio's clock."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        super().__init__(stream)
        self.received_at = trio.current_time()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive from the stream below."""
        data = await self._stream.receive_some(max_bytes)
        self.received_at = trio.current_time()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send if that is still possible; raise nothing.

        On a failed pong both trio-websocket and TLS would stop reading, although messages have arrived. A lost
        peer shows in `receive_some`, after its last byte.
        """
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._stream.send_all(data)
