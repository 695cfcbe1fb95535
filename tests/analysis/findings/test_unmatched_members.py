"""Members of the members file who are nobody: named, with what may be meant, and without false alarms."""

from pathlib import Path

import polars as pl
import pytest
from recordings import at, make_recording, steady

import pulsoid_rec.analysis as pr
from pulsoid_rec.analysis.findings.report_data import read_report
from pulsoid_rec.analysis.findings.unmatched_members import describe_unmatched
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.reading.members_file import read_members
from pulsoid_rec.analysis.reading.recording import Recording

NAMES = {"3f0c9c1e-ada": "Ada", "77aa-bob": "Bob", "u-1": "u-1"}


@pytest.mark.parametrize(
    ("id_", "words"),
    [
        ("3F0C9C1E-ADA", "'3F0C9C1E-ADA' (did you mean 3f0c9c1e-ada?)"),
        ("3f0c9c1e-adb", "'3f0c9c1e-adb' (did you mean 3f0c9c1e-ada?)"),
        ("ada", "'ada' (a name; did you mean the id 3f0c9c1e-ada?)"),
        ("U-1", "'U-1' (did you mean u-1?)"),
        ("somebody", "'somebody'"),
    ],
)
def test_who_is_nobody_is_named_with_who_may_be_meant(id_: str, words: str) -> None:
    described = describe_unmatched(["u-1", id_], NAMES)
    assert described == f"Nobody in this recording has these ids of the members file: {words}"


def test_all_who_are_somebody_need_no_word_and_many_are_counted() -> None:
    assert describe_unmatched(NAMES, NAMES) is None
    assert describe_unmatched([], {}) is None
    described = describe_unmatched([f"stranger {number}" for number in range(30)], NAMES)
    assert described is not None
    assert described.endswith("'stranger 4' and 25 more")


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    readings = (
        steady("3f0c9c1e-ada", 120, 0, 60) + steady("early", 90, -9000, -8990) + steady("bob", 90, 0, 60, room="r2")
    )
    events = [["r1", "quiet", "updated", "{}", at(0), at(0), "c1"]]
    path = make_recording(tmp_path_factory.mktemp("nobody") / "a.duckdb", readings, member_events=events)
    path.with_name("members.toml").write_text("[early]\n[bob]\n[quiet]\n[ADA]\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("wanted", "is_told"),
    [(Filter(), True), (Filter(session="latest"), True), (Filter(since=at(30)), True), (Filter(rooms=("r1",)), False)],
)
def test_nobody_is_taken_for_nobody_because_of_a_filter(db: Path, wanted: Filter, *, is_told: bool) -> None:
    members = read_members(db.with_name("members.toml"))
    report = read_report(Recording(db), wanted, members, Definitions(), at_most=0)
    expected = "Nobody in this recording has these ids of the members file: 'ADA'"
    assert report.unmatched == (expected if is_told else None)


def test_a_notebook_has_it_among_the_notes(db: Path) -> None:
    told = pr.explore(db).notes().filter(pl.col("kind") == "recording")["text"].to_list()
    assert told == ["Nobody in this recording has these ids of the members file: 'ADA'"]
    assert "recording" not in pr.explore(db).only(room="r1").notes()["kind"]
