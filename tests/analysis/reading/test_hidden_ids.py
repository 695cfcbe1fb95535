"""With pseudonyms every figure is what it is without, wherever the rows are; only ids, names and times may differ."""

import shutil
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import hypothesis.strategies as st
import polars as pl
import pytest
from contract_archives import archive_days
from drawn_readings import ROWS
from hypothesis import given, settings
from recordings import Reading, at, make_recording, steady

from pulsoid_rec.analysis.findings.report_data import read_report
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.members import SCHEMA as MEMBERS
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.analysis.reading.pseudonyms import Pseudonyms
from pulsoid_rec.analysis.reading.recording import USUAL, Recording
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.tables import TABLES

PLAIN, MOVED = Pseudonyms(b"k" * 32), Pseudonyms(b"k" * 32, shift_times=True)
KNOWN = pl.DataFrame([("ann", "Ada", 1990, "female", None, 60.0)], MEMBERS, orient="row")
IN_YEAR_1 = at(0).replace(year=30)


def hide(frame: pl.DataFrame) -> pl.DataFrame:
    """Put pseudonyms into a result that was read without: what reading with them should return."""
    if "room_id" in frame.columns:
        frame = frame.with_columns(pl.col("room_id").map_elements(lambda id_: PLAIN.choose("room", id_), pl.String))
    if "profile_id" in frame.columns:
        ids = pl.col("profile_id").map_elements(lambda id_: PLAIN.choose("profile", id_), pl.String)
        frame = frame.with_columns(ids)
        if "name" in frame.columns:
            frame = frame.with_columns(name="profile_id")
    return frame


