"""A recording reads the same whether its rows are in the database, in an archive, or in both."""

import shutil
import sys
import threading
from datetime import timedelta
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, NamedTuple

import duckdb
import hypothesis.strategies as st
import polars as pl
import pytest
from contract_archives import archive_days
from drawn_readings import ROWS
from hypothesis import given, settings
from recordings import Reading, append_readings, at, make_recording, steady

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.reading import database as database_module
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.analysis.reading.rejected import read_rejected
from pulsoid_rec.recorder.archiving.rewrite import rewrite
from pulsoid_rec.recorder.contract.tables import CONNECTION_EVENTS, MEMBER_EVENTS, ROOM_EVENTS
from pulsoid_rec.recorder.ingest.database import NO_CHECKPOINT, open_database

DAY_S = 86_400
ODD_ROOMS = st.sampled_from([("r1", "r2"), ("007", "7"), ("a/b'%2F", "\N{GREEK SMALL LETTER ALPHA} *?"), ("", "NULL")])
SECONDS = st.sampled_from([-100_000, -5, 0, 3, 500, 90_000, 200_000])
NAMES = st.sampled_from(['{"name": "Ada"}', '{"name": "Bo"}', "{}", None])
MEMBERS = st.lists(st.tuples(st.sampled_from(["ann", "dan"]), NAMES, SECONDS), max_size=4)
CONNECTIONS = st.lists(
    st.tuples(st.sampled_from(["c1", "c2", "c3"]), st.sampled_from(["opened", "closed", "lost", "refused"]), SECONDS),
    max_size=5,
)
FILTERS = st.sampled_from(
    [Filter(), Filter(session="latest"), Filter(since=at(60)), Filter(until=at(700)), Filter(session=2)]
)
DEFINITIONS = st.sampled_from(
    [Definitions(), Definitions(), Definitions(session_gap_s=7), Definitions(max_clock_error_s=600)]
)


def member_events(room: str, drawn: list[tuple[str, str | None, int]]) -> list[list[Any]]:
    # Each is received at another instant, as by any one recorder.
    return [
        [room, who, "updated" if config else "removed", config, at(s), at(s + number / 8), f"c{number % 3}"]
        for number, (who, config, s) in enumerate(drawn)
    ]


def connection_events(room: str, drawn: list[tuple[str, str, int]]) -> list[list[Any]]:
    return [[room, which, event, at(s + number / 8), 1000, ""] for number, (which, event, s) in enumerate(drawn)]


def everything(recording: Recording, wanted: Filter, definitions: Definitions) -> dict[str, Any]:
    """Read it in every way there is."""
    with recording.snapshot() as now:
        results = now.results(wanted, definitions)
        found = {
            "summary": results.summary,
            "time_at_bpm": results.time_at_bpm,
            "untimely": results.untimely.sort(pl.all()),
            "sessions": now.sessions(wanted, definitions),
            "members": now.members(wanted, definitions),
            "rooms": now.rooms(definitions),
            "names": now.config_names().sort(pl.all()),
            "ids": now.profile_ids(definitions),
            "connections": now.connections(),
            "last_received": now.last_received(),
            "imported": now.imported_sessions((), definitions),
            "rejected": read_rejected(now, wanted, definitions),
            "readings": now.readings(wanted, definitions).collect().sort(pl.all()),
        }
        for table in (MEMBER_EVENTS, ROOM_EVENTS, CONNECTION_EVENTS):
            found[table.name] = now.events(table, with_configs=True)
    return found


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, rows in expected.items():
        same = rows.equals(found[name]) if isinstance(rows, pl.DataFrame) else rows == found[name]
        assert same, f"{name}: {found[name]}, not {rows}"


class Drawn(NamedTuple):
    """A recording: its rows, by table."""

    readings: list[Reading]
    events: Any
    messages: list[list[Any]]


@st.composite
def recordings(draw: st.DrawFn) -> Drawn:
    """Draw one, in odd rooms."""
    rooms, members = draw(ODD_ROOMS), draw(MEMBERS)
    rows = [row._replace(room_id=rooms[row.room_id == "r2"]) for row in draw(ROWS)]
    configs = [[rooms[1], config or "{}", at(s), at(s + n / 8), "c2"] for n, (_, config, s) in enumerate(members)]
    events = {
        "member_events": member_events(rooms[0], members),
        "room_events": configs,
        "connection_events": connection_events(rooms[0], draw(CONNECTIONS)),
    }
    messages = [[draw(st.sampled_from(rooms)), "c1", at(draw(SECONDS)), "odd", "{"] for _ in range(2)]
    return Drawn(rows, events, messages)


def import_room(path: Path, room: str) -> None:
    """Let a room's readings be imported ones."""
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE heart_rate SET connection_id = 'import:1' WHERE room_id = ?", [room])


