"""Recording one room: connect, take down every frame, and when the connection ends, begin again."""

import contextlib
import logging
import math
import random
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from time import time_ns

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from pulsoid_rec.recorder.connection.disconnects import NOT_UNDERSTOOD, End, end_of_attempt, end_of_live, refusal
from pulsoid_rec.recorder.connection.reconnect import ConnectionState, Event, State
from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.connection.watched_stream import WatchedStream
from pulsoid_rec.recorder.connection.websocket import CannotConnectError, Reader, open_stream, open_websocket
from pulsoid_rec.recorder.contract.errors import RefusedError, UsageError
from pulsoid_rec.recorder.contract.ids import new_id
from pulsoid_rec.recorder.journal.journal import Journal
from pulsoid_rec.recorder.journal.rows import ConnectionEventRow, RejectedMessageRow
from pulsoid_rec.recorder.pulsoid.credentials import Credentials
from pulsoid_rec.recorder.pulsoid.messages import parse_message
from pulsoid_rec.recorder.pulsoid.token_refresh import TokenRefresh
from pulsoid_rec.recorder.status import RoomStatus

PING_INTERVAL_S = 20.0
PONG_TIMEOUT_S = 10.0
RECHECK_DELAY_S = 0.5
"""If this process was stopped meanwhile, what came is still to be read."""
CLOSE_TIMEOUT_S = 0.5
log = logging.getLogger(__name__)


