"""The bytes of one client: the stream below its WebSocket, which the simulator also writes to, and can stall."""

import trio


class ClientStream(trio.abc.Stream):
    """A stream whose first bytes were read already, which several tasks may write to, and which can be stalled.

    trio-websocket writes its pongs and close frames here, the simulator its prepared frames: each `send_all` is whole.
    `head` is what was read from `stream` to parse the request; it is received again first.
    """

    def __init__(self, stream: trio.abc.Stream, head: bytes) -> None:
        self._stream = stream
        self._head = head
        self._send_lock = trio.StrictFIFOLock()
        self.is_stalled = False

    def stall(self) -> None:
        """Send nothing from now on, not even a pong, and leave the connection open, like a peer that vanished."""
        self.is_stalled = True

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive the next bytes; a stalled stream discards them all until the client closes."""
        if self._head:
            head, self._head = self._head, b""
            return head
        received = await self._stream.receive_some(max_bytes)
        while self.is_stalled and received:
            received = await self._stream.receive_some(max_bytes)
        return received

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`, after what other tasks are sending; if cancelled, part of it may have been sent."""
        async with self._send_lock:
            if self.is_stalled:
                await trio.sleep_forever()
            await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until `send_all` might not block."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream below, also when cancelled."""
        await self._stream.aclose()
