"""How many bytes a reading takes in the database, brought in as a recorder does: through the journal, bit by bit."""

import itertools
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from figures import Figure
from streams import count_readings, require_count

from pulsoid_rec.recorder.ingest.database import open_database
from pulsoid_rec.recorder.ingest.ingest import ingest
from pulsoid_rec.recorder.ingest.segment_ingest import Ingested
from pulsoid_rec.recorder.journal.segment import HEADER, encode_line
from pulsoid_rec.recorder.pulsoid.messages import parse_message
from pulsoid_rec.recorder.simulator.people import play_people
from pulsoid_rec.recorder.simulator.wire import heart_rate

MEMBERS = 40
HOURS = 6
INGEST_EVERY_S = 4
READINGS_AN_INGEST = MEMBERS * INGEST_EVERY_S
BEGIN = datetime(2024, 1, 15, 10, tzinfo=UTC)


def measure(scratch: Path) -> Iterator[Figure]:
    """Bring in the readings of made-up people who train, with gaps and drifting clocks, as frames."""
    database, empty = scratch / "stored.duckdb", scratch / "empty.duckdb"
    with open_database(empty):
        pass
    received_bytes, count, total = 0, 0, Ingested()
    readings = itertools.takewhile(lambda one: one.time_s < HOURS * 3600, play_people(MEMBERS, 1, "gym").readings)
    connection_id = f"{BEGIN:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    for number in itertools.count():
        lines = [HEADER]
        for reading in itertools.islice(readings, READINGS_AN_INGEST):
            at = BEGIN + timedelta(seconds=reading.time_s)
            frame = heart_rate(reading.profile_id, reading.bpm, at).decode()
            received_at = int(at.timestamp() * 1e6) + 30_000 + secrets.randbelow(40_000)  # the way here takes a while
            row = parse_message(frame, room_id="gym", connection_id=connection_id, received_at=received_at)
            lines.append(encode_line(row))
            received_bytes += len(frame)
        if len(lines) == 1:
            break
        count += len(lines) - 1
        path = scratch / f"bench-{number:08}.jsonl"
        path.write_bytes(b"".join(lines))
        ingest(database, [path], total)
    require_count(count, count_readings(database), "readings stored")
    size, fixed = database.stat().st_size, empty.stat().st_size
    yield Figure(
        13,
        "bytes a reading in the database, real-looking data",
        "the JSON received",
        "<= 1/10",
        [size / received_bytes],
        0.1,
        details=f"{size / count:.1f} bytes against {received_bytes / count:.0f}; {count:,} readings of {MEMBERS}"
        f" members in {number:,} ingests: {size / 1e6:.1f} MB (an empty database: {fixed / 1e6:.1f} MB)",
    )
