"""The running server in the hands of a test: what is said, what happens to connections, what can be counted."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from operator import methodcaller
from typing import Any

import trio

from pulsoid_rec.recorder.simulator import wire
from pulsoid_rec.recorder.simulator.client import CUT, TOKEN_EXPIRED, Client, Ending
from pulsoid_rec.recorder.simulator.play import Reading
from pulsoid_rec.recorder.simulator.room import Room
from pulsoid_rec.recorder.simulator.server import Server
from pulsoid_rec.recorder.simulator.wire import Config


class Simulator:
    """A running server. Made by `open_simulator`.

    Every `send` queues at once for each connection of the room, and waits only while one of them is 20,000 messages
    behind. `flush` waits until all is with the operating system. A connection that takes nothing at all for 5 s while
    it is waited for is cut: one that does not read holds up nobody for long.

    Attributes
    ----------
    url
        Where it listens, such as `ws://127.0.0.1:8765`.
    port
        The same as a number.
    """

    def __init__(self, server: Server, scheme: str, host: str, port: int) -> None:
        self.port = port
        self.url = f"{scheme}://{host}:{port}"
        self._server = server

    # What is said in a room

    async def send_heart_rate(self, room_id: str, profile_id: str, bpm: int, at: datetime | None = None) -> None:
        """Send a reading to all who listen, with lazy delivery of what they have not been told before it.

        Somebody who is no member yet becomes one without a word, named as their id. `at` is now unless given.
        """
        room = self._room(room_id)
        room.members.setdefault(profile_id, {"name": profile_id})
        room.tell_reading(Reading(0.0, profile_id, bpm), at or _now())
        await room.let_clients_catch_up()

    async def send(self, room_id: str, message: Mapping[str, Any]) -> None:
        """Send an object as JSON to all connections, whatever they subscribed to. Counted as `raw`."""
        await self.send_raw(room_id, wire.encode(message))

    async def send_raw(self, room_id: str, *texts: str | bytes) -> None:
        """Send texts as they are, a frame each, to all connections; bytes need not be UTF-8. Counted as `raw`."""
        frames = [wire.text_frame(text.encode() if isinstance(text, str) else text) for text in texts]
        await self.send_bytes(room_id, *frames)

    async def send_bytes(self, room_id: str, *pieces: bytes) -> None:
        """Write bytes below the WebSocket: fragments, pings, binary or broken frames. A `raw` each."""
        room = self._room(room_id)
        for piece in pieces:
            room.for_each_client(methodcaller("put_raw", piece))
        await room.let_clients_catch_up()

    async def update_room(self, room_id: str, config: Config) -> None:
        """Change a room's config, and tell all who subscribed to that, heart rates or not."""
        room = self._room(room_id)
        room.update_config(config, _now())
        await room.let_clients_catch_up()

    async def update_member(self, room_id: str, profile_id: str, config: Config) -> None:
        """Add a member or change its config, and tell all who subscribed to that, heart rates or not."""
        room = self._room(room_id)
        room.update_member(profile_id, config, _now())
        await room.let_clients_catch_up()

    async def remove_member(self, room_id: str, profile_id: str) -> None:
        """Remove a member, tell all, disconnect those who came with that member's token, and wait until they are gone.

        The member's readings are played no more. Raises KeyError when there is no such member.
        """
        room = self._room(room_id)
        leaving = [client for client in room.clients if client.token.profile_id == profile_id]
        room.remove_member(profile_id, _now())
        await _all_gone(leaving)

    # What happens to connections

    async def drop_connections(self, room_id: str | None = None) -> None:
        """Cut the connections of a room, or all, with no word of closing, and wait until they are gone.

        What was queued for them and not written is lost, as on a network that fails.
        """
        await self._end(room_id, CUT)

    async def close_connections(self, room_id: str | None = None, code: int = 1000, reason: str = "") -> None:
        """Close the connections of a room, or all, after what is queued for them, and wait until they are gone.

        With a code of 1001, for example, for a server that goes away. Who does not answer within 1 s is cut.
        """
        await self._end(room_id, Ending(code, reason))

    def stall_connections(self, room_id: str | None = None) -> None:
        """Let the connections of a room, or all, go dead: open, but saying and answering nothing, not even pings."""
        for client in self._clients(room_id):
            client.stall()

    def refuse_with(self, status: int | None) -> None:
        """Refuse every connection from now on with this HTTP status; None to let them in again."""
        self._server.refuse = status

    async def expire_token(self, access_token: str) -> None:
        """End a token's life now, close what was opened with it, and wait until that is gone."""
        self._server.tokens.expire(access_token, trio.current_time())
        holders = [client for client in self._clients(None) if client.token.access_token == access_token]
        await _end_all(holders, TOKEN_EXPIRED)

    # What can be waited for and counted

    async def wait_for_clients(self, room_id: str, count: int = 1) -> None:
        """Wait until exactly so many clients are connected to a room; 0 waits until all are gone."""
        await self._room(room_id).wait_for_clients(count)

    async def wait_until_played(self) -> None:
        """Wait until every play is over, and all of it written to those who are connected."""
        for room in self._server.rooms.values():
            await room.played.wait()
            await room.flush()

    async def flush(self, room_id: str) -> None:
        """Wait until all that was sent to a room is with the operating system; connections gone dead are left aside."""
        await self._room(room_id).flush()

    def connected(self, room_id: str) -> int:
        """Count the connections of a room."""
        return len(self._room(room_id).clients)

    async def wait_until_counted(self, room_id: str, count: Callable[[], int], within_s: float) -> None:
        """Wait until a client has counted as many readings as were sent in a room, at most for so long."""
        with trio.move_on_after(within_s):
            while count() < self.readings(room_id):  # noqa: ASYNC110 - whoever counts has a number, and no event
                await trio.sleep(0.05)

    def readings(self, room_id: str) -> int:
        """Count the readings told in a room so far, whether or not anybody listened."""
        return self._room(room_id).readings

    def sent(self, room_id: str) -> Counter[str]:
        """Count the messages written to all connections of a room since the start, by kind, lazy ones included.

        `raw` are those of `send`, `send_raw` and `send_bytes`, and malformed ones. Of a connection that was cut, the
        last write may have come through in part and is not counted.
        """
        return self._room(room_id).sent

    @property
    def accepted(self) -> int:
        """Count the WebSocket connections accepted since the start."""
        return self._server.accepted

    @property
    def refused(self) -> Counter[int]:
        """Count the WebSocket connections refused since the start, by HTTP status."""
        return self._server.refused.copy()

    def _room(self, room_id: str) -> Room:
        return self._server.rooms[room_id]

    def _clients(self, room_id: str | None) -> list[Client]:
        rooms = self._server.rooms.values() if room_id is None else [self._room(room_id)]
        return [client for room in rooms for client in room.clients]

    async def _end(self, room_id: str | None, ending: Ending) -> None:
        await _end_all(self._clients(room_id), ending)


async def _end_all(clients: list[Client], ending: Ending) -> None:
    for client in clients:
        client.end(ending)
    await _all_gone(clients)


async def _all_gone(clients: list[Client]) -> None:
    for client in clients:
        await client.gone.wait()


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
