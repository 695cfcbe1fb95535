"""The simulator as tests control it: any message, any end of a connection, and counts of what was sent."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec
import trio

from pulsoid_rec.recorder.simulator import simulator as product
from pulsoid_rec.recorder.simulator import wire
from pulsoid_rec.recorder.simulator.client import CUT, TOKEN_EXPIRED, Client, Disconnect, disconnect
from pulsoid_rec.recorder.simulator.events import Event
from pulsoid_rec.recorder.simulator.room import Room
from pulsoid_rec.recorder.simulator.simulator import Simulator, SimulatorConfig
from pulsoid_rec.recorder.simulator.steering import REMOVED, apply_event, remove_member, update_member
from pulsoid_rec.recorder.simulator.wire import Config


class ControlledSimulator(Simulator):
    """A running server. Every `send` queues at once, and waits only while a connection is 20,000 messages behind."""

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    # Messages

    async def send(self, room_id: str, message: Mapping[str, Any]) -> None:
        """Send an object as JSON to all connections, whatever they subscribed to. Counted as `raw`."""
        await self.send_raw(room_id, msgspec.json.encode(message))

    async def send_raw(self, room_id: str, *texts: str | bytes) -> None:
        """Send texts, a frame each, to all connections; bytes need not be UTF-8. Counted as `raw`."""
        frames = [wire.text_frame(text.encode() if isinstance(text, str) else text) for text in texts]
        await self.send_bytes(room_id, *frames)

    async def send_bytes(self, room_id: str, *pieces: bytes) -> None:
        """Write bytes below the WebSocket: fragments, pings, binary or broken frames. A `raw` each."""
        room = self._room(room_id)
        room.enqueue_raw(*pieces)
        await room.wait_for_slow_clients()

    async def update_room(self, room_id: str, config: Config) -> None:
        """Change a room's config, and send it to all who subscribed to that, heart rates or not."""
        room = self._room(room_id)
        apply_event(room, Event(0.0, "room", value=config), room.now())
        await room.wait_for_slow_clients()

    async def update_member(self, room_id: str, profile_id: str, config: Config) -> None:
        """Add a member or change its config, and send it to all who subscribed to that, heart rates or not."""
        room = self._room(room_id)
        update_member(room, profile_id, config, room.now())
        await room.wait_for_slow_clients()

    async def remove_member(self, room_id: str, profile_id: str) -> None:
        """Remove a member, notify all, disconnect clients with that member's token, and wait until they are gone.

        The member's readings are played no more. Raises KeyError if there is no such member.
        """
        room = self._room(room_id)
        leaving = [client for client in room.clients if client.token.profile_id == profile_id]
        remove_member(room, profile_id, room.now())
        await room.wait_for_slow_clients()
        await disconnect(leaving, REMOVED)

    # Connections

    async def drop_connections(self, room_id: str | None = None) -> None:
        """Cut the connections of a room, or all, without a close frame, and wait until they are gone.

        What was queued for them and not written is lost, as on a network that fails.
        """
        await disconnect(self._clients(room_id), CUT)

    async def close_connections(self, room_id: str | None = None, code: int = 1000, reason: str = "") -> None:
        """Close the connections of a room, or all, after what is queued for them, and wait until they are gone."""
        await disconnect(self._clients(room_id), Disconnect(code, reason))

    def stall_connections(self, room_id: str | None = None) -> None:
        """Let the connections of a room, or all, stall: open, but sending nothing, not even pongs."""
        for client in self._clients(room_id):
            client.stream.stall()

    def refuse_with(self, status: int | None) -> None:
        """Refuse every connection from now on with this HTTP status; None to accept them again."""
        self.server.refuse = status

    async def expire_token(self, access_token: str) -> None:
        """Let a token expire now, close the connections opened with it, and wait until they are gone."""
        token, _ = self.server.tokens.issued[access_token]
        self.server.tokens.issued[access_token] = (token, trio.current_time())
        holders = [client for client in self.server.clients if client.token.access_token == access_token]
        await disconnect(holders, TOKEN_EXPIRED)

    # Counts

    async def flush(self, room_id: str) -> None:
        """Wait until all that was sent to a room is with the operating system; stalled connections are left aside."""
        await self._room(room_id).flush()

    def connected(self, room_id: str) -> int:
        """Count the connections of a room."""
        return len(self._room(room_id).clients)

    def readings(self, room_id: str) -> int:
        """Count the readings sent in a room so far, whether or not anybody was connected."""
        return self._room(room_id).readings

    def sent(self, room_id: str) -> Counter[str]:
        """Count the messages written to all connections of a room since the start, by kind, lazy ones included.

        Of a connection that was cut, the last write may have come through in part and is not counted.
        """
        return self._room(room_id).sent

    @property
    def accepted(self) -> int:
        """The number of WebSocket connections accepted since the start."""
        return self.server.accepted

    @property
    def refused(self) -> Counter[int]:
        """The number of WebSocket connections refused since the start, by HTTP status."""
        return self.server.refused.copy()

    def _room(self, room_id: str) -> Room:
        return self.server.rooms[room_id]

    def _clients(self, room_id: str | None) -> Collection[Client]:
        return self.server.clients if room_id is None else self._room(room_id).clients


@asynccontextmanager
async def open_simulator(config: SimulatorConfig | None = None) -> AsyncIterator[ControlledSimulator]:
    """Serve on loopback until the block ends, under a test's control."""
    async with product.open_simulator(config) as simulator:
        yield ControlledSimulator(simulator.server, simulator.url)
