"""One connection to a room: what is still to be sent, what was sent, and how it ends."""

from collections import Counter, deque
from dataclasses import dataclass

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from pulsoid_rec.recorder.simulator.client_stream import ClientStream
from pulsoid_rec.recorder.simulator.tokens import Token
from pulsoid_rec.recorder.simulator.wire import Kind

CAPACITY = 20_000  # messages; over an hour of a room of five
WRITE_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 1.0
_MOST_IN_A_WRITE = 500  # little enough for a slow client to show that it takes something
_LARGE_WRITE_BYTES = 100_000


@dataclass(frozen=True)
class Ending:
    """How a connection ends: with a close frame of this code, or cut without a word when there is none."""

    code: int | None
    reason: str


CUT = Ending(None, "cut")
TOKEN_EXPIRED = Ending(1008, "token expired")
REMOVED = Ending(1008, "removed from the room")
GOING_AWAY = Ending(1001, "server is going away")
TOO_SLOW = Ending(None, "it does not read what it is sent")


class Outbox:
    """What is still to be written, in order. Putting never waits; who cares for the bound waits for room."""

    def __init__(self) -> None:
        self._frames: deque[tuple[str, bytes]] = deque()
        self._being_written = 0
        self._filled = trio.lowlevel.ParkingLot()
        self._emptied = trio.lowlevel.ParkingLot()

    @property
    def is_full(self) -> bool:
        """Whether it holds as much as it should."""
        return len(self._frames) >= CAPACITY

    def put(self, kind: str, frame: bytes) -> None:
        """Add a frame."""
        self._frames.append((kind, frame))
        self._filled.unpark_all()

    async def take(self) -> list[tuple[str, bytes]]:
        """Wait for frames, and take some; they count as being written until `written` is called."""
        while not self._frames:
            await self._filled.park()
        taken: list[tuple[str, bytes]] = []
        size_bytes = 0
        while self._frames and len(taken) < _MOST_IN_A_WRITE and size_bytes < _LARGE_WRITE_BYTES:
            taken.append(self._frames.popleft())
            size_bytes += len(taken[-1][1])
        self._being_written = len(taken)
        return taken

    def written(self) -> None:
        """Note that what was taken is with the operating system."""
        self._being_written = 0
        self._emptied.unpark_all()

    def close(self) -> None:
        """Forget what is left, and let go those who wait."""
        self._frames.clear()
        self.written()

    async def wait_for_room(self) -> None:
        """Wait until it is no longer full."""
        while self.is_full:
            await self._emptied.park()

    async def wait_until_empty(self) -> None:
        """Wait until everything put so far, and since, is written."""
        while self._frames or self._being_written:
            await self._emptied.park()


class Client:
    """One WebSocket connection to a room.

    Parameters
    ----------
    number
        Counts the connections of this server, for the log.
    token
        What it came in with, and so who it is.
    kinds
        What it subscribed to.
    stream
        What lies below its WebSocket.
    """

    def __init__(self, number: int, token: Token, kinds: frozenset[str], stream: ClientStream) -> None:
        self.number = number
        self.token = token
        self.kinds = kinds
        self.outbox = Outbox()
        self.sent: Counter[str] = Counter()
        self.knows_room = False
        self.knows_members: set[str] = set()
        self.gone = trio.Event()
        self._stream = stream
        self._over = trio.Event()
        self._ending: Ending | None = None

    def put(self, kind: Kind, frame: bytes) -> None:
        """Queue a message, if the client subscribed to its kind."""
        if kind in self.kinds and not self._over.is_set():
            self.outbox.put(kind.value, frame)

    def put_raw(self, data: bytes) -> None:
        """Queue bytes, whatever the client subscribed to."""
        if not self._over.is_set():
            self.outbox.put("raw", data)

    def end(self, ending: Ending) -> None:
        """Have the connection end; the first ending given is the one."""
        self._ending = self._ending or ending
        self._over.set()

    @property
    def is_dead(self) -> bool:
        """Whether it neither says nor answers anything any more."""
        return self._stream.is_dead

    def stall(self) -> None:
        """Have the connection go dead without closing."""
        self._stream.go_dead()

    async def run(self, websocket: WebSocketConnection, expires_in_s: float) -> str:
        """Serve the connection until the client leaves, its token expires, or `end` is called.

        Returns
        -------
        str
            Why it ended, for the log. Cancelled or not, the stream is closed afterwards.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._ignore_incoming, websocket)
                nursery.start_soon(self._write)
                with trio.move_on_after(max(expires_in_s, 0)):
                    await self._over.wait()
                if websocket.closed is None:
                    self.end(TOKEN_EXPIRED)
                if self._ending is not None and self._ending.code is not None and not self.is_dead:
                    with trio.move_on_after(CLOSE_TIMEOUT_S):
                        await self.outbox.wait_until_empty()
                        await websocket.aclose(self._ending.code, self._ending.reason)
                nursery.cancel_scope.cancel()
        finally:
            self._over.set()
            self.outbox.close()
            await trio.aclose_forcefully(self._stream)
            self.gone.set()
        if self._ending is not None:
            return self._ending.reason
        return f"it left, {websocket.closed.code}" if websocket.closed else "it left"

    async def _ignore_incoming(self, websocket: WebSocketConnection) -> None:
        # Room streams go one way: whatever the client sends, binary frames included, is not looked at.
        try:
            while True:
                await websocket.get_message()
        except ConnectionClosed:
            self._over.set()

    async def _write(self) -> None:
        try:
            while True:
                batch = await self.outbox.take()
                await self._stream.send_all(b"".join([frame for _, frame in batch]))
                self.sent.update([kind for kind, _ in batch])
                self.outbox.written()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._over.set()
