"""The bytes of one client: what a WebSocket reads and writes, and where the simulator can get in between."""

import trio


class ClientStream(trio.abc.Stream):
    """A stream whose first bytes were read already, which several tasks may write to, and which can go dead.

    trio-websocket writes its pongs and close frames here, the simulator its prepared frames: each `send_all` is whole.

    Parameters
    ----------
    stream
        TCP or TLS, accepted from the client.
    head
        What was read from it to see what the client wants; it is read again first.
    """

    def __init__(self, stream: trio.abc.Stream, head: bytes) -> None:
        self._stream = stream
        self._head = head
        self._writing = trio.StrictFIFOLock()
        self.is_dead = False

    def go_dead(self) -> None:
        """Neither answer nor say anything from now on, and leave the connection open: a peer that vanished."""
        self.is_dead = True

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive the next bytes; a dead stream takes them all in silence, until the client gives up."""
        if self._head:
            head, self._head = self._head, b""
            return head
        received = await self._stream.receive_some(max_bytes)
        while self.is_dead and received:
            received = await self._stream.receive_some(max_bytes)
        return received

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`, after what others are sending; cancelled, part of it may have been sent."""
        async with self._writing:
            if self.is_dead:
                await trio.sleep_forever()
            await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until `send_all` might not block."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream below; cancelled, it is closed all the same."""
        await self._stream.aclose()
