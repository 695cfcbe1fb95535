"""Record one room: connect, append every message to the journal, and reconnect when the connection ends."""

import contextlib
import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from pulsoid_rec.recorder.connection.disconnects import Disconnect, ended_connection, failed_attempt, refused_error
from pulsoid_rec.recorder.connection.reconnect import ConnectionState, Event, State
from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.connection.text_frames import Text
from pulsoid_rec.recorder.connection.watched_stream import WatchedStream
from pulsoid_rec.recorder.connection.websocket import CannotConnectError, ReaderTask, open_stream, open_websocket
from pulsoid_rec.recorder.contract.errors import RefusedError, UsageError
from pulsoid_rec.recorder.contract.ids import new_id
from pulsoid_rec.recorder.contract.limits import Limits
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.journal.journal import Journal
from pulsoid_rec.recorder.journal.rows import ConnectionEventRow, reject
from pulsoid_rec.recorder.pulsoid.messages import parse_message
from pulsoid_rec.recorder.pulsoid.token_refresh import TokenRefresh
from pulsoid_rec.recorder.status import RoomStatus

_ROWS_AT_ONCE = 200
"""Rows made before other tasks have their turn."""

log = logging.getLogger(__name__)


@dataclass(kw_only=True, eq=False)
class Room:
    """Records one room until `stop` is set.

    `refresh` has the token; `on_refused` is called at each refusal, with the error for the user; `time_ns` is the wall
    clock, in nanoseconds since 1970, UTC.
    """

    room_id: str
    server_url: ServerUrl
    refresh: TokenRefresh
    kinds: tuple[str, ...]
    journal: Journal
    stop: trio.Event
    on_refused: Callable[["Room", RefusedError], None]
    timings: Timings
    limits: Limits
    time_ns: Callable[[], int]

    def __post_init__(self) -> None:
        """Start without a connection."""
        self.status = RoomStatus(self.room_id)
        self.connection = ConnectionState(trio.current_time, random.random, self.timings)
        self._connection_id = ""
        self._last_failure: Disconnect | None = None
        self._is_lost = False
        self._reading_since = -math.inf  # on trio's clock; infinite while the journal is full

    async def run(self) -> None:
        """Record until `stop` is set. Cancelled, it drops the connection; everything received stays in the journal."""
        while not self.stop.is_set():
            self._enter(self.connection.state)
            self._connection_id = new_id()
            end = await self._attempt()
            if end.event is Event.REFUSED:
                self.on_refused(self, refused_error(self.room_id, end))
                if self.stop.is_set():  # refused from the start: nothing to record
                    break
            self._record_end(end)
            if end.event is Event.STOPPED:
                break
            await self._wait(end)
        self._enter(self.connection.on(Event.STOPPED))

    def _enter(self, state: State, problem: str | None = None) -> None:
        self.status.enter(state, trio.current_time(), problem)

    async def _wait(self, end: Disconnect) -> None:
        """Wait until it is time to connect again."""
        state = self.connection.on(end.event)
        delay_s = self.connection.delay_s()
        problem = refused_error(self.room_id, end).message if state is State.REFUSED else end.reason
        if problem != self.status.problem:  # a repeated failure is logged once
            log.warning("%s: %s. Trying again in %.0f s.", self.room_id, problem, delay_s)
        self._enter(state, problem)
        with trio.move_on_after(delay_s):
            await self.stop.wait()
            return
        self.connection.on(Event.DUE)

    async def _attempt(self) -> Disconnect:
        """Connect and record until the connection ends; return why it did."""
        stream: WatchedStream | None = None
        try:
            token = self.refresh.credentials.read_token()
            stream = await open_stream(self.server_url, self.timings, self.limits)
            end = await self._receive_all(stream, token)
        except UsageError as error:  # the token file or variable is no longer valid
            end = Disconnect(Event.REFUSED, "refused", None, error.message)
        except CannotConnectError as error:
            end = failed_attempt(error.reason, error.status)
        finally:
            if stream is not None:
                await trio.aclose_forcefully(stream)
        if end.code == HTTPStatus.UNAUTHORIZED and await self.refresh.replace(token):
            end = replace(end, event=Event.FAILED, reason=f"{end.reason}; the token was replaced")
        return end

    async def _receive_all(self, stream: WatchedStream, token: str) -> Disconnect:
        """Open the WebSocket and receive until it ends."""
        async with trio.open_nursery() as nursery:
            reader = ReaderTask(nursery)
            path = self.server_url.room_path(self.room_id, self.kinds)
            try:
                websocket = await open_websocket(reader, stream, self.server_url, path, token, timings=self.timings)
            except CannotConnectError as error:
                end = failed_attempt(error.reason, error.status)
            else:
                self._record_opened()
                stream.deliver_to(self._store)
                nursery.start_soon(self._ping, websocket, stream, reader)
                nursery.start_soon(self._stop_reader, reader)
                await self._receive(websocket)
                if stream.handler_error is not None:
                    raise stream.handler_error
                end = self._end_of(websocket)
                if end.is_invalid_data:
                    self._store_last_bytes(end, stream)
                with trio.move_on_after(0 if self._is_lost else self.timings.close_timeout_s):
                    await websocket.aclose()
            nursery.cancel_scope.cancel()
        return end

    async def _stop_reader(self, reader: ReaderTask) -> None:
        await self.stop.wait()
        reader.stop()

    async def _ping(self, websocket: WebSocketConnection, stream: WatchedStream, reader: ReaderTask) -> None:
        """Ping until nothing arrives any more, then stop the reader: a silent room still answers pings."""
        while not self._is_lost:
            await trio.sleep(self.timings.ping_interval_s)
            pinged_at = trio.current_time()
            with trio.move_on_after(self.timings.pong_timeout_s), contextlib.suppress(ConnectionClosed):
                await websocket.ping()
            if self._is_silent_since(pinged_at, stream):
                await trio.sleep(self.timings.recheck_delay_s)
                self._is_lost = self._is_silent_since(pinged_at, stream)
        reader.stop()

    def _is_silent_since(self, instant: float, stream: WatchedStream) -> bool:
        # Any byte proves that the connection works, but none arrives while we do not read.
        return stream.received_at < instant and self._reading_since <= instant

    async def _receive(self, websocket: WebSocketConnection) -> None:
        """Wait until the connection is closed; meanwhile the stream delivers to `_store`."""
        with contextlib.suppress(ConnectionClosed):
            await websocket.get_message()

    async def _store(self, texts: list[Text]) -> None:
        """Append messages to the journal; return when there is space for more."""
        journal, status, room_id, connection_id = self.journal, self.status, self.room_id, self._connection_id
        received_at = self.time_ns() // 1000
        for number, text in enumerate(texts, 1):
            row = parse_message(text, room_id=room_id, connection_id=connection_id, received_at=received_at)
            journal.append(row)
            status.update(row)
            if number % _ROWS_AT_ONCE == 0:
                await trio.lowlevel.cancel_shielded_checkpoint()  # shielded, so that none of them is lost
        if journal.is_full:
            self._reading_since = math.inf
            await journal.wait_for_space()
            self._reading_since = trio.current_time()

    def _end_of(self, websocket: WebSocketConnection) -> Disconnect:
        if self.stop.is_set():
            return Disconnect(Event.STOPPED, "closed", 1000, "the recorder was stopped")
        if self._is_lost:
            reason = f"no answer to a ping for {self.timings.pong_timeout_s:.0f} s"
            return Disconnect(Event.ENDED, "lost", None, reason)
        closed = websocket.closed
        return ended_connection(closed.code, closed.reason) if closed else ended_connection(1006)

    def _store_last_bytes(self, end: Disconnect, stream: WatchedStream) -> None:
        """Store the last bytes of a connection that sent invalid data, since there is no message to store."""
        raw = stream.last_bytes.decode("utf-8", "backslashreplace")
        reason = f"{end.reason}; these are the last bytes of that connection"
        received_at = self.time_ns() // 1000
        self.journal.append(reject(self.room_id, self._connection_id, received_at, reason, raw))

    def _record_opened(self) -> None:
        self.status.reconnects += self.connection.was_live
        self._enter(self.connection.on(Event.OPENED))
        self._last_failure, self._is_lost = None, False
        log.info("%s: connected.", self.room_id)
        self._record_event("opened")

    def _record_end(self, end: Disconnect) -> None:
        """Record the end in `connection_events`; of attempts that fail alike, only the first."""
        if end.event in (Event.FAILED, Event.REFUSED):
            if end == self._last_failure:
                return
            self._last_failure = end
        self._record_event(end.kind, end.code, end.reason)

    def _record_event(self, kind: str, code: int | None = None, reason: str | None = None) -> None:
        at = self.time_ns() // 1000
        self.journal.append(ConnectionEventRow(self.room_id, self._connection_id, kind, at, code, reason))
