"""Memory of the recorder in the course of ten million messages."""

import time
from collections.abc import Iterator
from pathlib import Path

from figures import Figure
from streams import (
    count_readings,
    open_recorder,
    open_server,
    require_count,
    rss_mb,
    spread,
    wait_until_drained,
)

MILLIONS = 10
SETTLE_S = 1.5


def measure(scratch: Path) -> Iterator[Figure]:
    """Look at the memory after each million."""
    database = scratch / "long.duckdb"
    after = []
    with open_server(messages=MILLIONS * 1_000_000) as server:
        with open_recorder(server.port, database) as process:
            server.wait_for_begin()
            for number in range(1, MILLIONS + 1):
                require_count(number * 1_000_000, server.wait_until_taken().messages, "messages taken")
                time.sleep(SETTLE_S)
                after.append(rss_mb(process))
            wait_until_drained(database)
    require_count(MILLIONS * 1_000_000, count_readings(database), "readings stored")
    yield Figure(
        4,
        "memory of the recorder after 10 million messages",
        "after 1 million",
        "<= 20 MB more",
        [after[-1] - after[0]],
        20,
        unit="MB more",
        details=f"after each million: {spread(after)} MB; 10,000,000 sent and stored",
    )
