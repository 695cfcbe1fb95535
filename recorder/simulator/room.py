"""A room: its members, what they are sent, and who listens."""

from collections import Counter, deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from random import Random

import trio

from pulsoid_rec.recorder.simulator import wire
from pulsoid_rec.recorder.simulator.client import REMOVED, TOO_SLOW, WRITE_TIMEOUT_S, Client
from pulsoid_rec.recorder.simulator.faults import MALFORMED, Faults
from pulsoid_rec.recorder.simulator.play import Reading
from pulsoid_rec.recorder.simulator.wire import Config, Kind


class Room:
    """A room and the connections to it.

    Parameters
    ----------
    room_id
        Its id.
    members
        Each member's config, by profile id.
    faults
        What goes wrong in it.
    random
        When it goes wrong.
    """

    def __init__(self, room_id: str, members: dict[str, Config], faults: Faults, random: Random) -> None:
        self.room_id = room_id
        self.config: Config = {"name": f"Room {room_id}"}
        self.members = members
        self.clients: set[Client] = set()
        self.readings = 0
        self.first_joined = trio.Event()
        self.played = trio.Event()
        self._faults = faults
        self._random = random
        self._latest: deque[tuple[Reading, datetime]] = deque(maxlen=faults.repeat or 0)
        self._sent_before: Counter[str] = Counter()
        self._changed = trio.lowlevel.ParkingLot()

    def join(self, client: Client) -> None:
        """Let a client listen."""
        self.clients.add(client)
        self.first_joined.set()
        self._changed.unpark_all()

    def leave(self, client: Client) -> None:
        """Forget a client, but not what it was sent."""
        self.clients.discard(client)
        self._sent_before += client.sent
        self._changed.unpark_all()

    @property
    def sent(self) -> Counter[str]:
        """Messages written to all connections so far, by kind; `raw` for those a test made up."""
        return sum((client.sent for client in self.clients), self._sent_before.copy())

    async def wait_for_clients(self, count: int) -> None:
        """Wait until exactly so many clients are connected."""
        while len(self.clients) != count:
            await self._changed.park()

    def tell_reading(self, reading: Reading, at: datetime) -> None:
        """Send a reading to all, and first to each what it has not been told: the room, then the member."""
        if reading.profile_id not in self.members:
            return
        self.readings += 1
        frame = wire.text_frame(wire.heart_rate(reading.profile_id, reading.bpm, at))
        garbage = self._faults.garbage is not None and self._random.random() < 1 / self._faults.garbage
        for client in self.clients:
            if not client.knows_room:
                self._introduce(client, at)
            self._put_reading(client, reading, frame, at)
            if garbage:
                client.put_raw(wire.text_frame(self._random.choice(MALFORMED)))
        self._latest.append((reading, at))

    def _introduce(self, client: Client, at: datetime) -> None:
        client.knows_room = True
        client.put(Kind.ROOM_UPDATED, wire.text_frame(wire.room_updated(self.room_id, self.config, at)))
        for earlier, then in self._latest:
            if earlier.profile_id in self.members:
                again = wire.text_frame(wire.heart_rate(earlier.profile_id, earlier.bpm, then))
                self._put_reading(client, earlier, again, then)

    def _put_reading(self, client: Client, reading: Reading, frame: bytes, at: datetime) -> None:
        if reading.profile_id not in client.knows_members:
            client.knows_members.add(reading.profile_id)
            told = wire.member_updated(reading.profile_id, self.members[reading.profile_id], at)
            client.put(Kind.ROOM_MEMBER_UPDATED, wire.text_frame(told))
        client.put(Kind.HEART_RATE, frame)

    def update_config(self, config: Config, at: datetime) -> None:
        """Change the room's config, and tell all."""
        self.config = config
        self._tell(Kind.ROOM_UPDATED, wire.room_updated(self.room_id, config, at))

    def update_member(self, profile_id: str, config: Config, at: datetime) -> None:
        """Add a member or change its config, and tell all."""
        self.members[profile_id] = config
        self._tell(Kind.ROOM_MEMBER_UPDATED, wire.member_updated(profile_id, config, at))

    def remove_member(self, profile_id: str, at: datetime) -> None:
        """Remove a member, tell all, and disconnect those who came with that member's token."""
        del self.members[profile_id]
        self._tell(Kind.ROOM_MEMBER_REMOVED, wire.member_removed(profile_id, at))
        for client in self.clients:
            client.knows_members.discard(profile_id)
            if client.token.profile_id == profile_id:
                client.end(REMOVED)

    def _tell(self, kind: Kind, message: bytes) -> None:
        frame = wire.text_frame(message)
        self.for_each_client(lambda client: client.put(kind, frame))

    def for_each_client(self, act: Callable[[Client], None]) -> None:
        """Do something with each connection."""
        for client in tuple(self.clients):
            act(client)

    async def let_clients_catch_up(self) -> None:
        """Wait for clients whose outbox is full, until there is room again or patience is at its end."""
        await trio.lowlevel.checkpoint()
        for client in tuple(self.clients):
            if client.outbox.is_full:
                await _with_patience(client, client.outbox.wait_for_room)

    async def flush(self) -> None:
        """Wait until all that was said so far is written to every connection but those gone dead on purpose."""
        await trio.lowlevel.checkpoint()
        for client in tuple(self.clients):
            if not client.is_dead:
                await _with_patience(client, client.outbox.wait_until_empty)


async def _with_patience(client: Client, wait: Callable[[], Awaitable[None]]) -> None:
    # Whoever takes something, however slowly, is waited for; who takes nothing would hold up everybody else for ever.
    sent = -1
    while client.sent.total() > sent:
        sent = client.sent.total()
        with trio.move_on_after(WRITE_TIMEOUT_S) as patience:
            await wait()
        if not patience.cancelled_caught:
            return
    client.end(TOO_SLOW)
