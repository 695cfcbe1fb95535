"""Serves the live page beside a recorder: sockets, Hypercorn, the tick of each second. No error leaves this file."""

import errno
import logging
import math
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import wrap_app

from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits
from pulsoid_rec.recorder.contract.members_file import Member, find_members_file, read_members_file
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.health.watch import Watch
from pulsoid_rec.recorder.journal.rows import AnyRow
from pulsoid_rec.recorder.live.access import Access, make_key
from pulsoid_rec.recorder.live.app import LiveApp
from pulsoid_rec.recorder.live.events import RecorderEvent, frame
from pulsoid_rec.recorder.live.history import read_history
from pulsoid_rec.recorder.live.marks import Marking
from pulsoid_rec.recorder.live.members import LiveMembers
from pulsoid_rec.recorder.live.metrics import Metrics
from pulsoid_rec.recorder.live.state import LiveState
from pulsoid_rec.recorder.live.viewer_stream import ViewerStream
from pulsoid_rec.recorder.live.viewers import Viewers
from pulsoid_rec.recorder.pulsoid.known_secrets import add_secrets
from pulsoid_rec.recorder.recorder import Recorder

_ANY = {"0.0.0.0", "::"}  # noqa: S104 - what the user may ask for
_SLOWEST_RETRY_S = 10.0

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_listeners(host: str, port: int) -> AsyncIterator[list[trio.SocketListener]]:
    """Listen on a port until the block ends; 0 takes any. Raises `UsageError` if that cannot be."""
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        reasons = {errno.EADDRINUSE: "another program uses that port", errno.EACCES: "permission denied"}
        reason = reasons.get(error.errno or 0, str(error.strerror or error).lower())
        raise UsageError(
            f"Cannot serve the live page at {_netloc(host, port)}: {reason}",
            "Choose another with --live PORT, 0 for any free one; or another host with --live-host.",
        ) from None
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.socket.close()


