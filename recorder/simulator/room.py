"""A room: its members, its connections, and what is sent to them."""

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from random import Random
from typing import Any

import trio

from pulsoid_rec.recorder.simulator import wire
from pulsoid_rec.recorder.simulator.client import TOO_SLOW, Client
from pulsoid_rec.recorder.simulator.faults import MALFORMED, Faults
from pulsoid_rec.recorder.simulator.play import Clock, Play, Reading, now
from pulsoid_rec.recorder.simulator.tokens import OWNER_ID
from pulsoid_rec.recorder.simulator.wire import Config, Kind


class Room:
    """A room and the connections to it, as a play begins; `random` decides when faults occur.

    `members` has each member's config by profile id, `removed` the last one of those who were removed.
    """

    def __init__(self, room_id: str, play: Play | None, faults: Faults, random: Random, write_timeout_s: float) -> None:
        play = play or Play({}, (), 0.0)
        self.room_id = room_id
        self.config: Config = {"name": f"Room {room_id}"} if play.config is None else play.config
        self.members: dict[str, Config] = {OWNER_ID: {"name": "Owner"}, **play.members}
        self.removed: dict[str, Config] = {}
        self.invite = play.invite
        self.clock: Clock | None = None
        self.clients: set[Client] = set()
        self.readings = 0
        self.first_joined = trio.Event()
        self.played = trio.Event()
        self._faults = faults
        self._random = random
        self._write_timeout_s = write_timeout_s
        self._latest: deque[tuple[Reading, datetime]] = deque(maxlen=faults.repeat or 0)
        self._sent_before: Counter[str] = Counter()
        self._changed = trio.lowlevel.ParkingLot()

    def join(self, client: Client) -> None:
        """Add a client."""
        self.clients.add(client)
        self.first_joined.set()
        self._changed.unpark_all()

    def leave(self, client: Client) -> None:
        """Remove a client, and keep the counts of what was sent to it."""
        self.clients.discard(client)
        self._sent_before += client.sent
        self._changed.unpark_all()

    @property
    def sent(self) -> Counter[str]:
        """Messages written to all connections so far, by kind; malformed ones count as `raw`."""
        return sum((client.sent for client in self.clients), self._sent_before.copy())

    async def wait_for_clients(self, count: int) -> None:
        """Wait until exactly `count` clients are connected."""
        while len(self.clients) != count:
            await self._changed.park()

    def now(self) -> datetime:
        """Return the time of an event that occurs now: in a play that is played fast, that of the play."""
        return now() if self.clock is None or self.played.is_set() else self.clock.now()

    def notify(self, kind: Kind, payload: Mapping[str, Any], at: datetime) -> None:
        """Send an event of the room or a member to all clients who subscribed to that; it is news to them but once."""
        frame = wire.text_frame(wire.message(kind, at, payload))
        for client in self.clients:
            if kind == Kind.ROOM_UPDATED:
                client.has_room_config = True
            elif kind == Kind.ROOM_MEMBER_UPDATED:
                client.known_members.add(payload["profile_id"])
            client.enqueue(kind, frame)

    def enqueue_raw(self, *pieces: bytes) -> None:
        """Queue bytes for all clients, whatever they subscribed to."""
        for client in self.clients:
            for piece in pieces:
                client.enqueue_raw(piece)

    def send_reading(self, reading: Reading, at: datetime) -> None:
        """Send a reading to all clients; each first gets the room and the member if it has not had them yet."""
        if reading.profile_id not in self.members:
            return
        self.readings += 1
        frame = wire.text_frame(wire.heart_rate(reading.profile_id, reading.bpm, at))
        has_garbage = self._faults.garbage is not None and self._random.random() < 1 / self._faults.garbage
        for client in self.clients:
            if not client.has_room_config:
                self._send_first_messages(client, at)
            self._enqueue_reading(client, reading.profile_id, frame, at)
            if has_garbage:
                client.enqueue_raw(wire.text_frame(self._random.choice(MALFORMED)))
        self._latest.append((reading, at))

    def _send_first_messages(self, client: Client, at: datetime) -> None:
        client.has_room_config = True
        client.enqueue(Kind.ROOM_UPDATED, wire.text_frame(wire.room_updated(self.room_id, self.config, at)))
        for earlier, then in self._latest:
            if earlier.profile_id in self.members:
                frame = wire.text_frame(wire.heart_rate(earlier.profile_id, earlier.bpm, then))
                self._enqueue_reading(client, earlier.profile_id, frame, then)

    def _enqueue_reading(self, client: Client, profile_id: str, frame: bytes, at: datetime) -> None:
        if profile_id not in client.known_members:
            client.known_members.add(profile_id)
            member = wire.member_updated(profile_id, self.members[profile_id], at)
            client.enqueue(Kind.ROOM_MEMBER_UPDATED, wire.text_frame(member))
        client.enqueue(Kind.HEART_RATE, frame)

    async def wait_for_slow_clients(self) -> None:
        """Wait while a client's outbox is full; clients that read nothing at all are disconnected."""
        await trio.lowlevel.checkpoint()
        for client in tuple(self.clients):
            if client.outbox.is_full:
                await self._wait_while_it_reads(client, client.outbox.wait_while_full)

    async def flush(self) -> None:
        """Wait until everything sent so far is written to every connection that is not stalled."""
        await trio.lowlevel.checkpoint()
        for client in tuple(self.clients):
            if not client.stream.is_stalled:
                await self._wait_while_it_reads(client, client.outbox.wait_until_empty)

    async def _wait_while_it_reads(self, client: Client, wait: Callable[[], Awaitable[None]]) -> None:
        # Wait for a client that reads, however slowly; one that reads nothing would block all others.
        sent = -1
        while client.sent.total() > sent:
            sent = client.sent.total()
            with trio.move_on_after(self._write_timeout_s) as timeout:
                await wait()
            if not timeout.cancelled_caught:
                return
        client.end(TOO_SLOW)
