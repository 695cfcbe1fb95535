"""A Pulsoid server in this process, opened by the command line, the demo or a test.

async with open_simulator(SimulatorConfig(rooms={"demo": None})) as simulator:
    ...  # connect to simulator.url with the token "demo-token"
    await simulator.wait_for_clients("demo")
    await simulator.send_heart_rate("demo", "user-1", 72)
"""

import logging
import math
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random

import trio

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.simulator.client import DEFAULT_LIMITS, GOING_AWAY, ClientLimits, disconnect
from pulsoid_rec.recorder.simulator.events import Event
from pulsoid_rec.recorder.simulator.faults import NO_FAULTS, Faults
from pulsoid_rec.recorder.simulator.oauth import DEFAULT_DEVICE_FLOW, DeviceFlow, OAuth
from pulsoid_rec.recorder.simulator.play import Clock, Play, Reading, now, pace
from pulsoid_rec.recorder.simulator.room import Room
from pulsoid_rec.recorder.simulator.server import Server
from pulsoid_rec.recorder.simulator.steering import apply_event
from pulsoid_rec.recorder.simulator.tokens import (
    DEMO_APPLICATION,
    DEMO_REFRESH_TOKEN,
    DEMO_TOKEN,
    Application,
    Token,
    Tokens,
)

HOST = "127.0.0.1"  # not reachable from the network
CLOSE_TIMEOUT_S = 2.0

log = logging.getLogger("simulator")  # apart from the recorder's own log


@dataclass(frozen=True)
class SimulatorConfig:
    """What to serve, on loopback.

    A play begins when its room's first client connects. Its members, and the owner of the default token, are the
    room's; the token of anybody else is refused with 403. In a room of None is only what `send_heart_rate` sends.
    """

    rooms: Mapping[str, Play | None] = field(default_factory=lambda: {"demo": None})
    tokens: tuple[Token, ...] = (Token(DEMO_TOKEN, refresh_token=DEMO_REFRESH_TOKEN),)
    application: Application = DEMO_APPLICATION  # the client id and secret that renew tokens
    device_flow: DeviceFlow | None = DEFAULT_DEVICE_FLOW  # how logins go; None: there are none
    speed: float = 1.0  # seconds of a play in a second
    port: int = 0  # 0 for any free one
    ssl_context: ssl.SSLContext | None = None  # to serve `wss` with
    faults: Faults = NO_FAULTS
    seed: int = 1  # of the times at which the faults occur
    limits: ClientLimits = DEFAULT_LIMITS  # how slow clients may be
    admits_pages: bool = False  # whether pages in a browser may connect, whosever they are

    def __post_init__(self) -> None:
        """Reject a config whose events would lie in the future."""
        if self.speed > 1 and any(play is not None and math.isinf(play.length_s) for play in self.rooms.values()):
            raise ValueError("a play without end cannot be played faster than real time: cut it with Play.first")


@dataclass(frozen=True)
class Simulator:
    """A running server at `url`, such as `ws://127.0.0.1:8765`. Made by `open_simulator`."""

    server: Server
    url: str

    async def send_heart_rate(self, room_id: str, profile_id: str, bpm: int, at: datetime | None = None) -> None:
        """Send a reading to all clients of a room, at `at` or else now; an unknown member is added, named as its id.

        It is queued at once for each connection, and waits only while one of them is 20,000 messages behind; one that
        then reads nothing for 5 s is cut.
        """
        room = self.server.rooms[room_id]
        room.members.setdefault(profile_id, {"name": profile_id})
        room.send_reading(Reading(0.0, profile_id, bpm), at or now())
        await room.wait_for_slow_clients()

    async def wait_for_clients(self, room_id: str, count: int = 1) -> None:
        """Wait until exactly `count` clients are connected to a room."""
        await self.server.rooms[room_id].wait_for_clients(count)

    async def wait_until_played(self) -> None:
        """Wait until every play is over, and all of it written to those who are connected."""
        for room in self.server.rooms.values():
            await room.played.wait()
            await room.flush()

    async def wait_until_counted(self, room_id: str, count: Callable[[], int], timeout_s: float) -> None:
        """Wait until a client has counted as many readings as were sent in a room, at most `timeout_s` seconds."""
        with trio.move_on_after(timeout_s):
            while count() < self.server.rooms[room_id].readings:  # noqa: ASYNC110 - a count is no event to wait for
                await trio.sleep(0.05)


@asynccontextmanager
async def open_simulator(config: SimulatorConfig | None = None) -> AsyncIterator[Simulator]:
    """Serve on loopback until the block ends; without a config, a silent room `demo`.

    At the end, cancelled or not, every connection is closed with 1001, for at most 2 s, and no task is left behind. An
    error of the block is raised unchanged, not in a group; `OSError` if the port is not available.
    """
    config = config or SimulatorConfig()
    server = _make_server(config)
    [listener] = await trio.open_tcp_listeners(config.port, host=HOST)
    listeners: list[trio.SocketListener | trio.SSLListener[trio.SocketStream]] = [listener]
    if config.ssl_context is not None:
        listeners = [trio.SSLListener(listener, config.ssl_context, https_compatible=True)]
    scheme = "ws" if config.ssl_context is None else "wss"
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, server.serve, listeners)
        for room_id, play in config.rooms.items():
            nursery.start_soon(_run_play, server.rooms[room_id], play, config.speed)
        try:
            yield Simulator(server, f"{scheme}://{HOST}:{listener.socket.getsockname()[1]}")
        except Exception as error:  # noqa: BLE001 - raised again below, outside the nursery that would wrap it
            failure = error
        finally:
            with trio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
                await disconnect(server.clients, GOING_AWAY)
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


def _make_server(config: SimulatorConfig) -> Server:
    rooms = {}
    for room_id, play in config.rooms.items():
        random = Random(f"{config.seed}/{room_id}/faults")
        rooms[room_id] = Room(room_id, play, config.faults, random, config.limits.write_timeout_s)
    tokens = config.tokens
    if config.faults.expire is not None:
        tokens = tuple(replace(token, life_s=min(token.life_s, config.faults.expire)) for token in tokens)
    known = Tokens(tokens, config.application, trio.current_time())
    scheme = "http" if config.ssl_context is None else "https"
    oauth = OAuth(known, config.device_flow, scheme, config.faults.expire or Token.life_s)
    random = Random(f"{config.seed}/faults")
    return Server(rooms, known, config.faults, random, config.limits, admits_pages=config.admits_pages, oauth=oauth)


async def _run_play(room: Room, play: Play | None, speed: float) -> None:
    def send(step: Reading | Event, at: datetime) -> None:
        if isinstance(step, Reading):
            room.send_reading(step, at)
            return
        try:
            apply_event(room, step, at)
        except UsageError as error:
            log.warning("%s: %s", room.room_id, error)

    if play is not None:
        await room.first_joined.wait()
        log.info("%s: the play begins", room.room_id)
        room.clock = Clock.start(play.length_s, speed)
        await pace(play, room.clock, send, room.wait_for_slow_clients)
        log.info("%s: the play is over after %s readings", room.room_id, f"{room.readings:,}")
    room.played.set()
