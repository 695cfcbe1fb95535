"""A recorder at work in this process, and what it has put into its database."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import duckdb
import trio

from pulsoid_rec.recorder.connection.server_url import ServerUrl, parse_server_url
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.pulsoid.credentials import Credentials
from pulsoid_rec.recorder.pulsoid.messages import KINDS
from pulsoid_rec.recorder.recorder import Options, Recorder
from pulsoid_rec.recorder.simulator.simulator import Simulator

FAST = Timings(first_reconnect_s=0.01, longest_reconnect_s=0.01, refused_reconnect_s=0.02, close_timeout_s=0.05)
"""Reconnects at once, and closes within a moment."""


def make_recorder(
    server: str | ServerUrl,
    database: Path,
    *rooms: str,
    token_file: Path | None = None,
    timings: Timings = FAST,
    consent_file: Path | None = None,
    **changes: Any,
) -> Recorder:
    """Make a recorder of these rooms; changes are parameters of `Recorder`."""
    server_url = parse_server_url(server) if isinstance(server, str) else server
    credentials = Credentials(token_file)
    options = Options(rooms or ("demo",), database, server_url, credentials, KINDS, consent_file=consent_file)
    return Recorder(options, timings=timings, **changes)


@asynccontextmanager
async def running(recorder: Recorder) -> AsyncIterator[Recorder]:
    """Record while the block runs, then end in good order."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder.run)
        yield recorder
        recorder.stop.set()


@asynccontextmanager
async def recording(simulator: Simulator, database: Path, *rooms: str, **changes: Any) -> AsyncIterator[Recorder]:
    """Record from the simulator while the block runs, then end in good order."""
    options = {"kinds": KINDS} | changes
    recorder = Recorder(Options(rooms, database, parse_server_url(simulator.url), Credentials(), **options))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder.run)
        for room in rooms:
            await simulator.wait_for_clients(room)
        yield recorder
        recorder.stop.set()


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    """Run a query on the database."""
    with duckdb.connect(database, read_only=True) as connection:
        return connection.execute(query).fetchall()


def connection_events(database: Path) -> list[tuple[str, int | None, str | None]]:
    """List the events of the connections, in order."""
    return [(event, code, reason) for event, code, reason in rows(database, _EVENTS)]


_EVENTS = "SELECT event, code, reason FROM connection_events ORDER BY rowid"


async def until(condition: Callable[[], bool], within_s: float = 10) -> None:
    """Wait for something to become true."""
    with trio.fail_after(within_s):
        while not condition():
            await trio.sleep(0.005)
