"""What an ordinary room costs the machine it is recorded on: five members, a reading a second each.

What it writes in a day is worked out from whole cycles, each from a checkpoint of the database to the next.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from figures import Figure
from streams import count_readings, cpu_s, open_recorder, open_server, require_count, rss_mb, written_bytes

from pulsoid_rec.recorder.contract.wording import format_count

SECONDS = 420
PER_SECOND = 5


def measure(scratch: Path) -> Iterator[Figure]:
    """Record for seven minutes, and look at CPU, memory, and what is written."""
    database = scratch / "ordinary.duckdb"
    wal = database.with_name(f"{database.name}.wal")
    wal_bytes = 0
    checkpoints: list[tuple[float, int]] = []  # when, and what had been written
    with open_server(messages=SECONDS * PER_SECOND, per_second=PER_SECOND) as server:
        with open_recorder(server.port, database) as process:
            began_at = server.wait_for_begin()
            before_s, most_mb = cpu_s(process), 0.0
            while time.monotonic() < began_at + SECONDS:
                time.sleep(0.2)
                most_mb = max(most_mb, rss_mb(process))
                before_bytes, wal_bytes = wal_bytes, wal.stat().st_size if wal.exists() else 0
                if wal_bytes < before_bytes or (wal_bytes and not checkpoints):  # the first ingest makes one
                    checkpoints.append((time.monotonic(), written_bytes(process)))
            share = (cpu_s(process) - before_s) / (time.monotonic() - began_at)
            server.wait_until_taken()
    require_count(SECONDS * PER_SECOND, count_readings(database), "readings stored")
    what = "an ordinary room (5 members, 1 reading a second each) for 7 minutes"
    details = f"{SECONDS * PER_SECOND:,} sent and stored"
    yield Figure(12, f"{what}: CPU", "one core", "<= 3 %", [100 * share], 3, unit="%", details=details)
    yield Figure(12, f"{what}: memory", "", "<= 120 MB", [most_mb], 120, unit="MB", details="the most it was")
    if len(checkpoints) > 1 and checkpoints[-1][1]:
        (first_at, first_bytes), (last_at, last_bytes) = checkpoints[0], checkpoints[-1]
        gb_a_day = (last_bytes - first_bytes) / (last_at - first_at) * 86_400 / 1e9
        cycles = len(checkpoints) - 1
        details = f"from {format_count(cycles, 'cycle')} of {(last_at - first_at) / cycles:.0f} s"
        what = "the same: written to the disk, journal and database, in a day"
        yield Figure(14, what, "", "<= 1 GB", [gb_a_day], 1, unit="GB", details=details)
