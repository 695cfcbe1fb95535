"""Waits for the data of all connections at once, where the system has epoll.

trio waits for each socket by itself: it tries to read in vain, arms epoll, wakes, and reads; that is most of what a
message costs where many rooms are recorded. Here each socket is registered once, and one task reads all that are ready,
a few milliseconds apart, so that messages of many rooms share one wake.
"""

import select
from typing import Protocol

import trio

from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings

_LARGE_BYTES = 2 * 2**10  # at once: what an ordinary room sends in several seconds


class Readable(Protocol):
    """What the poller reads."""

    def on_readable(self) -> int:
        """Read what has arrived, if only the end, and return the number of bytes."""


class Poller:
    """Calls `on_readable` of each registered connection that has data, again and again, while `run` runs."""

    def __init__(self, timings: Timings = DEFAULT_TIMINGS) -> None:
        self._poll_every_s, self._turn_s = timings.poll_every_s, timings.poll_turn_s
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._connections: dict[int, Readable] = {}

    @property
    def is_available(self) -> bool:
        """Whether this system has epoll."""
        return self._epoll is not None

    def register(self, file: int, connection: Readable) -> None:
        """Call `connection.on_readable` whenever there is something to read from its socket."""
        assert self._epoll is not None
        self._epoll.register(file, select.EPOLLIN)
        self._connections[file] = connection

    def unregister(self, file: int) -> None:
        """Stop that; to be done before the socket is closed."""
        assert self._epoll is not None
        del self._connections[file]
        self._epoll.unregister(file)

    async def run(self) -> None:
        """Read until cancelled."""
        if self._epoll is None:
            return
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            began_at = trio.current_time()
            read_bytes = 0
            for file, _ in self._epoll.poll(0):
                if file in self._connections:  # it may have been closed meanwhile
                    read_bytes = max(read_bytes, self._connections[file].on_readable())
                    if trio.current_time() > began_at + self._turn_s:  # the other tasks' turn
                        await trio.lowlevel.checkpoint()
                        began_at = trio.current_time()
            # Who sends that much is not kept waiting.
            await trio.sleep(self._poll_every_s if read_bytes < _LARGE_BYTES else 0)
