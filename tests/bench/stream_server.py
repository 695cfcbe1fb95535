"""A Pulsoid server that does as little as it can, so that what is measured is the client; a process of its own.

It waits until all rooms are asked for, then sends each its readings, as fast as they are taken or at a pace. After each
million, and at the end, it sends a ping: the pong tells that all before it was taken. On stdout it tells its port, then
when it begins, and at each pong what was sent.
"""

import argparse
import base64
import hashlib
import json
import random
import re
import sys
import time

import trio

TOKEN = "bench-token"
MEMBERS = 5
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VALID = json.dumps({"client_id": "c", "expires_in": 10**7, "profile_id": "p", "scopes": ["data:room:read"]}).encode()
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
_UPGRADE = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n"
)
_CHUNK_FRAMES = 2_000
_BLOCK = 1_000_000
_BEGIN_S = 1_704_067_200  # 2024-01-01


def frames(room: int, numbers: range) -> list[bytes]:
    """Make readings, a millisecond apart, no two alike, each as a frame."""
    chance = random.Random(room)
    members = [f"{room:08x}-0000-4000-8000-{member:012x}" for member in range(MEMBERS)]
    bpm = [80] * MEMBERS
    made, stamp = [], ""
    for number in numbers:
        if number % 1000 == 0 or not stamp:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(_BEGIN_S + number // 1000))
        member = number % MEMBERS
        bpm[member] = min(max(bpm[member] + chance.randint(-1, 1), 45), 190)
        text = (
            f'{{"kind":"heart_rate","timestamp":"{stamp}.{number % 1000:03}Z",'
            f'"heart_rate":{{"profile_id":"{members[member]}","bpm":{bpm[member]}}}}}'
        ).encode()
        made.append(b"\x81" + (bytes([len(text)]) if len(text) < 126 else b"\x7e" + len(text).to_bytes(2)) + text)
    return made


class StreamServer:
    """Serves `rooms` rooms, once."""

    def __init__(self, rooms: int, messages: int, per_second: float) -> None:
        self._waiting = rooms
        self._messages = messages
        self._per_second = per_second
        self._frames = [frames(room, range(min(messages, _BLOCK))) for room in range(rooms)]
        self._go = trio.Event()
        self._taken = 0
        self._rooms = rooms
        self._writing: dict[trio.SocketStream, trio.Lock] = {}

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve a connection until the client hangs up."""
        request = b""
        while b"\r\n\r\n" not in request:
            data = await stream.receive_some()
            if not data:
                return
            request += data
        key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)
        if key is None:
            await stream.send_all(_OK % len(_VALID) + _VALID)
            return
        await stream.send_all(_UPGRADE % base64.b64encode(hashlib.sha1(key[1] + _MAGIC).digest()))
        self._writing[stream] = trio.Lock()
        self._waiting -= 1
        room = self._waiting
        if not room:
            tell(began_at=time.monotonic())
            self._go.set()
        await self._go.wait()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read_to_end, stream)
                for start in range(0, self._messages, _BLOCK):
                    numbers = range(start, min(start + _BLOCK, self._messages))
                    await self._send(stream, self._frames[room] if not start else frames(room, numbers))
                    await self._put(stream, b"\x89\x08" + numbers.stop.to_bytes(8))
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def _send(self, stream: trio.SocketStream, made: list[bytes]) -> None:
        if not self._per_second:
            for start in range(0, len(made), _CHUNK_FRAMES):  # whole frames: an answer to a ping may come after any
                await self._put(stream, b"".join(made[start : start + _CHUNK_FRAMES]))
            return
        due_at = trio.current_time() + random.random() / self._per_second  # not all rooms at one instant
        for frame in made:
            await trio.sleep_until(due_at)
            await self._put(stream, frame)
            due_at += 1 / self._per_second

    async def _read_to_end(self, stream: trio.SocketStream) -> None:
        """Wait for pongs, then for the goodbye; the frames of a client are masked, and here shorter than 126."""
        received = b""
        while data := await stream.receive_some():
            received += data
            while len(received) >= 2 and len(received) >= (size := 6 + (received[1] & 127)):
                opcode, mask, body = received[0] & 15, received[2:6], received[6:size]
                text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(body))
                received = received[size:]
                if opcode == 10:
                    self._note_taken(int.from_bytes(text))
                elif opcode == 9:
                    await self._put(stream, b"\x8a" + bytes([len(text)]) + text)
                elif opcode == 8:
                    await self._put(stream, b"\x88\x02\x03\xe8")
                    return

    async def _put(self, stream: trio.SocketStream, data: bytes) -> None:
        async with self._writing[stream]:  # readings and answers go over one stream
            await stream.send_all(data)

    def _note_taken(self, by_a_room: int) -> None:
        self._taken += 1
        if self._taken % self._rooms == 0:
            tell(taken=self._rooms * by_a_room, taken_at=time.monotonic())


def tell(**what: float) -> None:
    """Say something to whoever started this."""
    print(json.dumps(what), flush=True)


async def main() -> None:
    """Serve, until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rooms", type=int, default=1)
    parser.add_argument("--messages", type=int, required=True, help="to each room")
    parser.add_argument("--per-second", type=float, default=0, help="to each room; 0: as fast as they are taken")
    options = parser.parse_args()
    server = StreamServer(options.rooms, options.messages, options.per_second)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, server.serve, 0)
        tell(port=listeners[0].socket.getsockname()[1])


if __name__ == "__main__":
    sys.exit(trio.run(main))
