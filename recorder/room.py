"""Recording one room: connect, take down every frame, and when the connection ends, begin again."""

import contextlib
import logging
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time_ns

import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection
from wsproto.frame_protocol import CloseReason

from recorder.connection import (
    CONNECT_TIMEOUT_S,
    CannotConnectError,
    WatchedStream,
    open_stream,
    open_websocket,
    rejection,
)
from recorder.connection_state import ConnectionState, Event, State
from recorder.credentials import Credentials
from recorder.errors import RefusedError, UsageError
from recorder.journal import Journal
from recorder.messages import parse_message
from recorder.rows import ConnectionEventRow
from recorder.server import Server
from recorder.status import RoomStatus

PING_EVERY_S = 20.0
PONG_WITHIN_S = 10.0
GOODBYE_S = 0.5
REFUSALS = {401, 403, 404}
"""HTTP answers that waiting alone does not mend."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class End:
    """How an attempt ended: for the state machine, for `connection_events`, and in words."""

    event: Event
    kind: str  # closed, refused or lost
    code: int | None
    reason: str


class Room:
    """Records one room until it is stopped.

    Parameters
    ----------
    room_id
        The room.
    server, credentials
        Where it is, and the token for it.
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
        server: Server,
        credentials: Credentials,
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
        self._kinds = kinds
        self._journal = journal
        self._stop = stop
        self._on_refused = on_refused
        self._connection_id = ""
        self._noted_failure: End | None = None
        self.is_held_back = False
        """Whether the journal makes it wait."""

    async def run(self) -> None:
        """Record until `stop` is set. Cancelled, it drops the connection where it is; all taken down stays so."""
        while not self._stop.is_set():
            self._enter(self.connection.state)
            self._connection_id = _connection_id()
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
        if end.reason != self.status.trouble:  # what goes on failing alike for hours is one line in the log
            log.warning("%s: %s. Trying again in %.0f s, and so on.", self.room_id, end.reason, delay_s)
        self.status.reconnects += 1
        self._enter(state, end.reason)
        with trio.move_on_after(delay_s):
            await self._stop.wait()
            return
        self.connection.on(Event.DUE)

    async def _attempt(self) -> End:
        """Connect, and record until the connection ends, for whatever reason."""
        stream: WatchedStream | None = None
        try:
            token = self._credentials.read_token()
            with trio.fail_after(CONNECT_TIMEOUT_S):
                stream = await open_stream(self._server)
            end = await self._converse(stream, token)
        except UsageError as error:  # the token is gone from where it was
            end = End(Event.REFUSED, "refused", None, str(error))
        except trio.TooSlowError:
            end = End(Event.FAILED, "lost", None, f"{self._server.authority} does not answer")
        except CannotConnectError as error:
            if error.status in REFUSALS:
                end = End(Event.REFUSED, "refused", error.status, error.reason)
            else:
                end = End(Event.FAILED, "refused" if error.status else "lost", error.status, error.reason)
        finally:
            if stream is not None:
                await trio.aclose_forcefully(stream)
        return end

    async def _converse(self, stream: WatchedStream, token: str) -> End:
        """Open the WebSocket, and take down what it brings until it ends.

        The library's reader runs in a scope of its own: when that is cancelled, what it has read can still be received.
        """
        failure: BaseException | None = None
        end: End | None = None
        try:
            async with trio.open_nursery() as nursery:
                reader: trio.Nursery = await nursery.start(_hold_nursery)
                with trio.fail_after(CONNECT_TIMEOUT_S):
                    path = self._server.room_path(self.room_id, self._kinds)
                    websocket = await open_websocket(reader, stream, self._server, path, token)
                self._note_opened()
                watch = _Watch(websocket, stream, self)
                nursery.start_soon(watch.run, reader.cancel_scope)
                nursery.start_soon(self._hang_up_on_stop, reader.cancel_scope)
                await self._receive(websocket)
                end = self._end_of(websocket, is_dead=watch.is_dead)
                with trio.move_on_after(0 if watch.is_dead else GOODBYE_S):
                    await websocket.aclose()
                nursery.cancel_scope.cancel()
        except* (CannotConnectError, ConnectionRejected, trio.TooSlowError) as group:
            failure = _first(group)
        if isinstance(failure, ConnectionRejected):
            raise rejection(failure)
        if failure is not None:
            raise failure
        assert end is not None
        return end

    async def _hang_up_on_stop(self, reader: trio.CancelScope) -> None:
        await self._stop.wait()
        reader.cancel()

    async def _receive(self, websocket: WebSocketConnection) -> None:
        """Take down every frame, until the connection is closed and the last one received is taken."""
        journal, status, room_id, connection_id = self._journal, self.status, self.room_id, self._connection_id
        try:
            while True:
                frame = await websocket.get_message()
                if isinstance(frame, str):  # binary ones are to be ignored
                    received_at = time_ns() // 1000
                    row = parse_message(frame, room_id=room_id, connection_id=connection_id, received_at=received_at)
                    journal.append(row)
                    status.take(row)
                    if journal.is_full:
                        self.is_held_back = True
                        await journal.wait_for_space()
                        self.is_held_back = False
        except ConnectionClosed:
            return

    def _end_of(self, websocket: WebSocketConnection, *, is_dead: bool) -> End:
        if self._stop.is_set():
            return End(Event.STOPPED, "closed", 1000, "the recorder was stopped")
        if is_dead:
            return End(Event.ENDED, "lost", None, f"no answer to a ping for {PONG_WITHIN_S:.0f} s")
        closed = websocket.closed
        if closed is None or closed.code == CloseReason.ABNORMAL_CLOSURE:
            return End(Event.ENDED, "lost", CloseReason.ABNORMAL_CLOSURE, "the connection broke off")
        words = f": {closed.reason}" if closed.reason else ""
        return End(Event.ENDED, "closed", closed.code, f"the connection was closed ({closed.code}{words})")

    def _note_opened(self) -> None:
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

    async def run(self, reader: trio.CancelScope) -> None:
        """Ping until nothing comes back, then stop the reader."""
        while not self.is_dead:
            await trio.sleep(PING_EVERY_S)
            pinged_at = trio.current_time()
            with trio.move_on_after(PONG_WITHIN_S), contextlib.suppress(ConnectionClosed):
                await self._websocket.ping()
            # While we ourselves do not read, the answer cannot come; and any other byte is as good a sign of life.
            self.is_dead = self._stream.received_at < pinged_at and not self._room.is_held_back
        reader.cancel()


async def _hold_nursery(task_status: trio.TaskStatus[trio.Nursery]) -> None:
    async with trio.open_nursery() as nursery:
        task_status.started(nursery)
        await trio.sleep_forever()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _connection_id() -> str:
    """Make an id that sorts by time and is unique for ever."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def refusal(room_id: str, status: int | None, reason: str) -> RefusedError:
    """Say in words what a refusal means for the user."""
    match status:
        case 401:
            return RefusedError(
                "The server refused the token (401): it is unknown, has expired, or lacks the scope data:room:read",
                "Get a new one at https://pulsoid.net/ui/keys.",
            )
        case 403:
            return RefusedError(
                f"The token's owner is not a member of room {room_id!r} (403)",
                "Check the room's id, or join the room with that account.",
            )
        case 404:
            return RefusedError(f"The server knows no room {room_id!r} (404)", "Check the room's id and --server.")
    return RefusedError(f"Room {room_id!r} was refused: {reason}", "See what it says, and start again.")