@pytest.mark.slow
@settings(max_examples=5)
@given(
    drawn=recordings(),
    wanted=FILTERS,
    definitions=DEFINITIONS,
    random=st.integers(0, 999).map(Random),
    imported=ODD_ROOMS,
)
def test_a_recording_is_the_same_wherever_its_rows_are(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    drawn: Drawn,
    wanted: Filter,
    definitions: Definitions,
    random: Random,
    imported: tuple[str, str],
) -> None:
    folder = tmp_path_factory.mktemp("drawn")
    plain = make_recording(folder / "plain.duckdb", drawn.readings, **drawn.events)
    ours, others = make_recording(folder / "ours.duckdb", **drawn.events), make_recording(folder / "others.duckdb")
    for path in (plain, ours):
        with duckdb.connect(path) as connection:
            connection.executemany("INSERT INTO rejected_messages VALUES (?, ?, ?, ?, ?)", drawn.messages)
    import_room(plain, imported[0])
    # In three turns, each of two recorders stores what it received since, and some days are archived.
    turns = [(random.choice([ours, others]), random.randrange(3)) for _ in drawn.readings]
    for turn in range(3):
        for path in (ours, others):
            received = [row for row, of in zip(drawn.readings, turns, strict=True) if of == (path, turn)]
            with duckdb.connect(path) as connection:
                append_readings(connection, received)
            import_room(path, imported[0])
            archive_days(path, folder / "archive", f"n{turn}", lambda *_: random.random() < 0.5)
    expected = everything(Recording(plain), wanted, definitions)
    # Of the second recorder nothing stays in its database.
    archive_days(others, folder / "archive", "last")
    assert_same(everything(Recording(ours), wanted, definitions), expected)
    archive_days(ours, folder / "archive", "last")
    assert_same(everything(Recording(None, archive=folder / "archive"), wanted, definitions), expected)
    shutil.rmtree(folder)


def test_the_gap_after_a_range_of_time_may_end_on_another_archived_day(tmp_path: Path) -> None:
    midnight = 6 * 3600
    rows = [*steady("ann", 100, midnight - 100, midnight - 10), *steady("ann", 100, midnight + 300, midnight + 400)]
    path = make_recording(tmp_path / "a.duckdb", rows)
    wanted = Filter(until=at(midnight - 5))
    expected = Recording(path).summary(wanted)
    assert expected["longest_gap_s"].to_list() == [311]
    archive_days(path, tmp_path / "archive", "b")
    assert Recording(path).summary(wanted).equals(expected)


def test_untimely_readings_of_archived_days_are_counted_whatever_was_read_before(tmp_path: Path) -> None:
    late = [row._replace(occurred_at=row.occurred_at - timedelta(days=400)) for row in steady("cid", 90, 10, 15)]
    rows = [*steady("ann", 100, 0, 60), *late, *steady("ann", 100, 3 * DAY_S, 3 * DAY_S + 60)]
    path = make_recording(tmp_path / "a.duckdb", rows)
    archive_days(path, tmp_path / "archive", "b")
    with Recording(path).snapshot() as now:
        assert now.results().untimely["untimely"].to_list() == [5]
        assert now.summary(Filter(session="latest"))["readings"].to_list() == [60]
        assert now.results(Filter(session=1)).untimely["untimely"].to_list() == [5]
        assert now.readings(Filter(session=1)).select(pl.len()).collect().item() == 60


def test_a_copy_that_does_not_know_its_archive_is_a_warning_in_a_notebook(tmp_path: Path) -> None:
    rows = steady("ann", 100, 0, 60)
    path = make_recording(tmp_path / "a.duckdb", rows)
    older = Path(shutil.copy(path, tmp_path / "older.duckdb"))
    [file] = archive_days(path, tmp_path / "archive", "b")
    with duckdb.connect(older) as connection:
        connection.execute("INSERT INTO archive_identity VALUES (?, NULL, now())", [file.name.split("-")[0]])
    with pytest.warns(UserWarning, match="the database is a copy, or an older state"):
        assert Recording(older, archive=tmp_path / "archive").summary()["duplicates"].to_list() == [60]


def test_a_reader_that_opened_the_file_before_it_was_rewritten_reads_the_new_one(tmp_path: Path) -> None:
    """It finds the WAL of the new file beside the old one, as it locks that too late."""
    path = make_recording(tmp_path / "a.duckdb", steady("ann", 100, 0, 60))
    old, new = (Path(shutil.copy(path, tmp_path / name)) for name in ("old.duckdb", "new.duckdb"))
    rewrite(path)
    with open_database(path, NO_CHECKPOINT) as connection:
        connection.execute("DELETE FROM heart_rate WHERE bpm > 0 AND occurred_at < ?", [at(30)])
    path.replace(new)
    old.replace(path)

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code is not database_module._connect.__code__:
            return None
        if event == "exception" and new.exists():
            new.replace(path)
        return trace

    found: list[int] = []

    def read() -> None:
        sys.settrace(trace)
        try:
            found.extend(Recording(path).sessions()["readings"])
        finally:
            sys.settrace(None)

    reader = threading.Thread(target=read)
    reader.start()
    reader.join()
    assert found == [30]
