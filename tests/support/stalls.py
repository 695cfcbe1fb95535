"""How long the event loop is held by one step, while a server in another thread sends what it likes."""

import queue
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import thread_time

import trio
from hostile_server import Act, open_hostile_server

_TICK_S = 0.005


@dataclass
class Stalls:
    """The longest time of computing between two ticks, in seconds; others' computing does not count."""

    longest_s: float = 0.0


@asynccontextmanager
async def measured_stalls() -> AsyncIterator[Stalls]:
    """Measure the event loop of this thread while the block runs."""
    stalls = Stalls()

    async def tick() -> None:
        while True:
            before = thread_time()
            await trio.sleep(_TICK_S)
            stalls.longest_s = max(stalls.longest_s, thread_time() - before)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tick)
        yield stalls
        nursery.cancel_scope.cancel()


@contextmanager
def hostile_thread(act: Act) -> Iterator[str]:
    """Serve in a thread of its own, whose computing does not count; gives the URL."""
    urls: queue.Queue[str] = queue.Queue()
    end = threading.Event()

    async def serve() -> None:
        async with open_hostile_server(act) as server:
            urls.put(server.url)
            while not end.is_set():
                await trio.sleep(0.02)

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    try:
        yield urls.get(timeout=10)
    finally:
        end.set()
        thread.join()
