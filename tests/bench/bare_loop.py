"""What the recorder is compared with: trio-websocket alone, every message thrown away.

`python bare_loop.py PORT ROOMS MESSAGES` prints how many there were when each room brought so many, and stays.
"""

import sys

import trio
from trio_websocket import open_websocket_url


async def main(port: int, rooms: int, messages: int) -> None:
    """Receive, and count."""
    count = 0

    async def receive(room: int) -> None:
        nonlocal count
        async with open_websocket_url(f"ws://127.0.0.1:{port}/api/v2/data/rooms/{room}/real_time") as websocket:
            for _ in range(messages):
                await websocket.get_message()
                count += 1
            if count == rooms * messages:
                print(count, flush=True)
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        for room in range(rooms):
            nursery.start_soon(receive, room)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
