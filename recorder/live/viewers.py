"""Those who follow the events: each event is encoded once, and handed to all."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import trio

from pulsoid_rec.recorder.contract.limits import Limits


class TooManyViewersError(Exception):
    """There are as many viewers as there may be."""


class Viewers:
    """The viewers, each with a short queue. One who does not take what is in it is disconnected, and may come again.

    `make_snapshot` makes the first event of a viewer. Those who come between two updates get the same one.
    """

    def __init__(self, make_snapshot: Callable[[], Awaitable[bytes]], limits: Limits) -> None:
        self._make_snapshot = make_snapshot
        self._limits = limits
        self._queues: set[trio.MemorySendChannel[bytes]] = set()
        self._coming = 0
        self._snapshot: bytes | None = None
        self.lock = trio.Lock()
        """Held while an event is made, so that none is missed between a snapshot and the update after it."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._queues)

    def send(self, event: bytes, *, is_snapshot: bool = False) -> None:
        """Send an event to all, while `lock` is held; what a new viewer gets first is then made anew."""
        self._snapshot = event if is_snapshot else None
        for queue in tuple(self._queues):
            try:
                queue.send_nowait(event)
            except trio.WouldBlock:
                self._queues.discard(queue)
                queue.close()

    async def follow(self) -> AsyncGenerator[bytes]:
        """Yield a snapshot, and each event after it, until the viewer is too slow.

        Raises `TooManyViewersError` before the first one.
        """
        with self._open() as (queue, events):
            async with self.lock:
                if self._snapshot is None:
                    self._snapshot = await self._make_snapshot()
                snapshot = self._snapshot
                self._queues.add(queue)
            yield snapshot
            async for event in events:
                yield event

    @contextmanager
    def _open(self) -> Iterator[tuple[trio.MemorySendChannel[bytes], trio.MemoryReceiveChannel[bytes]]]:
        if self._coming >= self._limits.live_viewers:
            raise TooManyViewersError
        self._coming += 1
        queue, events = trio.open_memory_channel[bytes](self._limits.live_waiting)
        try:
            with queue, events:
                yield queue, events
        finally:
            self._queues.discard(queue)
            self._coming -= 1
