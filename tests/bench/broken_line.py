"""How much is heard on a line that breaks every 10 to 30 seconds."""

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
from figures import Figure
from processes import PROGRAM
from stream_server import TOKEN
from streams import open_recorder

SECONDS = 300
ROOMS = 4


def measure(scratch: Path) -> Iterator[Figure]:
    """Record rooms of the simulator, whose connections are cut every 20 s on average."""
    database = scratch / "broken.duckdb"
    rooms = [f"--room=room-{room}" for room in range(ROOMS)]
    options = [*rooms, f"--token={TOKEN}", "--port=0", "--fault=drop:20", f"--duration={SECONDS}", "--once"]
    with subprocess.Popen([*PROGRAM, "simulate", *options], stderr=subprocess.PIPE, text=True) as simulator:
        try:
            assert simulator.stderr is not None
            port = int(_find(r"ws://127\.0\.0\.1:(\d+)", simulator.stderr.readline()))
            with open_recorder(port, database, ROOMS):
                said = simulator.communicate(timeout=2 * SECONDS)[1]
        finally:
            simulator.send_signal(signal.SIGKILL)
    played = int(_find(r"Played ([\d,]+) readings", said).replace(",", ""))
    connections = int(_find(r"over ([\d,]+) connections", said).replace(",", ""))
    with duckdb.connect(str(database), read_only=True) as connection:
        query = "SELECT count(DISTINCT (room_id, profile_id, occurred_at)) FROM heart_rate"
        (stored,) = connection.execute(query).fetchall()[0]
    yield Figure(
        16,
        f"readings heard in {SECONDS} s on a line that breaks every 10 to 30 s",
        "those played",
        ">= 0.9",
        [stored / played],
        0.9,
        at_least=True,
        details=f"{stored:,} of {played:,} in {ROOMS} rooms, over {connections:,} connections",
    )


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"{text!r} does not match {pattern!r}")
    return found[1]
