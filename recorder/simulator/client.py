"""One connection to a room: its outbox, its counts, and how it ends."""

from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from pulsoid_rec.recorder.simulator.client_stream import ClientStream
from pulsoid_rec.recorder.simulator.tokens import Token
from pulsoid_rec.recorder.simulator.wire import Kind

CLOSE_TIMEOUT_S = 1.0
_MOST_IN_A_WRITE = 500  # small enough to see that a slow client still reads
_LARGE_WRITE_BYTES = 100_000


@dataclass(frozen=True)
class ClientLimits:
    """How long a client may be slow, and how far it may fall behind."""

    capacity: int = 20_000  # messages waiting to be written; over an hour of a room of five
    write_timeout_s: float = 5.0  # without a byte written, while others wait for the client
    handshake_timeout_s: float = 10.0  # for a client's request


DEFAULT_LIMITS = ClientLimits()


@dataclass(frozen=True)
class Disconnect:
    """How a connection ends: with a close frame of this code, or without one where the code is None."""

    code: int | None
    reason: str


CUT = Disconnect(None, "cut")
TOKEN_EXPIRED = Disconnect(1008, "token expired")
GOING_AWAY = Disconnect(1001, "server is going away")
TOO_SLOW = Disconnect(None, "it reads nothing")


class Outbox:
    """Frames still to be written, in order. `enqueue` never waits: call `wait_while_full` to respect the capacity."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._frames: deque[tuple[str, bytes]] = deque()
        self._being_written = 0
        self._filled = trio.lowlevel.ParkingLot()
        self._emptied = trio.lowlevel.ParkingLot()

    @property
    def is_full(self) -> bool:
        """Whether it holds as many frames as it may, or more."""
        return len(self._frames) >= self._capacity

    def enqueue(self, kind: str, frame: bytes) -> None:
        """Add a frame."""
        self._frames.append((kind, frame))
        self._filled.unpark_all()

    async def take_batch(self) -> list[tuple[str, bytes]]:
        """Wait for frames, and take some; they count as being written until `mark_written` is called."""
        while not self._frames:
            await self._filled.park()
        batch: list[tuple[str, bytes]] = []
        size_bytes = 0
        while self._frames and len(batch) < _MOST_IN_A_WRITE and size_bytes < _LARGE_WRITE_BYTES:
            batch.append(self._frames.popleft())
            size_bytes += len(batch[-1][1])
        self._being_written = len(batch)
        return batch

    def mark_written(self) -> None:
        """Note that the batch taken was passed to the operating system."""
        self._being_written = 0
        self._emptied.unpark_all()

    def close(self) -> None:
        """Discard the frames, and wake all waiting tasks."""
        self._frames.clear()
        self.mark_written()

    async def wait_while_full(self) -> None:
        """Wait until it has room for a frame."""
        while self.is_full:
            await self._emptied.park()

    async def wait_until_empty(self) -> None:
        """Wait until every frame is written, also those added meanwhile."""
        while self._frames or self._being_written:
            await self._emptied.park()


class Client:
    """One WebSocket connection to a room, with the kinds of message it subscribed to; `number` is for the log."""

    def __init__(self, number: int, token: Token, kinds: frozenset[str], stream: ClientStream, capacity: int) -> None:
        self.number = number
        self.token = token
        self.kinds = kinds
        self.stream = stream
        self.outbox = Outbox(capacity)
        self.sent: Counter[str] = Counter()
        self.has_room_config = False
        self.known_members: set[str] = set()
        self.closed = trio.Event()
        self._ending = trio.Event()
        self._disconnect: Disconnect | None = None

    def enqueue(self, kind: Kind, frame: bytes) -> None:
        """Queue a message, if the client subscribed to its kind."""
        if kind in self.kinds and not self._ending.is_set():
            self.outbox.enqueue(kind.value, frame)

    def enqueue_raw(self, data: bytes) -> None:
        """Queue bytes, whatever the client subscribed to."""
        if not self._ending.is_set():
            self.outbox.enqueue("raw", data)

    def end(self, disconnect: Disconnect) -> None:
        """End the connection; only the first call counts."""
        self._disconnect = self._disconnect or disconnect
        self._ending.set()

    async def run(self, websocket: WebSocketConnection, expires_in_s: float) -> str:
        """Serve the connection until the client leaves, its token expires, or `end` is called; return why, for the log.

        The stream is closed afterwards, also when cancelled.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._ignore_incoming, websocket)
                nursery.start_soon(self._write)
                with trio.move_on_after(max(expires_in_s, 0)):
                    await self._ending.wait()
                if websocket.closed is None:
                    self.end(TOKEN_EXPIRED)
                if (how := self._disconnect) and how.code is not None and not self.stream.is_stalled:
                    with trio.move_on_after(CLOSE_TIMEOUT_S):
                        await self.outbox.wait_until_empty()
                        await websocket.aclose(how.code, how.reason)
                nursery.cancel_scope.cancel()
        finally:
            self._ending.set()
            self.outbox.close()
            await trio.aclose_forcefully(self.stream)
            self.closed.set()
        if self._disconnect is not None:
            return self._disconnect.reason
        return f"closed by the client, {websocket.closed.code}" if websocket.closed else "closed by the client"

    async def _ignore_incoming(self, websocket: WebSocketConnection) -> None:
        # Room streams go one way: whatever the client sends, binary frames included, is ignored.
        try:
            while True:
                await websocket.get_message()
        except ConnectionClosed:
            self._ending.set()

    async def _write(self) -> None:
        try:
            while True:
                batch = await self.outbox.take_batch()
                await self.stream.send_all(b"".join([frame for _, frame in batch]))
                self.sent.update([kind for kind, _ in batch])
                self.outbox.mark_written()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._ending.set()


async def disconnect(clients: Collection[Client], how: Disconnect) -> None:
    """End connections, and wait until they are closed."""
    clients = tuple(clients)
    for client in clients:
        client.end(how)
    for client in clients:
        await client.closed.wait()
