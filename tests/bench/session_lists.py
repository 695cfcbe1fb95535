"""What needs the sessions of 20 million readings, against one scan of the columns that sessions need."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from figures import Figure
from made_recordings import make_recording
from streams import require_count, spread

from pulsoid_rec.analysis.findings.report_data import read_report
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.notebook.explore import explore
from pulsoid_rec.analysis.reading.database import open_database, read_frame
from pulsoid_rec.analysis.reading.recording import NOBODY, Recording

READINGS, MEMBERS, ROOMS, TURNS = 20_000_000, 100, 10, 5
BY_HAND = (
    "SELECT room_id, profile_id, time_bucket(INTERVAL 15 MINUTE, occurred_at) AS quarter, min(occurred_at),"
    " max(occurred_at), min(received_at), max(received_at), count(*) AS readings FROM heart_rate GROUP BY ALL"
)


def measure(scratch: Path) -> Iterator[Figure]:
    """Compare processor time, each with a scan by hand of its own turn."""
    database = scratch / "lists.duckdb"
    make_recording(database, READINGS, MEMBERS, ROOMS, gap_s=23 * 3600)

    def scan() -> None:
        with open_database(database) as connection:
            require_count(READINGS, int(read_frame(connection, BY_HAND)["readings"].sum()), "readings by hand")

    def sessions() -> None:
        require_count(READINGS, int(Recording(database).sessions()["readings"].sum()), "readings in sessions")

    def latest_report() -> None:
        latest = Filter(session="latest")
        report = read_report(Recording(database), latest, NOBODY, Definitions(), at_most=2_000_000)
        require_count(MEMBERS, report.summary.height, "members in the latest session")

    def notebook() -> None:
        require_count(1, explore(database)._repr_html_().count(f"{READINGS:,} readings"), "tables shown")

    works = {"sessions()": sessions, "the latest report's data": latest_report, "what a notebook shows": notebook}
    for name, work in works.items():
        turns = [(_processor_s(work), _processor_s(scan)) for _ in range(TURNS)]
        ours, by_hand = ([turn[place] for turn in turns] for place in (0, 1))
        yield Figure(
            19,
            f"{name} of 20 million readings: processor time",
            "DuckDB, the same columns grouped by member and quarter of an hour",
            "<= 1.2 times",
            [one / other for one, other in turns],
            1.2,
            unit="times",
            details=f"{spread(ours, 2)} s against {spread(by_hand, 2)} s",
        )


def _processor_s(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
