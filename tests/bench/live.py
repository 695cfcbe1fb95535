"""What the live page costs the recorder, and how soon a reading is sent: 40 members, a reading a second each."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import psutil
from figures import Figure
from live_latency import MEMBERS, open_live_recorder, open_room

SECONDS = 60
SETTLE_S = 5
VIEWERS = (0, 5, 50)


@dataclass(frozen=True)
class Run:
    """CPU in percent of a core, memory at the end, and of each reading sent how long before it had been received."""

    cpu: float
    memory_mb: float
    ages_s: list[float]
    missing: int


def measure(scratch: Path) -> Iterator[Figure]:
    """Record for a minute with each number of viewers, and without the page."""
    alone = record(scratch / "alone.duckdb", None)
    what = f"{MEMBERS} members at 1 Hz: the live page's CPU"
    for count in VIEWERS:
        run = record(scratch / f"viewers-{count}.duckdb", count)
        more = run.cpu - alone.cpu
        details = (
            f"{run.cpu:.1f} % of a core against {alone.cpu:.1f} %; {run.memory_mb:.0f} MB against {alone.memory_mb:.0f}"
        )
        limit = 3 if count <= 5 else 15
        yield Figure(
            23, f"{what}, {count} viewers", "without it", f"<= {limit} points", [more], limit, unit="points",
            details=details,
        )  # fmt: skip
    run = record(scratch / "deaf.duckdb", 5, deaf=True)
    yield Figure(
        24, "readings that a viewer misses beside one that reads nothing", "", "0", [run.missing], 0,
        details=f"{len(run.ages_s):,} sent to each of 5",
    )  # fmt: skip
    for name, share, limit_s in (("median", 50, 1.0), ("99 %", 99, 1.5)):
        age_s = float(np.percentile(run.ages_s, share))
        details = f"{len(run.ages_s):,} readings; an update is sent each second"
        what = f"from the socket to a viewer's: {name}"
        yield Figure(25, what, "", f"<= {limit_s:g} s", [age_s], limit_s, unit="s", details=details)


def record(database: Path, viewers: int | None, *, deaf: bool = False) -> Run:
    """Record, with so many viewers of the page; None for no page."""
    with open_room() as server, open_live_recorder(server, database, is_live=viewers is not None) as (process, port):
        following = None
        if viewers:
            command = [sys.executable, str(Path(__file__).with_name("live_viewers.py")), str(port), str(viewers)]
            following = subprocess.Popen([*command, *["--deaf"][: int(deaf)]], stdout=subprocess.PIPE, text=True)
        time.sleep(SETTLE_S)
        recorder = psutil.Process(process.pid)
        before, began_at = recorder.cpu_times(), time.monotonic()
        time.sleep(SECONDS)
        after, took_s = recorder.cpu_times(), time.monotonic() - began_at
        memory_mb = recorder.memory_info().rss / 1e6
        seen: list[tuple[str, int, int, float]] = []
        if following is not None:
            following.terminate()
            seen = json.loads(following.communicate()[0])
    cpu = 100 * (after.user + after.system - before.user - before.system) / took_s
    return Run(cpu, memory_mb, *compare(seen, database))


def compare(seen: list[tuple[str, int, int, float]], database: Path) -> tuple[list[float], int]:
    """Return the ages of what was seen, and how many readings between the first and last of it were not."""
    names = "SELECT profile_id, max(name) AS name FROM member_events GROUP BY profile_id"
    columns = "name, epoch_ms(occurred_at), bpm, epoch_us(received_at) / 1000"
    query = f"SELECT {columns} FROM heart_rate JOIN ({names}) USING (profile_id)"
    with duckdb.connect(str(database), read_only=True) as connection:
        received: dict[tuple[str, int, int], float] = {
            (name, occurred_ms, bpm): at_ms for name, occurred_ms, bpm, at_ms in connection.execute(query).fetchall()
        }
    ages = [(at_ms - received[name, occurred_ms, bpm]) / 1000 for name, occurred_ms, bpm, at_ms in seen]
    times = [occurred_ms for _, occurred_ms, *_ in seen]
    if not times:
        return ages, 0
    whole = range(min(times) + 1, max(times) - 1000)
    return ages, sum(occurred_ms in whole for _, occurred_ms, _ in received) - sum(at in whole for at in times)
