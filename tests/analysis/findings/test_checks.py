"""Every reading is checked, however many there are: slices find what the whole finds."""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from readings import MATCHES
from recordings import at, make_recording, reading
from report_samples import at as sample_at
from report_samples import checks_of, readings_of

from pulsoid_rec.analysis.findings.checks import make_checks
from pulsoid_rec.analysis.findings.report_data import read_report
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.members import SCHEMA as MEMBERS
from pulsoid_rec.analysis.reading.pipeline import Selection, read_slices, select
from pulsoid_rec.analysis.reading.recording import Recording

DEFINITIONS = Definitions()
EVERYBODY = pl.DataFrame(schema=MEMBERS)
EVENTS = [("r1", "ann", "removed", None, at(s), at(s), "c1") for s in (100, 250, 800, 5000)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record every fault, with silences, duplicates and two sessions, in two rooms."""
    rows = []
    for room, begin in (("r1", 0), ("r2", 5), ("r1", 4000)):
        rows += [reading(begin + s, 150 if s % 40 == 9 else 80 + s % 7, "ann", room) for s in range(0, 900, 1)]
        rows += [reading(begin + s, 70 if s > 300 else 0, "stuck", room) for s in range(0, 900, 10)]
        rows += [reading(begin + s, 70, "half", room) for s in range(0, 900, 2) if not 200 < s < 300]
        rows += [reading(begin + s / 2, 90 + 20 * (s % 2), "two", room) for s in range(400)]
    rows = [row for row in rows if not (row.profile_id == "ann" and at(200) < row.occurred_at < at(270))]
    return make_recording(tmp_path_factory.mktemp("checks") / "a.duckdb", [*rows, *rows[::7]], member_events=EVENTS)


def test_readings_that_are_too_many_for_a_page_are_not_checked(path: Path) -> None:
    report = read_report(Recording(path), Filter(), EVERYBODY, DEFINITIONS, at_most=4000)
    assert report.summary["readings"].sum() > 4000
    assert report.readings.is_empty()
    assert report.checks.faults.is_empty()


def test_slices_of_any_size_find_what_the_page_finds(path: Path) -> None:
    page, terminal = (read_report(Recording(path), Filter(), EVERYBODY, DEFINITIONS, at_most=n) for n in (10**6, 0))
    assert page.readings.height > 4000
    assert terminal.readings.is_empty()
    assert set(page.checks.faults["what"]) == {"zeros", "jumps", "unchanging", "levels"}
    assert page.checks.silences.height == 5
    assert page.checks.returns["first_at"].to_list() == [at(s) for s in (101, 270, 801)]

    with Recording(path).open_() as connection:
        for rows in (700, 2500):
            selection = select(connection, Filter(), DEFINITIONS, slice_rows=rows)

            def read(keys: pl.Series | None, selection: Selection = selection) -> Iterator[pl.DataFrame]:
                return read_slices(selection, keys)

            sliced = make_checks(read, selection.bounded_members, DEFINITIONS, page.member_events)
            for field in fields(sliced):
                for report in (page, terminal):
                    assert_frame_equal(getattr(sliced, field.name), getattr(report.checks, field.name))


def test_in_a_range_of_time_only_its_readings_are_checked(path: Path) -> None:
    wanted = replace(Filter(), since=at(300), until=at(400))
    checks = read_report(Recording(path), wanted, EVERYBODY, DEFINITIONS).checks
    assert checks.ends["first_at"].min() == at(300)
    assert checks.ends["last_at"].max() == at(399)


def test_without_checks_there_are_none(path: Path) -> None:
    checks = read_report(Recording(path), Filter(), EVERYBODY, DEFINITIONS, most_sessions=0).checks
    assert all(getattr(checks, field.name).is_empty() for field in fields(checks))


def test_a_sensor_slower_than_a_minute_is_not_silent_between_its_readings() -> None:
    series = [(90.0 * k, 80) for k in range(20) if k != 12]
    checks = checks_of(readings_of({"a": series}), DEFINITIONS)
    assert checks.silences.select("begins_at", "ends_at").rows() == [(sample_at(990), sample_at(1170))]
    assert checks.paces["pace_s"].to_list() == [90.0]


def test_jitter_lost_readings_pauses_duplicates_and_bursts_leave_the_pace() -> None:
    usual = [(2.0 * k + 0.1 * (k % 3), 80) for k in range(200) if k % 5]
    pause = [(s + 500 * (s > 200), bpm) for s, bpm in usual]
    burst = [*pause, *((1000 + 0.01 * k, 80) for k in range(50))]
    series = {"usual": usual, "pause": pause, "burst": burst, "few": usual[:10], "twice": [*pause, *pause]}
    paces = checks_of(readings_of(series), DEFINITIONS).paces
    assert dict(paces.select("profile_id", "pace_s").iter_rows()) == {
        "usual": 2.1,
        "pause": 2.1,
        "burst": 2.1,
        "twice": 2.1,
    }


@pytest.mark.parametrize("match", MATCHES)
def test_a_match_seen_by_slower_sensors_shows_no_other_faults(match: str) -> None:
    rows = pl.read_csv(MATCHES[match])
    series = {
        f"{member}, every {pace_s} s": list(of.select("time_s", "bpm").gather_every(pace_s).iter_rows())
        for (member,), of in rows.filter(pl.col("bpm").is_between(30, 230)).group_by("member")
        for pace_s in (1, 2, 5, 10)
    }
    faults = checks_of(readings_of(series), DEFINITIONS).faults
    stuck = [id_ for id_ in series if match == "stuck" and id_.startswith("player_2")]
    assert sorted(set(faults["profile_id"])) == sorted(stuck)
