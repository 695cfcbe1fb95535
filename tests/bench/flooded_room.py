"""One room, messages sent as fast as they are taken, until all are in DuckDB and the recorder has ended."""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import duckdb
from figures import Figure
from streams import (
    count_readings,
    open_client,
    open_recorder,
    open_server,
    read_count,
    require_count,
    spread,
    wait_until_drained,
)

MESSAGES = 1_000_000
MESSAGES_BY_HAND = 5_000
TURNS = 3


def measure(scratch: Path) -> Iterator[Figure]:
    """Compare with a bare loop, and with what people write by hand."""
    ours, bare, by_hand = [], [], []
    for turn in range(TURNS):
        bare.append(run_bare(MESSAGES))
        ours.append(run_recorder(scratch / f"flooded-{turn}.duckdb", MESSAGES))
        by_hand.append(run_by_hand(scratch / f"by-hand-{turn}.duckdb", MESSAGES_BY_HAND))
    count = f"{MESSAGES:,} sent and stored each turn"
    yield Figure(
        1,
        "one room flooded, until all is committed and the recorder has ended: messages a second",
        "a bare trio-websocket loop that throws every message away",
        ">= 0.8 of its rate",
        [one / other for one, other in zip(ours, bare, strict=True)],
        0.8,
        at_least=True,
        details=f"{spread(ours)} a second against {spread(bare)}; {count}",
    )
    yield Figure(
        2,
        "the same",
        "by hand: `websockets`, `json`, one INSERT a message",
        ">= 50 times",
        [one / other for one, other in zip(ours, by_hand, strict=True)],
        50,
        at_least=True,
        details=f"{median(ours):,.0f} a second against {spread(by_hand)} (of {MESSAGES_BY_HAND:,} messages)",
    )


def run_recorder(database: Path, messages: int) -> float:
    """Record a flood; return messages a second, to the end of the process."""
    with open_server(messages=messages) as server:
        with open_recorder(server.port, database):
            began_at = server.wait_for_begin()
            server.wait_until_taken()
            wait_until_drained(database)
        ended_at = time.monotonic()
    require_count(messages, count_readings(database), "readings stored")
    database.unlink()
    return messages / (ended_at - began_at)


def run_bare(messages: int) -> float:
    """Receive a flood; return messages a second."""
    with open_server(messages=messages) as server, open_client("bare_loop.py", server.port, 1, messages) as client:
        began_at = server.wait_for_begin()
        taken = server.wait_until_taken()
        require_count(messages, read_count(client), "messages received")
    return messages / (taken.at - began_at)


def run_by_hand(database: Path, messages: int) -> float:
    """Record a flood as people do by hand; return messages a second."""
    with open_server(messages=messages) as server:
        with open_client("by_hand.py", server.port, messages, database) as client:
            began_at = server.wait_for_begin()
            require_count(messages, read_count(client), "messages inserted")
            ended_at = time.monotonic()
    require_count(messages, count_by_hand(database), "rows inserted")
    return messages / (ended_at - began_at)


def count_by_hand(database: Path) -> int:
    """Count the rows of the table made by hand."""
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute("SELECT count(*) FROM heart_rate").fetchone()
    assert found is not None
    return int(found[0])
