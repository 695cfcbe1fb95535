"""CPU of 300 rooms of 20 messages a second each."""

import time
from collections.abc import Iterator
from pathlib import Path

from figures import Figure
from streams import count_readings, cpu_s, open_client, open_recorder, open_server, read_count, require_count, spread

ROOMS = 300
PER_SECOND = 20
SECONDS = 20
TURNS = 3
MESSAGES = ROOMS * PER_SECOND * SECONDS
SETTLE_S = 3
"""So that what the recorder does with the last messages counts, too."""


def measure(scratch: Path) -> Iterator[Figure]:
    """Compare with a bare loop."""
    ours, bare = [], []
    for turn in range(TURNS):
        bare.append(run_bare())
        ours.append(run_recorder(scratch / f"rooms-{turn}.duckdb"))
    yield Figure(
        3,
        f"CPU a message, {ROOMS} rooms of {PER_SECOND} messages a second, until they are in DuckDB",
        "the bare loop on the same rooms",
        "<= 1.3 times",
        [one / other for one, other in zip(ours, bare, strict=True)],
        1.3,
        details=f"{spread(ours)} µs against {spread(bare)}; {MESSAGES:,} sent and stored each turn",
    )


def run_recorder(database: Path) -> float:
    """Record; return microseconds of CPU a message."""
    with open_server(rooms=ROOMS, messages=PER_SECOND * SECONDS, per_second=PER_SECOND) as server:
        with open_recorder(server.port, database, ROOMS) as process:
            server.wait_for_begin()
            before_s = cpu_s(process)
            server.wait_until_taken()
            time.sleep(SETTLE_S)
            used_s = cpu_s(process) - before_s
    require_count(MESSAGES, count_readings(database), "readings stored")
    return used_s / MESSAGES * 1e6


def run_bare() -> float:
    """Receive; return microseconds of CPU a message."""
    with open_server(rooms=ROOMS, messages=PER_SECOND * SECONDS, per_second=PER_SECOND) as server:
        with open_client("bare_loop.py", server.port, ROOMS, PER_SECOND * SECONDS) as process:
            server.wait_for_begin()
            before_s = cpu_s(process)
            server.wait_until_taken()
            time.sleep(SETTLE_S)
            used_s = cpu_s(process) - before_s
            require_count(MESSAGES, read_count(process), "messages received")
    return used_s / MESSAGES * 1e6
