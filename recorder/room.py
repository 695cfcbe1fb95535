"""Record one room: connect, append every message to the journal, and reconnect when the connection ends."""

import contextlib
import logging
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from pulsoid_rec.recorder.clock import ReceiptClock
from pulsoid_rec.recorder.connection.disconnects import Disconnect, ended_connection, failed_attempt, refused_error
from pulsoid_rec.recorder.connection.liveness import close, ping_until_dead
from pulsoid_rec.recorder.connection.poller import Poller
from pulsoid_rec.recorder.connection.reconnect import ConnectionState, Event, State
from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.connection.text_frames import Text
from pulsoid_rec.recorder.connection.watched_stream import WatchedStream
from pulsoid_rec.recorder.connection.websocket import CannotConnectError, ReaderTask, open_stream, open_websocket
from pulsoid_rec.recorder.consent import Consent, ConsentGate
from pulsoid_rec.recorder.contract.errors import RefusedError, UsageError
from pulsoid_rec.recorder.contract.ids import new_id
from pulsoid_rec.recorder.contract.limits import Limits
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.contract.wording import format_duration
from pulsoid_rec.recorder.gaps import Gaps
from pulsoid_rec.recorder.journal.journal import Journal
from pulsoid_rec.recorder.journal.rows import ConnectionEventRow, reject
from pulsoid_rec.recorder.pulsoid.known_secrets import redact_messages, redact_start
from pulsoid_rec.recorder.pulsoid.messages import parse_message
from pulsoid_rec.recorder.pulsoid.token_refresh import TokenRefresh
from pulsoid_rec.recorder.status import RoomStatus
from pulsoid_rec.recorder.suspension import Suspension, SuspensionWatch

_INTERNAL_ERROR = "internal error: {}"  # without the error's text, which may hold anything

log = logging.getLogger(__name__)