def assert_same(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    """Compare rows, which are in the order of pseudonyms instead of names."""
    assert found.sort(pl.all()).equals(hide(expected).sort(pl.all())), f"{found}, not {hide(expected)}"


def results(recording: Recording, known: pl.DataFrame) -> dict[str, pl.DataFrame]:
    with recording.snapshot() as now:
        found = now.results(members=known)
        return {
            "summary": found.summary,
            "time_at_bpm": found.time_at_bpm,
            "untimely": found.untimely,
            "sessions": now.sessions(),
            "members": now.members(members=known),
            "readings": now.readings().collect(),
        }


@pytest.mark.slow
@settings(max_examples=4)
@given(rows=ROWS, random=st.integers(0, 99).map(Random), archived=st.booleans())
def test_every_figure_is_the_same_with_pseudonyms(
    tmp_path_factory: pytest.TempPathFactory, *, rows: list[Reading], random: Random, archived: bool
) -> None:
    folder = tmp_path_factory.mktemp("drawn")
    path = make_recording(folder / "a.duckdb", rows)
    expected = results(Recording(path), KNOWN)
    report = read_report(Recording(path), Filter(), KNOWN, USUAL)
    if archived:
        archive_days(path, folder / "archive", "b", lambda *_: random.random() < 0.7)
    found = results(Recording(path, pseudonyms=PLAIN), PLAIN.hide_members(KNOWN))
    for name, frame in expected.items():
        assert_same(found[name], frame)
    moved = read_report(Recording(path, pseudonyms=MOVED), Filter(), MOVED.hide_members(KNOWN), USUAL)
    instants = [name for name, kind in report.summary.schema.items() if kind == INSTANT]
    assert_same(moved.summary.drop(instants), report.summary.drop(instants))
    assert_same(
        moved.sessions.select("room_id", "session", "readings"),
        report.sessions.select("room_id", "session", "readings"),
    )
    recent = report.sessions.filter(pl.col("started_at") > IN_YEAR_1)
    for room, session, started_at in recent.select("room_id", "session", "started_at").iter_rows():
        pseudonym = PLAIN.choose("room", room)
        row = moved.sessions.row(
            by_predicate=(pl.col("room_id") == pseudonym) & (pl.col("session") == session), named=True
        )
        assert row["started_at"] == started_at - MOVED.shift(pseudonym)
    shutil.rmtree(folder)


def test_a_room_is_moved_by_whole_weeks_of_its_own_that_only_the_key_tells() -> None:
    shifts = [Pseudonyms(bytes([key]) * 32, shift_times=True).shift(room) for key in range(20) for room in ("R1", "R2")]
    assert len(set(shifts)) > 35
    assert all(shift % timedelta(weeks=1) == timedelta() for shift in shifts)
    assert all(timedelta(weeks=1) <= shift <= timedelta(weeks=1040) for shift in shifts)


def test_the_order_of_members_is_that_of_pseudonyms_and_not_of_the_file() -> None:
    known = pl.concat([KNOWN.with_columns(profile_id=pl.lit(f"id-{number}")) for number in range(20)])
    hidden = PLAIN.hide_members(known)
    assert hidden["profile_id"].is_sorted()
    assert set(hidden["given_name"]) == {None}
    assert hidden["birth_year"].to_list() == known["birth_year"].to_list()


def test_nothing_is_moved_to_before_the_year_1() -> None:
    frame = pl.DataFrame({"room_id": ["R1"], "at": [at(0).replace(year=2)]}, {"room_id": pl.String, "at": INSTANT})
    assert MOVED.move(frame)["at"].dt.year().to_list() == [1]


def test_rows_of_an_unknown_room_are_moved_too() -> None:
    frame = pl.DataFrame({"room_id": [None], "at": [at(0)]}, {"room_id": pl.String, "at": INSTANT})
    assert MOVED.move(frame)["at"].item() == at(0) - MOVED.shift(None)


def test_two_ids_with_one_pseudonym_are_an_error() -> None:
    twins = ["id-251938", "id-322095"]  # found by trying
    assert len({PLAIN.choose("profile", id_) for id_ in twins}) == 1
    with pytest.raises(UsageError, match="With this key two profiles have the same pseudonym") as caught:
        PLAIN.make("profile", twins)
    assert twins[0] not in str(caught.value)


def test_an_id_that_no_note_lists_loses_no_row_unseen_and_is_not_in_the_error(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb", steady("ann", 90, 0, 9))
    archive_days(path, tmp_path / "archive", "b")
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE archived_activity SET profile_id = 'bob'")
    with pytest.raises(duckdb.Error, match="an id is not listed") as caught:
        Recording(path, pseudonyms=PLAIN).summary()
    assert "ann" not in str(caught.value)


@pytest.mark.parametrize("is_archived", [False, True])
def test_every_row_of_every_table_is_read_without_the_texts_that_may_name_somebody(
    tmp_path: Path, *, is_archived: bool
) -> None:
    path = make_recording(
        tmp_path / "a.duckdb",
        steady("ann", 90, 0, 9),
        member_events=[["r1", "ann", "updated", '{"name": "Ada"}', at(0), at(0), "c1"]],
        room_events=[["r1", '{"name": "Gym"}', at(0), at(0), "c1"]],
        connection_events=[["r1", "c1", "lost", at(9), 1006, "ann's fault"]],
    )
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE heart_rate SET connection_id = 'import:7' WHERE occurred_at > ?", [at(4)])
        connection.execute("INSERT INTO rejected_messages VALUES ('r1', 'c1', ?, 'no ann', 'Ada')", [at(3)])
        connection.execute("INSERT INTO rejected_messages VALUES (NULL, NULL, ?, 'no ann', 'Ada')", [at(3)])
        connection.execute("INSERT INTO marks VALUES ('r1', NULL, 'Ada', 'mark', ?, 'm1', 'cli')", [at(4)])
        counts = {table.name: connection.sql(f"FROM {table.name}").pl().height for table in TABLES}
    if is_archived:
        archive_days(path, tmp_path / "archive", "b")
    tables = dict[str, list[dict[str, Any]]]()
    with Recording(path, pseudonyms=PLAIN).open_() as connection:
        for table in TABLES:
            tables[table.name] = connection.sql(f"FROM {table.name}").pl().rows(named=True)
    assert {name: len(rows) for name, rows in tables.items()} == counts
    profile, room, connection_id = (
        PLAIN.choose(*each) for each in (("profile", "ann"), ("room", "r1"), ("connection", "c1"))
    )
    [event] = tables["member_events"]
    assert (event["profile_id"], event["name"], event["config"]) == (profile, None, None)
    [setting] = tables["room_events"]
    assert (setting["room_id"], setting["name"], setting["config"]) == (room, None, None)
    [lost] = tables["connection_events"]
    assert (lost["connection_id"], lost["code"], lost["reason"]) == (connection_id, 1006, None)
    assert {(row["room_id"], row["reason"], row["raw"]) for row in tables["rejected_messages"]} == {
        (room, "reason left out", ""),
        (None, "reason left out", ""),
    }
    [mark] = tables["marks"]
    assert mark["label"] == PLAIN.choose("label", "Ada")
    assert mark["mark_id"] == PLAIN.choose("mark", "m1")
    imported = "import:" + PLAIN.choose("connection", "import:7")
    assert {row["connection_id"] for row in tables["heart_rate"]} == {connection_id, imported}
