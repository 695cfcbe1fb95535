"""Sessions that were received at the same time as those shown are named."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from recordings import make_recording, steady

from pulsoid_rec.analysis.findings.notes import report_notes
from pulsoid_rec.analysis.findings.report_data import read_report
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.reading.recording import NOBODY, Recording


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a session in whose middle the clock of ada goes back by an hour, and an earlier one."""
    ada = steady("ada", 90, 5000, 5060)
    back = [row._replace(occurred_at=row.occurred_at - timedelta(minutes=30)) for row in steady("ada", 90, 5060, 5119)]
    rows = [*steady("bob", 100, 0, 60), *ada, *back, *steady("bob", 100, 5000, 5120)]
    return make_recording(tmp_path_factory.mktemp("concurrent") / "a.duckdb", rows)


def notes(path: Path, wanted: Filter) -> list[str]:
    return report_notes(read_report(Recording(path), wanted, NOBODY, Definitions()))


def test_a_session_received_meanwhile_is_named(path: Path) -> None:
    [note] = notes(path, Filter(session="latest"))
    assert note == (
        "Session 3 of r1 was received at the same time as session 2: a clock is wrong, or readings came late;"
        " to see it, add --session 3"
    )
    assert notes(path, Filter(session=1)) == []
    assert notes(path, Filter(session="all")) == []


def test_an_import_is_received_at_no_time_of_its_own(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "b.duckdb"
    copy.write_bytes(path.read_bytes())
    with duckdb.connect(copy) as connection:
        connection.execute("UPDATE heart_rate SET connection_id = 'import:1' WHERE profile_id = 'ada'")
    assert notes(copy, Filter(session="latest")) == []
