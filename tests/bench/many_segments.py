"""CPU of an ingest of ten readings after five million segments, as a recorder of a year has behind it."""

import time
from collections.abc import Iterator
from pathlib import Path

from figures import Figure
from stream_server import frames
from streams import count_readings, require_count, spread

from pulsoid_rec.recorder.contract.journal_files import closed_path, journal_folder
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.tables import INGESTED_SEGMENTS
from pulsoid_rec.recorder.ingest.database import open_database
from pulsoid_rec.recorder.ingest.ingest import ingest
from pulsoid_rec.recorder.ingest.segment_ingest import Ingested
from pulsoid_rec.recorder.journal.segment import HEADER, encode_line
from pulsoid_rec.recorder.pulsoid.messages import parse_message

SEGMENTS = 5_000_000
READINGS = 10
INGESTS = 200
TURNS = 3


def measure(scratch: Path) -> Iterator[Figure]:
    """Ingest segments into a new file, and into one that has ingested millions before, in turns."""
    first_day, later = [], []
    for turn in range(TURNS):
        first_day.append(ingest_cpu_ms(scratch / f"first-day-{turn}.duckdb", 0))
        later.append(ingest_cpu_ms(scratch / f"later-{turn}.duckdb", SEGMENTS))
    what = f"CPU of an ingest of {READINGS} readings after {SEGMENTS / 1e6:g} million segments"
    details = f"{INGESTS:,} ingests a turn, all stored"
    yield Figure(15, what, "", "<= 15 ms", later, 15, unit="ms", details=details)
    yield Figure(
        15,
        "the same",
        "the same on the first day",
        "<= 1.2 times",
        [one / other for one, other in zip(later, first_day, strict=True)],
        1.2,
        details=f"{spread(later, 1)} ms against {spread(first_day, 1)}",
    )


def ingest_cpu_ms(database: Path, segments: int) -> float:
    """Make a file in which so many segments are noted, ingest more, and return the CPU of each, in milliseconds."""
    with open_database(database) as connection:
        names = f"SELECT 'run-' || range::VARCHAR, 10, now() FROM range({segments})"
        connection.execute(f"INSERT INTO {INGESTED_SEGMENTS.name} {names}")
    folder = journal_folder(database)
    folder.mkdir()
    total = Ingested()
    made = iter(frames(0, range(READINGS * (INGESTS + 1))))
    used_s = 0.0
    for number in range(INGESTS + 1):
        path = closed_path(folder, f"bench-{number:08}")
        path.write_bytes(HEADER + b"".join(_line(next(made)) for _ in range(READINGS)))
        before_s = time.process_time()
        ingest(database, [path], total, wal_bytes=DEFAULT_LIMITS.wal_bytes if number else 0)
        if number:  # the first removes the names that are left, if any are
            used_s += time.process_time() - before_s
    require_count(READINGS * (INGESTS + 1), count_readings(database), "readings stored")
    return used_s / INGESTS * 1e3


def _line(frame: bytes) -> bytes:
    text = frame[4 if frame[1] == 126 else 2 :].decode()
    return encode_line(parse_message(text, room_id="room-0", connection_id="connection-0", received_at=0))
