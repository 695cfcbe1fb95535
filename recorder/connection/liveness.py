"""Whether a connection is alive, and how to leave it: pings, and the closing handshake."""

import contextlib
from collections.abc import Callable

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from pulsoid_rec.recorder.connection.watched_stream import WatchedStream
from pulsoid_rec.recorder.contract.timings import Timings


async def ping_until_dead(
    websocket: WebSocketConnection, heard_at: Callable[[], float], count: Callable[[], int], timings: Timings
) -> None:
    """Ping at intervals, and at once when a room that talked falls silent; return when nothing answers any more.

    A silent room answers pings, and one that talks need not. Nothing is done for a single message: this looks at when
    the last byte came, every few seconds. `heard_at` returns when the connection last gave a sign of life, on trio's
    clock, `count` how many messages were received.
    """
    pinged_at, counted = heard_at(), count()
    async with trio.open_nursery() as pings:
        while True:
            now, heard = trio.current_time(), heard_at()
            if heard < pinged_at:
                due = pinged_at + timings.pong_timeout_s
                if now >= due:
                    await trio.sleep(timings.recheck_delay_s)
                    if heard_at() < pinged_at:
                        break
                    continue
            else:
                has_talked = count() != counted
                due = min(pinged_at + timings.ping_interval_s, heard + timings.silence_s if has_talked else now + 1e9)
                if now >= due:
                    pinged_at, counted = now, count()
                    pings.start_soon(_ping, websocket, timings.pong_timeout_s)
                    continue
            await trio.sleep_until(min(due, now + timings.silence_s))
        pings.cancel_scope.cancel()


async def _ping(websocket: WebSocketConnection, timeout_s: float) -> None:
    with trio.move_on_after(timeout_s), contextlib.suppress(ConnectionClosed):
        await websocket.ping()


async def close(websocket: WebSocketConnection, stream: WatchedStream, timeout_s: float) -> None:
    """Close in good order once the reader has ended; give up after `timeout_s`.

    Messages that arrive before the server closes, too, are still delivered.
    """
    if websocket.closed is not None:  # by the server
        return
    was_usual = stream.is_usual
    with trio.move_on_after(timeout_s):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(websocket.aclose)
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                # A close frame is not usual; where others came before, the end of the connection is awaited.
                while await stream.receive_some() and stream.is_usual is was_usual:
                    pass
            nursery.cancel_scope.cancel()
