"""Years 1 to 9999 in every time zone: all that shows an instant shows one, and nothing fails."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from readings import Reading
from recordings import make_recording

from pulsoid_rec.analysis.findings.report_data import read_report
from pulsoid_rec.analysis.findings.what_exists import no_match_error
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.notebook.explore import explore
from pulsoid_rec.analysis.reading.recording import NOBODY, Recording
from pulsoid_rec.analysis.report.html import render_report
from pulsoid_rec.analysis.report.json_rows import rows_json
from pulsoid_rec.analysis.report.terminal import plain_text, show_report, show_sessions

pytestmark = pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone cannot be set on Windows")

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SECOND = timedelta(seconds=1)
BERLIN, NEW_YORK = "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0"


@pytest.fixture(params=[BERLIN, NEW_YORK], ids=["Berlin", "New York"], autouse=True)
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a room whose clock runs in the first year, and one in the last: their readings are timely there."""
    received_at = datetime(2026, 3, 1, tzinfo=UTC)
    steps = [SECOND * step for step in range(4)]
    rows = [Reading("first", "ann", 80, FIRST + step, received_at + step) for step in steps]
    rows += [Reading("last", "bob", 90, LAST - step, received_at - step) for step in steps]
    connections = [["last", "c1", "opened", LAST - SECOND * 5, None, None]]
    return make_recording(tmp_path_factory.mktemp("years") / "a.duckdb", rows, connection_events=connections)


def test_tables_show_any_year(path: Path) -> None:
    recording = explore(path)
    sessions = recording.sessions().with_columns(duration_s=pl.lit(3.0), untimely=0, rejected=0)
    listed = plain_text(lambda console: show_sessions(sessions, console))
    assert "0001-01-01 0" in listed
    assert "9999-12-31" in listed
    report = read_report(recording.recording, Filter(), NOBODY, Definitions(), at_most=100)
    text = plain_text(lambda console: show_report(report, console))
    assert " 0001-01-01 " in text
    assert " 9999-12-31 " in text
    assert '"first_at": "0001-01-01T00:00:00Z"' in rows_json(report.summary)
    where = str(no_match_error(Filter(since=FIRST, until=FIRST + SECOND), {"first": "first"}, sessions, "a.duckdb"))
    assert "from 0001-01-01 00:00:00 to 9999-12-31 23:59:59 UTC" in where
    assert str(Filter(since=FIRST)) == "since 0001-01-01 00:00:00 UTC"


@pytest.mark.process
def test_pages_show_any_year(path: Path) -> None:
    page = render_report(read_report(Recording(path), Filter(), NOBODY, Definitions(), at_most=100))
    assert " 0001" in page
    assert " 9999" in page


def test_notebooks_show_any_year(path: Path) -> None:
    room = "last" if time.localtime(0).tm_gmtoff > 0 else "first"  # the one whose local time is of no year
    part = explore(path).only(room=room)
    assert room in part._repr_html_()
    assert part.notes()["kind"].to_list() == ["clock"]  # the recorder's, which is in 2026
    assert part.grid().height >= 3
    assert part.only(since=FIRST, until=LAST).grid().height >= 3
    assert part.member_events().collect().is_empty()
    for chart in (part.timeline(), part.calendar(), part.history(), part.small_multiples(), part.distribution()):
        assert chart.to_dict()
