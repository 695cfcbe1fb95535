"""What the recorder is compared with: `websockets` alone, every message thrown away.

`python websockets_loop.py PORT ROOMS MESSAGES` prints how many there were when each room brought so many, and stays.
"""

import asyncio
import sys

import websockets


async def main(port: int, rooms: int, messages: int) -> None:
    """Receive, and count."""
    count = 0

    async def receive(room: int) -> None:
        nonlocal count
        url = f"ws://127.0.0.1:{port}/api/v2/data/rooms/{room}/real_time"
        async with websockets.connect(url, ping_interval=None, compression=None, proxy=None) as websocket:
            for _ in range(messages):
                await websocket.recv()
                count += 1
            if count == rooms * messages:
                print(count, flush=True)
            await asyncio.Event().wait()

    await asyncio.gather(*(receive(room) for room in range(rooms)))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