class LiveServer:
    """The live page of a recorder; made before that records, so that no row is missed."""

    def __init__(
        self,
        recorder: Recorder,
        listeners: list[trio.SocketListener],
        host: str,
        *,
        timings: Timings = DEFAULT_TIMINGS,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._recorder, self._listeners = recorder, listeners
        self._timings, self._limits = timings, limits
        self._started_us = time.time_ns() // 1000
        self._rows: list[AnyRow] = []
        recorder.journal.listener = self._rows.append
        key = make_key(host)
        add_secrets(key)  # from what is logged
        port = listeners[0].socket.getsockname()[1]
        name = socket.gethostname() if host in _ANY else host
        self.url = f"http://{_netloc(name, port)}/" + (f"?key={key}" if key else "")
        described = _read_members(recorder)
        statuses = [room.status for room in recorder.rooms]
        self._consent = recorder.consent
        self._consented = self._consent and self._consent.members
        members = LiveMembers(recorder.options.rooms, described, limits.live_members, self._consent)
        self._state = LiveState(statuses, members, recorder.marks, self._started_us)
        self._watch = Watch(recorder, timings)
        self._viewers = Viewers(self._make_snapshot, limits)
        metrics = Metrics(recorder, self._state, self._watch, self._viewers)
        marking = Marking(recorder.marks, self._state, recorder.journal)
        app = LiveApp(
            access=Access(host, port, key),
            viewers=self._viewers,
            watch=self._watch,
            metrics=metrics,
            marking=marking,
            timings=timings,
            limits=limits,
        )
        self._app = wrap_app(cast(Any, app), 0, "asgi")
        self._config = _make_config(timings, limits)
        self._context = WorkerContext(None)
        self._streams: set[ViewerStream] = set()
        self._logged: set[str] = set()

    async def run(self) -> None:
        """Serve until cancelled, which closes all connections at once. An error is logged, and ends the page alone."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._close_at_end)
                nursery.start_soon(self._tick)
                nursery.start_soon(self._read_history)
                await trio.serve_listeners(self._serve, self._listeners, handler_nursery=nursery)
        except Exception:
            log.exception("The live page has ended for an internal error. Recording continues without it.")
        finally:
            self._recorder.journal.listener = None

    async def _tick(self) -> None:
        due = trio.current_time()
        while True:
            due = max(due + self._timings.live_update_s, trio.current_time())
            await trio.sleep_until(due)
            rows = self._rows[:]
            self._rows.clear()
            try:
                await self._update(rows)
            except Exception as error:  # noqa: BLE001 - the next one may be well
                self._log_once("The live page cannot be updated. Recording is not affected.", error)

    async def _update(self, rows: list[AnyRow]) -> None:
        self._watch.look()
        async with self._viewers.lock:
            await self._state.add(rows)
            consented = self._consent and self._consent.members
            if consented != self._consented:  # who has withdrawn is shown no longer
                self._consented = consented
                self._state.discard_changes()
                self._viewers.send(await self._make_snapshot(), is_snapshot=True)
            elif len(self._viewers):
                update = await self._state.update(_now_us(), self._describe_recorder())
                self._viewers.send(frame("update", update))
            else:
                self._state.discard_changes()
                self._viewers.send(b"")

    def _describe_recorder(self) -> RecorderEvent:
        journal_bytes, backlog_s = self._recorder.journal.backlog_bytes, round(self._watch.backlog_s, 1)
        return RecorderEvent(journal_bytes=journal_bytes, backlog_s=backlog_s, warnings=self._watch.find_warnings())

    async def _make_snapshot(self) -> bytes:
        return frame("snapshot", await self._state.snapshot(_now_us(), self._describe_recorder()))

    async def _read_history(self) -> None:
        """Add what was recorded before, once the database can be read."""
        retry_s = self._timings.live_history_retry_s
        while True:
            try:
                await self._add_history()
            except StorageError:  # another process holds it; ingest reports that
                await trio.sleep(retry_s)
                retry_s = min(2 * retry_s, _SLOWEST_RETRY_S)
            except Exception as error:  # noqa: BLE001 - the page can do without
                self._log_once("What was recorded earlier cannot be shown on the live page.", error)
                return
            else:
                return

    async def _add_history(self) -> None:
        options = self._recorder.options
        history = await self._recorder.ingester.run_between(
            read_history, options.database, options.rooms, options.run_id, self._started_us
        )
        async with self._viewers.lock:
            await self._state.add_history(history)
            self._viewers.send(await self._make_snapshot(), is_snapshot=True)

    async def _serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection."""
        viewer = ViewerStream(stream, self._timings)
        if len(self._streams) >= self._limits.live_connections:
            await trio.aclose_forcefully(stream)
            return
        self._streams.add(viewer)
        try:
            # Hypercorn has this for TLS, but uses no more of it than `ViewerStream` has.
            await TCPServer(self._app, self._config, self._context, ConnectionState({}), cast(Any, viewer))
        except Exception as error:  # noqa: BLE001 - of one connection
            self._log_once("A connection to the live page has failed. Recording is not affected.", error)
        finally:
            self._streams.discard(viewer)
            viewer.close()

    async def _close_at_end(self) -> None:
        """Close all connections once cancelled: Hypercorn waits for a viewer that takes nothing, come what may."""
        try:
            await trio.sleep_forever()
        finally:
            for stream in self._streams:
                stream.close()

    def _log_once(self, message: str, error: Exception) -> None:
        if message not in self._logged:
            log.error(message, exc_info=error)
        self._logged.add(message)


def _make_config(timings: Timings, limits: Limits) -> Config:
    config = Config()
    config.accesslog = config.errorlog = None  # an access log would have the key; errors are logged here
    config.h11_max_incomplete_size = limits.live_request_bytes
    config.include_server_header = False
    config.keep_alive_timeout = math.ceil(timings.live_request_timeout_s)
    return config


def _read_members(recorder: Recorder) -> Mapping[str, Member]:
    """Read the members file; one that cannot be read stops no recording."""
    options = recorder.options
    path = options.consent_file or find_members_file(options.database, options.members_file)
    try:
        return {} if path is None or not path.exists() else read_members_file(path)
    except UsageError as error:
        log.warning("%s The live page does without it.", error)
        return {}


def _now_us() -> int:
    return time.time_ns() // 1000


def _netloc(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
