"""What the recorder is compared with: what people write by hand, `websockets`, `json` and one INSERT a message.

`python by_hand.py PORT MESSAGES DATABASE` ends when so many are in the table, and says so.
"""

import asyncio
import json
import sys

import duckdb
import websockets


async def main(port: int, messages: int, database: str) -> None:
    """Receive and insert."""
    connection = duckdb.connect(database)
    connection.execute("CREATE TABLE heart_rate (profile_id VARCHAR, bpm INTEGER, occurred_at TIMESTAMPTZ)")
    async with websockets.connect(f"ws://127.0.0.1:{port}/api/v2/data/rooms/0/real_time", ping_interval=None) as socket:
        for _ in range(messages):
            message = json.loads(await socket.recv())
            reading = message["heart_rate"]
            row = [reading["profile_id"], reading["bpm"], message["timestamp"]]
            connection.execute("INSERT INTO heart_rate VALUES (?, ?, ?)", row)
        connection.close()
        print(messages, flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
