"""What an ordinary room costs the machine it is recorded on: five members, a reading a second each."""

import time
from collections.abc import Iterator
from pathlib import Path

from figures import Figure
from streams import count_readings, cpu_s, open_recorder, open_server, require_count, rss_mb

SECONDS = 300
PER_SECOND = 5


def measure(scratch: Path) -> Iterator[Figure]:
    """Record for five minutes, and look at CPU and memory."""
    database = scratch / "ordinary.duckdb"
    with open_server(messages=SECONDS * PER_SECOND, per_second=PER_SECOND) as server:
        with open_recorder(server.port, database) as process:
            began_at = server.wait_for_begin()
            before_s, most_mb = cpu_s(process), 0.0
            while time.monotonic() < began_at + SECONDS:
                time.sleep(0.2)
                most_mb = max(most_mb, rss_mb(process))
            share = (cpu_s(process) - before_s) / (time.monotonic() - began_at)
            server.wait_until_taken()
    require_count(SECONDS * PER_SECOND, count_readings(database), "readings stored")
    what = "an ordinary room (5 members, 1 reading a second each) for 5 minutes"
    details = f"{SECONDS * PER_SECOND:,} sent and stored"
    yield Figure(12, f"{what}: CPU", "one core", "<= 3 %", [100 * share], 3, unit="%", details=details)
    yield Figure(12, f"{what}: memory", "", "<= 120 MB", [most_mb], 120, unit="MB", details="the most it was")
