"""A Pulsoid server in this process: opened by a test, the demo or the command line, and steered through `control`.

async with open_simulator(SimulatorConfig(rooms={"demo": None})) as simulator:
    ...  # connect to simulator.url with the token "demo-token"
    await simulator.wait_for_clients("demo")
    await simulator.send_heart_rate("demo", "user-1", 72)
    await simulator.flush("demo")
    assert simulator.sent("demo")["heart_rate"] == 1
"""

import logging
import math
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random

import trio

from pulsoid_rec.recorder.simulator.client import GOING_AWAY
from pulsoid_rec.recorder.simulator.control import Simulator
from pulsoid_rec.recorder.simulator.faults import NO_FAULTS, Faults
from pulsoid_rec.recorder.simulator.play import Play, pace
from pulsoid_rec.recorder.simulator.room import Room
from pulsoid_rec.recorder.simulator.server import Server
from pulsoid_rec.recorder.simulator.tokens import (
    DEMO_APPLICATION,
    DEMO_REFRESH_TOKEN,
    DEMO_TOKEN,
    OWNER_ID,
    Application,
    Token,
    Tokens,
)
from pulsoid_rec.recorder.simulator.wire import Config

HOST = "127.0.0.1"  # Whoever is on the network has no business here.
CLOSE_TIMEOUT_S = 2.0

log = logging.getLogger("simulator")  # apart from the recorder's own log


@dataclass(frozen=True)
class SimulatorConfig:
    """What to serve.

    Parameters
    ----------
    rooms
        What is played in each room; in a room of None nothing happens but what is sent through `Simulator`. A play
        begins when its room's first client connects. Its members, and the owner of the default token, are the room's.
    tokens
        Who may connect. One whose `profile_id` is not a member of the room is refused with 403.
    application
        The client id and secret that renew tokens.
    speed
        Seconds of a play in a second.
    port
        0 for any that is free.
    ssl_context
        Serve `wss` with it.
    faults
        What goes wrong by itself.
    seed
        Of when it goes wrong.
    """

    rooms: Mapping[str, Play | None] = field(default_factory=lambda: {"demo": None})
    tokens: tuple[Token, ...] = (Token(DEMO_TOKEN, refresh_token=DEMO_REFRESH_TOKEN),)
    application: Application = DEMO_APPLICATION
    speed: float = 1.0
    port: int = 0
    ssl_context: ssl.SSLContext | None = None
    faults: Faults = NO_FAULTS
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse what would put events into the future."""
        if self.speed > 1 and any(play is not None and math.isinf(play.length_s) for play in self.rooms.values()):
            raise ValueError("a play without end cannot be played faster than life: cut it with Play.first")


@asynccontextmanager
async def open_simulator(config: SimulatorConfig | None = None) -> AsyncIterator[Simulator]:
    """Serve on loopback until the block ends.

    Parameters
    ----------
    config
        What to serve; unless given, a silent room `demo`.

    Raises
    ------
    OSError
        When the port cannot be had.

    At the end, cancelled or not, every connection is closed with 1001, for at most 2 s, and nothing is left behind.
    An error of the block comes out as it was raised, not in a group.
    """
    config = config or SimulatorConfig()
    server = _make_server(config)
    [listener] = await trio.open_tcp_listeners(config.port, host=HOST)
    port = listener.socket.getsockname()[1]
    listeners: list[trio.SocketListener | trio.SSLListener[trio.SocketStream]] = [listener]
    if config.ssl_context is not None:
        listeners = [trio.SSLListener(listener, config.ssl_context, https_compatible=True)]
    simulator = Simulator(server, "ws" if config.ssl_context is None else "wss", HOST, port)
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, server.serve, listeners)
        for room_id, play in config.rooms.items():
            nursery.start_soon(_run_play, server.rooms[room_id], play, config.speed)
        try:
            yield simulator
        except Exception as error:  # noqa: BLE001 - raised again below, outside the nursery that would wrap it
            failure = error
        finally:
            with trio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
                await simulator.close_connections(code=GOING_AWAY.code or 0, reason=GOING_AWAY.reason)
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


def _make_server(config: SimulatorConfig) -> Server:
    rooms = {}
    for room_id, play in config.rooms.items():
        members: dict[str, Config] = {OWNER_ID: {"name": "Owner"}}
        if play is not None:
            members.update(play.members)
        rooms[room_id] = Room(room_id, members, config.faults, Random(f"{config.seed}/{room_id}/faults"))
    tokens = config.tokens
    if config.faults.expire is not None:
        tokens = tuple(replace(token, life_s=config.faults.expire) for token in tokens)
    known = Tokens(tokens, config.application, trio.current_time())
    return Server(rooms, known, config.faults, Random(f"{config.seed}/faults"))


async def _run_play(room: Room, play: Play | None, speed: float) -> None:
    if play is not None:
        await room.first_joined.wait()
        log.info("%s: the play begins", room.room_id)
        await pace(play, speed, room.tell_reading, room.let_clients_catch_up)
        log.info("%s: the play is over after %s readings", room.room_id, f"{room.readings:,}")
    room.played.set()
