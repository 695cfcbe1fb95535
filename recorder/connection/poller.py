"""Waits for the data of all connections at once, where the system has epoll.

trio waits for each socket by itself: it tries to read in vain, arms epoll, wakes, and reads; that is most of what a
message costs where many rooms are recorded. Here each socket is registered once, and one task reads all that are ready,
a few milliseconds apart, so that messages of many rooms share one wake.
"""

import select
from typing import Protocol

import trio

from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings


class Readable(Protocol):
    """What the poller reads."""

    def on_readable(self) -> None:
        """Read what has arrived; called when there is something, or the end."""


class Poller:
    """Calls `on_readable` of each registered connection that has data, while `run` runs.

    A connection that does not read although it is called is called again after each pause.
    """

    def __init__(self, timings: Timings = DEFAULT_TIMINGS) -> None:
        self._poll_every_s = timings.poll_every_s
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
        with self._epoll:
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                for file, _ in self._epoll.poll(0):
                    if file in self._connections:  # it may have been closed by the one before
                        self._connections[file].on_readable()
                await trio.sleep(self._poll_every_s)