@dataclass(kw_only=True, eq=False)
class Room:
    """Records one room until `stop` is set.

    `refresh` has the token; `on_refused` is called at each refusal, with the error for the user; `clock` and
    `suspensions` are those of the run. Secrets are removed from all that the server says, before anything is done with
    it. With `consent`, of members without it nothing is stored but how many messages they sent, and of a message that
    cannot be parsed nothing but why.
    """

    room_id: str
    server_url: ServerUrl
    refresh: TokenRefresh
    kinds: tuple[str, ...]
    journal: Journal
    poller: Poller
    stop: trio.Event
    on_refused: Callable[["Room", RefusedError], None]
    timings: Timings
    limits: Limits
    clock: ReceiptClock
    suspensions: SuspensionWatch
    consent: Consent | None = None  # None: everybody is recorded

    def __post_init__(self) -> None:
        """Start without a connection."""
        self.status = RoomStatus(self.room_id, most_members=self.limits.members, gaps=Gaps(self.clock.next_us()))
        self.connection = ConnectionState(random.random, self.timings)
        self._connection_id = ""
        self._last_failure: Disconnect | None = None
        self._opened_at = 0.0  # on trio's clock
        self._stored_at = 0  # the latest stamp of this connection
        self._is_lost = False
        self._failure: Exception | None = None  # the first error of ours about a message of this connection
        self._has_failed = trio.Event()
        self._gate = ConsentGate(self.consent, self.status, self.timings, self.limits)
        self._reading_since = -math.inf  # on trio's clock; infinite while the journal is full

    async def run(self) -> None:
        """Record until `stop` is set. Cancelled, it drops the connection; everything received stays in the journal.

        An error of our own is logged, and ends the connection of this room alone.
        """
        while not self.stop.is_set():
            self._enter(self.connection.state)
            self._connection_id = new_id()
            try:
                end = await self._attempt()
                if end.event is Event.REFUSED:
                    self.on_refused(self, refused_error(self.room_id, end))
                    if self.stop.is_set():  # refused from the start: nothing to record
                        break
                self._record_end(end)
            except Exception as error:  # noqa: BLE001 - the other rooms are not to notice
                end = self._record_internal_error(error)
            if end.event is Event.STOPPED:
                break
            await self._wait(end)
        self._enter(self.connection.on(Event.STOPPED))

    def _enter(self, state: State, problem: str | None = None) -> None:
        self.status.enter(state, trio.current_time(), problem)

    async def _wait(self, end: Disconnect) -> None:
        """Wait until it is time to connect again."""
        state = self.connection.on(end.event)
        if state is State.CONNECTING:
            return
        delay_s = self.connection.delay_s(end.lived_s, end.retry_after_s)
        problem = refused_error(self.room_id, end).message if state is State.REFUSED else end.reason
        if problem != self.status.problem:  # a repeated failure is logged once
            log.warning("%s: %s. Trying again in %s.", self.room_id, problem, format_duration(delay_s))
        self._enter(state, problem)
        with trio.move_on_after(delay_s):
            await self.stop.wait()
            return
        self.connection.on(Event.DUE)

    async def _attempt(self) -> Disconnect:
        """Connect and record until the connection ends; return why it did."""
        suspension = self.suspensions.look()
        stream: WatchedStream | None = None
        try:
            token = await self.refresh.read_token()
            stream = await open_stream(self.server_url, self.timings, self.limits, self.poller)
            end = await self._receive_all(stream, token)
        except UsageError as error:  # the token file or variable is no longer valid
            end = Disconnect(Event.REFUSED, "refused", None, error.message)
        except CannotConnectError as error:
            end = failed_attempt(error.reason, error.status, error.retry_after_s)
        finally:
            if stream is not None:
                await trio.aclose_forcefully(stream)
        if end.event is Event.FAILED and self.suspensions.look() is not suspension:
            end = replace(end, event=Event.SUSPENDED)  # time ran out while nobody was there
        if end.code == HTTPStatus.UNAUTHORIZED and await self.refresh.replace(token):
            end = replace(end, event=Event.FAILED, reason=f"{end.reason}; the token was replaced")
        return replace(end, reason=redact_start(end.reason))

    async def _receive_all(self, stream: WatchedStream, token: str) -> Disconnect:
        """Open the WebSocket and receive until it ends."""
        async with trio.open_nursery() as nursery:
            reader = ReaderTask(nursery)
            path = self.server_url.room_path(self.room_id, self.kinds)
            try:
                websocket = await open_websocket(reader, stream, self.server_url, path, token, timings=self.timings)
            except CannotConnectError as error:
                end = failed_attempt(error.reason, error.status, error.retry_after_s)
            else:
                self._record_opened()
                nursery.start_soon(self.refresh.confirm, token)
                suspension = self.suspensions.look()
                stream.deliver_to(self._store, self._wait_for_space)
                nursery.start_soon(self._stop_if_dead, websocket, stream, reader)
                after_suspension = partial(self.suspensions.wait_for_next, suspension)
                nursery.start_soon(self._drain_and_stop, after_suspension, stream, reader)
                nursery.start_soon(self._drain_and_stop, self._has_failed.wait, stream, reader)
                nursery.start_soon(self._stop_at_end, reader)
                with contextlib.suppress(ConnectionClosed):
                    await websocket.get_message()  # there is none: the stream delivers them to `_store`
                if (failure := stream.handler_error or self._failure) is not None:
                    raise failure
                end = self._end_of(websocket, stream, suspension)
                if end.is_invalid_data:
                    self._store_last_bytes(end, stream)
                if not self._is_lost:
                    await close(websocket, stream, self.timings.close_timeout_s)
            nursery.cancel_scope.cancel()
        return end

    async def _stop_at_end(self, reader: ReaderTask) -> None:
        await self.stop.wait()
        reader.stop()

    async def _drain_and_stop(
        self, wait: Callable[[], Awaitable[None]], stream: WatchedStream, reader: ReaderTask
    ) -> None:
        """After waiting, receive what the system has kept, then stop the reader."""
        await wait()
        with trio.move_on_after(self.timings.drain_timeout_s):
            await stream.drain()
        reader.stop()

    async def _stop_if_dead(self, websocket: WebSocketConnection, stream: WatchedStream, reader: ReaderTask) -> None:
        # Any byte proves that the connection works, but none arrives while we do not read.
        await ping_until_dead(
            websocket,
            lambda: max(stream.received_at, self._reading_since),
            lambda: self.status.messages,
            self.timings,
        )
        self._is_lost = True
        reader.stop()

    def _store(self, texts: list[Text]) -> bool:
        """Append messages to the journal; return whether there is space for more."""
        journal, status, room_id, connection_id = self.journal, self.status, self.room_id, self._connection_id
        received_at, most_bytes = self.clock.next_us(len(texts)), self._gate.raw_bytes
        parse = partial(parse_message, room_id=room_id, raw_bytes=most_bytes)
        for text in redact_messages(texts):
            try:
                row = parse(text, connection_id=connection_id, received_at=received_at)
            except Exception as error:  # noqa: BLE001 - an error of ours must not cost the messages behind this one
                self._fail(error)
                reason = _INTERNAL_ERROR.format(type(error).__name__)
                row = reject(room_id, connection_id, received_at, reason, str(text), most_bytes=most_bytes)
            received_at += 1
            if self._gate.drops(row):
                self._append_count(received_at - 1)
                continue
            journal.append(row)
            try:
                status.update(row)
            except Exception as error:  # noqa: BLE001 - as above
                self._fail(error)
        self._stored_at = received_at - 1
        return not journal.is_full

    def _append_count(self, at: int, *, is_last: bool = False) -> None:
        if (counted := self._gate.take_count(self._connection_id, at, is_last=is_last)) is not None:
            self.journal.append(counted)

    def _fail(self, error: Exception) -> None:
        """End the connection for an error of ours, after what the system has received."""
        self._failure = self._failure or error
        self._has_failed.set()

    async def _wait_for_space(self) -> None:
        self._reading_since = math.inf
        try:
            await self.journal.wait_for_space()
        finally:  # or the next connection would never count as dead
            self._reading_since = trio.current_time()

    def _end_of(
        self, websocket: WebSocketConnection, stream: WatchedStream, suspension: Suspension | None
    ) -> Disconnect:
        """Return how the connection ended; it was heard up to its last sign of life, and not while nobody listened."""
        latest = self.suspensions.look()
        if latest is not None and latest is not suspension:
            return Disconnect(Event.SUSPENDED, "lost", None, str(latest), ended_at=latest.begins_at)
        if self.stop.is_set():
            return Disconnect(Event.STOPPED, "closed", 1000, "the recorder was stopped")
        closed = websocket.closed
        said = closed.reason if closed and self.consent is None else None  # it may hold anybody's id
        end = ended_connection(closed.code if closed else 1006, said)
        silent_s = trio.current_time() - stream.received_at
        if self._is_lost:
            reason = f"no answer to a ping, and nothing received for {format_duration(silent_s)}"
            end = Disconnect(Event.ENDED, "lost", None, reason)
        ended_at = max(self._stored_at, self.clock.next_us() - round(silent_s * 1e6)) if end.kind == "lost" else None
        return replace(end, lived_s=max(0.0, stream.received_at - self._opened_at), ended_at=ended_at)

    def _store_last_bytes(self, end: Disconnect, stream: WatchedStream) -> None:
        """Store the last bytes of a connection that sent invalid data, since there is no message to store."""
        raw = redact_start(stream.last_bytes.decode("utf-8", "backslashreplace"))
        reason = f"{end.reason}; these are the last bytes of that connection"
        at = self.clock.next_us()
        self.journal.append(reject(self.room_id, self._connection_id, at, reason, raw, most_bytes=self._gate.raw_bytes))

    def _record_opened(self) -> None:
        self.status.reconnects += self.connection.was_live
        self._enter(self.connection.on(Event.OPENED))
        self._last_failure, self._is_lost = None, False
        self._failure, self._has_failed = None, trio.Event()
        self._opened_at, self._stored_at = trio.current_time(), self.clock.next_us()
        log.info("%s: connected.", self.room_id)
        self._record_event("opened", self._stored_at)

    def _record_end(self, end: Disconnect) -> None:
        """Record the end in `connection_events`; of attempts that fail alike, only the first."""
        self._append_count(self.clock.next_us(), is_last=True)
        if self.connection.state is not State.LIVE:
            if end == self._last_failure or end.event is Event.SUSPENDED:
                return
            self._last_failure = end
        self._record_event(end.kind, end.ended_at or self.clock.next_us(), end.code, end.reason)

    def _record_internal_error(self, error: Exception) -> Disconnect:
        """Log an error of our own, and end the connection if there is one; not even that may end the others'."""
        first = error
        while isinstance(first, ExceptionGroup):
            first = first.exceptions[0]
        reason = _INTERNAL_ERROR.format(type(first).__name__)
        log.error("%s: %s. Please report it, with the log beside the database.", self.room_id, reason, exc_info=error)
        is_live = self.connection.state is State.LIVE
        end = Disconnect(
            Event.ENDED if is_live else Event.FAILED, "lost", None, reason, lived_s=0.0 if is_live else None
        )
        with contextlib.suppress(Exception):
            self._record_end(end)
        return end

    def _record_event(self, kind: str, at: int, code: int | None = None, reason: str | None = None) -> None:
        row = ConnectionEventRow(self.room_id, self._connection_id, kind, at, code, reason)
        self.journal.append(row)
        self.status.gaps.update(row)
