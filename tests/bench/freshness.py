"""How soon a message can be read in DuckDB, 1,000 a second."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
from figures import Figure
from streams import count_readings, open_recorder, open_server, require_count

PER_SECOND = 1_000
SECONDS = 60
LOOK_EVERY_S = 0.1


def measure(scratch: Path) -> Iterator[Figure]:
    """Look into the database all the time, as a reader beside it would, and note when each reading is first seen."""
    database = scratch / "fresh.duckdb"
    ages: list[float] = []
    is_over = threading.Event()
    looking = threading.Thread(target=look, args=(database, ages, is_over))
    try:
        with open_server(messages=PER_SECOND * SECONDS, per_second=PER_SECOND) as server:
            with open_recorder(server.port, database):
                server.wait_for_begin()
                looking.start()
                server.wait_until_taken()
    finally:
        is_over.set()
    looking.join()
    require_count(PER_SECOND * SECONDS, count_readings(database), "readings stored")
    require_count(PER_SECOND * SECONDS, len(ages), "readings seen")
    what = "from the socket to being readable in DuckDB, 1,000 messages a second"
    details = f"{len(ages):,} readings, each seen by a reader that opens the file every {LOOK_EVERY_S} s"
    for name, share, limit in (("median", 50, 1.0), ("99 %", 99, 2.5)):
        age_s = float(np.percentile(ages, share))
        yield Figure(5, f"{what}: {name}", "", f"<= {limit:g} s", [age_s], limit, unit="s", details=details)


def look(database: Path, ages: list[float], is_over: threading.Event) -> None:
    """Read what is new again and again; add each reading's age when it is first seen, in seconds."""
    is_last = False
    while not is_last:
        is_last = is_over.is_set()
        try:
            with duckdb.connect(str(database), read_only=True) as connection:
                query = "SELECT epoch_us(received_at) AS at FROM heart_rate ORDER BY rowid OFFSET ?"
                new = connection.execute(query, [len(ages)]).fetchnumpy()["at"]
        except duckdb.IOException:  # the recorder has it, or has not made it yet
            is_last = is_last and not database.exists()
            time.sleep(0.005)
            continue
        ages.extend((time.time_ns() / 1e3 - new) / 1e6)
        time.sleep(LOOK_EVERY_S)
