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
LOOPS = {
    "bare_loop.py": ("the bare trio-websocket loop", 1.3),
    "websockets_loop.py": ("a bare `websockets` loop, its frames parsed in C,", 1.0),
}
"""The scripts, what each is, and how much more CPU the recorder may take."""
SETTLE_S = 3
"""So that what the recorder does with the last messages counts, too."""


def measure(scratch: Path) -> Iterator[Figure]:
    """Compare with two loops that throw all messages away."""
    ours: list[float] = []
    loops: dict[str, list[float]] = {script: [] for script in LOOPS}
    for turn in range(TURNS):
        for script, used in loops.items():
            used.append(run_loop(script))
        ours.append(run_recorder(scratch / f"rooms-{turn}.duckdb"))
    what = f"CPU a message, {ROOMS} rooms of {PER_SECOND} messages a second, until they are in DuckDB"
    for script, (name, most) in LOOPS.items():
        yield Figure(
            3,
            what,
            f"{name} on the same rooms",
            f"<= {most:g} times",
            [one / other for one, other in zip(ours, loops[script], strict=True)],
            most,
            details=f"{spread(ours)} µs against {spread(loops[script])}; {MESSAGES:,} sent and stored each turn",
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


def run_loop(script: str) -> float:
    """Receive with one of the loops; return microseconds of CPU a message."""
    with open_server(rooms=ROOMS, messages=PER_SECOND * SECONDS, per_second=PER_SECOND) as server:
        with open_client(script, server.port, ROOMS, PER_SECOND * SECONDS) as process:
            server.wait_for_begin()
            before_s = cpu_s(process)
            server.wait_until_taken()
            time.sleep(SETTLE_S)
            used_s = cpu_s(process) - before_s
            require_count(MESSAGES, read_count(process), "messages received")
    return used_s / MESSAGES * 1e6