class Room:
    """Records one room until it is stopped.

    Parameters
    ----------
    room_id
        The room.
    server, credentials, refresh
        Where it is, the token for it, and who finds another one when that is refused.
    kinds
        The kinds of message to ask for.
    journal
        Where the rows go.
    stop
        Set when recording is to end.
    on_refused
        Called at each refusal, with what to tell the user.
    """

    def __init__(
        self,
        room_id: str,
        *,
        server: ServerUrl,
        credentials: Credentials,
        refresh: TokenRefresh,
        kinds: tuple[str, ...],
        journal: Journal,
        stop: trio.Event,
        on_refused: Callable[["Room", RefusedError], None],
    ) -> None:
        self.room_id = room_id
        self.status = RoomStatus(room_id)
        self.connection = ConnectionState(trio.current_time, random.random)
        self._server = server
        self._credentials = credentials
        self._refresh = refresh
        self._kinds = kinds
        self._journal = journal
        self._stop = stop
        self._on_refused = on_refused
        self._connection_id = ""
        self._noted_failure: End | None = None
        self._reads_since = -math.inf  # on the clock of trio; in the future while the journal makes it wait

    async def run(self) -> None:
        """Record until `stop` is set. Cancelled, it drops the connection where it is; all taken down stays so."""
        while not self._stop.is_set():
            self._enter(self.connection.state)
            self._connection_id = new_id()
            end = await self._attempt()
            if end.event is Event.REFUSED:
                self._on_refused(self, refusal(self.room_id, end.code, end.reason))
                if self._stop.is_set():  # refused from the start: there is nothing to note
                    break
            self._note_end(end)
            if end.event is Event.STOPPED:
                break
            await self._wait(end)
        self._enter(self.connection.on(Event.STOPPED))

    def _enter(self, state: State, trouble: str | None = None) -> None:
        self.status.enter(state, trio.current_time(), trouble)

    async def _wait(self, end: End) -> None:
        """Wait until it is time to connect again."""
        state = self.connection.on(end.event)
        delay_s = self.connection.delay_s()
        trouble = end.reason if state is not State.REFUSED else refusal(self.room_id, end.code, end.reason).message
        if trouble != self.status.trouble:  # what goes on failing alike for hours is one line in the log
            log.warning("%s: %s. Trying again in %.0f s.", self.room_id, trouble, delay_s)
        self._enter(state, trouble)
        with trio.move_on_after(delay_s):
            await self._stop.wait()
            return
        self.connection.on(Event.DUE)

    async def _attempt(self) -> End:
        """Connect, and record until the connection ends, for whatever reason."""
        stream: WatchedStream | None = None
        try:
            token = self._credentials.read_token()
            stream = await open_stream(self._server)
            end = await self._converse(stream, token)
        except UsageError as error:  # the token is gone from where it was
            end = End(Event.REFUSED, "refused", None, error.message)
        except CannotConnectError as error:
            end = end_of_attempt(error.reason, error.status)
        finally:
            if stream is not None:
                await trio.aclose_forcefully(stream)
        if end.code == HTTPStatus.UNAUTHORIZED and await self._refresh.replace(token):
            end = replace(end, event=Event.FAILED, reason=f"{end.reason}; there is another token now")
        return end

    async def _converse(self, stream: WatchedStream, token: str) -> End:
        """Open the WebSocket, and take down what it brings until it ends."""
        async with trio.open_nursery() as nursery:
            reader = Reader(nursery)
            path = self._server.room_path(self.room_id, self._kinds)
            try:
                websocket = await open_websocket(reader, stream, self._server, path, token)
            except CannotConnectError as error:
                end = end_of_attempt(error.reason, error.status)
            else:
                self._note_opened()
                stream.take_messages(self._take)
                watch = _Watch(websocket, stream, self)
                nursery.start_soon(watch.run, reader)
                nursery.start_soon(self._hang_up_on_stop, reader)
                await self._receive(websocket)
                if stream.fault is not None:
                    raise stream.fault
                end = self._end_of(websocket, is_dead=watch.is_dead)
                if end.code in NOT_UNDERSTOOD:
                    self._note_not_understood(end, stream)
                with trio.move_on_after(0 if watch.is_dead else CLOSE_TIMEOUT_S):
                    await websocket.aclose()
            nursery.cancel_scope.cancel()
        return end

    async def _hang_up_on_stop(self, reader: Reader) -> None:
        await self._stop.wait()
        reader.stop()

    async def _receive(self, websocket: WebSocketConnection) -> None:
        """Take down every frame the library has, until the connection is closed and the last one received is taken."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                frame = await websocket.get_message()
                if isinstance(frame, str):  # binary ones are to be ignored
                    await self._take([frame])

    async def _take(self, frames: list[str]) -> None:
        """Take down frames that have just been received; return when there is room in memory for more."""
        journal, status, room_id, connection_id = self._journal, self.status, self.room_id, self._connection_id
        received_at = time_ns() // 1000
        for frame in frames:
            row = parse_message(frame, room_id=room_id, connection_id=connection_id, received_at=received_at)
            journal.append(row)
            status.take(row)
        if journal.is_full:
            self._reads_since = math.inf
            await journal.wait_for_space()
            self._reads_since = trio.current_time()

    def reads_since(self, instant: float) -> bool:
        """Tell whether the journal has let it read all the time from an instant on."""
        return self._reads_since <= instant

    def _end_of(self, websocket: WebSocketConnection, *, is_dead: bool) -> End:
        if self._stop.is_set():
            return End(Event.STOPPED, "closed", 1000, "the recorder was stopped")
        if is_dead:
            return End(Event.ENDED, "lost", None, f"no answer to a ping for {PONG_TIMEOUT_S:.0f} s")
        return end_of_live(websocket.closed.code, websocket.closed.reason) if websocket.closed else end_of_live(1006)

    def _note_not_understood(self, end: End, stream: WatchedStream) -> None:
        """Keep what came last as it came, since it is no message that could be kept word for word."""
        raw = stream.last_bytes.decode("utf-8", "backslashreplace")
        reason = f"{end.reason}; these are the last bytes of that connection"
        self._journal.append(RejectedMessageRow(self.room_id, self._connection_id, time_ns() // 1000, reason, raw))

    def _note_opened(self) -> None:
        self.status.reconnects += self.connection.was_live
        self._enter(self.connection.on(Event.OPENED))
        self._noted_failure = None
        log.info("%s: connected.", self.room_id)
        self._journal.append(ConnectionEventRow(self.room_id, self._connection_id, "opened", time_ns() // 1000))

    def _note_end(self, end: End) -> None:
        """Note the end in `connection_events`; of attempts that fail alike, the first."""
        if end.event in (Event.FAILED, Event.REFUSED):
            if end == self._noted_failure:
                return
            self._noted_failure = end
        self._journal.append(
            ConnectionEventRow(self.room_id, self._connection_id, end.kind, time_ns() // 1000, end.code, end.reason)
        )


class _Watch:
    """Tells a silent room from a dead connection, by pings."""

    def __init__(self, websocket: WebSocketConnection, stream: WatchedStream, room: Room) -> None:
        self._websocket = websocket
        self._stream = stream
        self._room = room
        self.is_dead = False

    async def run(self, reader: Reader) -> None:
        """Ping until nothing comes back, then stop the reader."""
        while not self.is_dead:
            await trio.sleep(PING_INTERVAL_S)
            pinged_at = trio.current_time()
            with trio.move_on_after(PONG_TIMEOUT_S), contextlib.suppress(ConnectionClosed):
                await self._websocket.ping()
            if self._is_silent_since(pinged_at):
                await trio.sleep(RECHECK_DELAY_S)
                self.is_dead = self._is_silent_since(pinged_at)
        reader.stop()

    def _is_silent_since(self, pinged_at: float) -> bool:
        # Any byte is as good a sign of life; and while we ourselves do not read, none can come.
        return self._stream.received_at < pinged_at and self._room.reads_since(pinged_at)
