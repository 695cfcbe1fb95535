"""A viewer's connection, on which nobody waits for long: one that takes nothing is cut."""

import trio

from pulsoid_rec.recorder.contract.timings import Timings


class ViewerStream:
    """What Hypercorn needs of a stream; Hypercorn itself waits for ever, and cannot be cancelled meanwhile."""

    def __init__(self, stream: trio.SocketStream, timings: Timings) -> None:
        self._stream = stream
        self._timeout_s = timings.live_send_timeout_s
        self._silence_s = 3 * timings.live_send_timeout_s
        self._receiving = trio.CancelScope()

    @property
    def socket(self) -> trio.socket.SocketType:
        """The socket."""
        return self._stream.socket

    def close(self) -> None:
        """Close at once; whoever sends or receives is woken by an error."""
        self._stream.socket.close()

    async def send_all(self, data: bytes) -> None:
        """Send data; raise `trio.BrokenResourceError`, and close, if that takes too long."""
        with trio.move_on_after(self._timeout_s) as sending:
            await self._stream.send_all(data)
        if sending.cancelled_caught:
            self.close()
            raise trio.BrokenResourceError("the viewer takes nothing")
        self._receiving.deadline = trio.current_time() + self._silence_s

    async def receive_some(self, max_bytes: int) -> bytes | bytearray:
        """Receive what there is; raise `trio.BrokenResourceError`, and close, if nothing is sent either way for long.

        Hypercorn has such a limit of its own, but not for HTTP/2.
        """
        with trio.move_on_after(self._silence_s) as self._receiving:
            return await self._stream.receive_some(max_bytes)
        self.close()
        raise trio.BrokenResourceError("the viewer is silent")

    async def send_eof(self) -> None:
        """Say that nothing more is sent."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()
