"""Days are moved to files: every row is there as it was, and what reports need of it is noted."""

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl
import pytest
from archives import (
    DAY_US,
    LAST_US,
    all_rows,
    append_rows,
    archive_all,
    archived_rows,
    files_of,
    noted_files,
    some_rows,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_rows import as_stored, rows, stored

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.reading.buckets import scan_readings
from pulsoid_rec.analysis.reading.config_names import read_config_names, read_room_names
from pulsoid_rec.analysis.reading.database import open_database, read_frame
from pulsoid_rec.recorder.archiving import parquet
from pulsoid_rec.recorder.archiving.access import only_run
from pulsoid_rec.recorder.archiving.archive import archive
from pulsoid_rec.recorder.archiving.store import open_store
from pulsoid_rec.recorder.contract.archive_place import open_place
from pulsoid_rec.recorder.contract.tables import HEART_RATE
from pulsoid_rec.recorder.journal.rows import AnyRow, HeartRateRow, RejectedMessageRow


@settings(max_examples=10, deadline=None)
@given(st.lists(st.lists(rows, max_size=12), min_size=1, max_size=2))
def test_every_row_is_in_the_database_or_the_archive_bit_for_bit(portions: list[list[AnyRow]]) -> None:
    expected: Counter[tuple[object, ...]] = Counter()
    with TemporaryDirectory() as name:
        database, folder = Path(name) / "t.duckdb", Path(name) / "archive"
        for number, portion in enumerate(portions):
            append_rows(database, portion, f"a-{number}")
            expected.update(map(as_stored, portion))
            archive_all(database, folder)
            assert all_rows(database, folder) == expected
            live, today_us = stored(database), datetime.now(UTC).timestamp() * 1e6
            assert all(_instant(row) >= today_us - DAY_US for row in live), "a day that has ended is not archived"


def _instant(row: tuple[object, ...]) -> int:
    """Return a stored row's time, in microseconds since 1970."""
    place = {"heart_rate": 4, "member_events": 6, "room_events": 4, "connection_events": 4, "rejected_messages": 3}
    place["marks"] = 5
    instant = row[place[str(row[0])]]
    assert isinstance(instant, int)
    return instant


def test_a_file_says_what_it_holds(tmp_path: Path) -> None:
    append_rows(tmp_path / "t.duckdb", some_rows())
    archive_all(tmp_path / "t.duckdb", tmp_path / "archive")
    file = next(file for file in files_of(tmp_path / "archive") if file.table == "heart_rate" and file.day.year == 1970)
    path = str(tmp_path / "archive" / file.path)
    assert path.endswith(f"v1/heart_rate/day=1970-01-01/{file.recorder}-{file.batch}.parquet")
    with duckdb.connect() as connection:
        pairs = connection.execute("SELECT key, value FROM parquet_kv_metadata(?)", [path]).fetchall()
        found = {key.decode(): value.decode() for key, value in pairs}
        order = connection.execute("SELECT room_id, profile_id, bpm FROM read_parquet(?)", [path]).fetchall()
        encodings = connection.execute("SELECT DISTINCT compression FROM parquet_metadata(?)", [path]).fetchall()
    assert order == sorted(order)
    assert encodings == [("ZSTD",)]
    said = {key.removeprefix("pulsoid_rec."): value for key, value in found.items()}
    assert (said["table"], said["day"], said["version"]) == ("heart_rate", "1970-01-01", "1")
    assert (said["recorder"], said["batch"]) == (file.recorder, file.batch)
    assert said["meaning.bpm"].startswith("beats per minute")
    assert said["meaning.occurred_at"].endswith("; microseconds since 1970 (UTC)")
    assert all(f"meaning.{column.name}" in said for column in HEART_RATE.columns)


def test_files_and_folders_are_their_owners_alone(tmp_path: Path) -> None:
    append_rows(tmp_path / "t.duckdb", some_rows())
    archive_all(tmp_path / "t.duckdb", tmp_path / "archive")
    for path in (tmp_path / "archive", *(tmp_path / "archive").rglob("*"), tmp_path / "t.duckdb"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_late_rows_make_a_second_file_of_their_day(tmp_path: Path) -> None:
    append_rows(tmp_path / "t.duckdb", some_rows())
    archive_all(tmp_path / "t.duckdb", tmp_path / "archive")
    before = files_of(tmp_path / "archive")
    append_rows(tmp_path / "t.duckdb", some_rows(100, 1), "a-1")
    archive_all(tmp_path / "t.duckdb", tmp_path / "archive")
    after = files_of(tmp_path / "archive")
    assert set(before) < set(after)
    days = Counter((file.table, file.day) for file in after)
    assert days[("heart_rate", date(1970, 1, 1))] == 1
    assert days[("heart_rate", date(1970, 1, 2))] == days[("heart_rate", date(1, 1, 1))] == 2
    expected = Counter(map(as_stored, (*some_rows(), *some_rows(100, 1))))
    assert archived_rows(tmp_path / "archive", after) == expected
    assert not stored(tmp_path / "t.duckdb")


def test_a_day_that_goes_on_and_those_not_long_ago_stay(tmp_path: Path) -> None:
    def reading(day: float) -> HeartRateRow:
        at = round(day * DAY_US)
        return HeartRateRow("r", "c", "p", 60, at, at, "raw")

    append_rows(tmp_path / "t.duckdb", [reading(day) for day in (0, 1 - 1e-9, 1, 1.5, 9999)])
    with only_run(tmp_path / "t.duckdb"):
        store = open_store(open_place(tmp_path / "archive"), tmp_path / "t.duckdb", tmp_path)
        archive(tmp_path / "t.duckdb", store, date(1970, 1, 2))
    assert sorted(row[4] / DAY_US for row in stored(tmp_path / "t.duckdb")) == [1, 1.5, 9999]


def test_the_last_days_there_are_can_be_archived(tmp_path: Path) -> None:
    rows = [HeartRateRow("r", "c", "p", 60, LAST_US - days * DAY_US, LAST_US, "raw") for days in (0, 1)]
    append_rows(tmp_path / "t.duckdb", rows)
    with only_run(tmp_path / "t.duckdb"):
        store = open_store(open_place(tmp_path / "archive"), tmp_path / "t.duckdb", tmp_path)
        archive(tmp_path / "t.duckdb", store, date.max)
    assert [file.day for file in files_of(tmp_path / "archive")] == [date(9999, 12, 30)]
    assert all_rows(tmp_path / "t.duckdb", tmp_path / "archive") == Counter(map(as_stored, rows))


@pytest.mark.parametrize("imported", [False, True])
def test_the_activity_that_is_noted_is_what_a_scan_of_the_readings_counts(tmp_path: Path, imported: bool) -> None:
    connections = ("2026", "import:1", "import:2") if imported else ("2026",)
    readings = [
        HeartRateRow(f"r{n % 2}", connections[n % len(connections)], f"p{n % 5}", n, at, at + n, "")
        for n, at in ((n, n * 3 * 10**8) for n in range(-300, 300))
    ]
    append_rows(tmp_path / "t.duckdb", readings)
    with open_database(tmp_path / "t.duckdb") as connection:
        expected = scan_readings(connection, Definitions()).buckets.drop("session")
        many = connection.execute("SELECT count(*) FROM heart_rate WHERE connection_id LIKE 'import:%'").fetchall()[0][
            0
        ]
    archive_all(tmp_path / "t.duckdb", tmp_path / "archive")
    with open_database(tmp_path / "t.duckdb") as connection:
        noted = read_frame(connection, "FROM archived_activity")
    keys = ["room_id", "profile_id", "bucket", "first_at"]
    assert noted.select(expected.columns).sort(keys).equals(expected.sort(keys))
    assert noted["imported"].sum() == many
    assert noted["batch"].n_unique() == len(files_of(tmp_path / "archive"))


def test_the_names_that_are_noted_are_those_that_reports_show(tmp_path: Path) -> None:
    append_rows(tmp_path / "t.duckdb", some_rows())
    with open_database(tmp_path / "t.duckdb") as connection:
        expected = [read_config_names(connection), read_room_names(connection)]
    assert expected[0].rows() == [("007", "p1", "N11")]
    archive_all(tmp_path / "t.duckdb", tmp_path / "archive")
    with open_database(tmp_path / "t.duckdb") as connection:
        noted = read_frame(connection, "FROM archived_names").sort("occurred_at", "received_at")
    of_room = noted.filter(pl.col("profile_id").is_null())
    assert of_room.select("room_id", "name").rows() == [("7", None)], "that it is there is noted, too"
    noted = noted.drop_nulls("profile_id")
    assert noted.group_by("room_id", "profile_id").agg(pl.col("name").last()).rows() == expected[0].rows()
    assert len(noted) == 3  # one a day
    last = noted.row(-1, named=True)
    assert (last["occurred_at"] - datetime(1970, 1, 3, tzinfo=UTC)).microseconds == 11
    assert (last["received_at"] - last["occurred_at"]).microseconds == 1


def test_what_is_noted_of_a_file_is_what_lies_there(tmp_path: Path) -> None:
    append_rows(tmp_path / "t.duckdb", some_rows())
    archived = archive_all(tmp_path / "t.duckdb", tmp_path / "archive")
    assert sorted(noted_files(tmp_path / "t.duckdb")) == files_of(tmp_path / "archive")
    assert archived.files == len(files_of(tmp_path / "archive"))
    assert sum(archived.rows.values()) == len(some_rows())
    assert archived.bytes == sum(open_place(tmp_path / "archive").list_files().values())


def test_a_second_run_has_nothing_to_do(tmp_path: Path) -> None:
    append_rows(tmp_path / "t.duckdb", some_rows())
    archive_all(tmp_path / "t.duckdb", tmp_path / "archive")
    before = files_of(tmp_path / "archive")
    assert archive_all(tmp_path / "t.duckdb", tmp_path / "archive").files == 0
    assert files_of(tmp_path / "archive") == before


def test_a_database_of_before_there_were_archives_gets_a_name_with_the_first(tmp_path: Path) -> None:
    append_rows(tmp_path / "t.duckdb", some_rows())
    with duckdb.connect(tmp_path / "t.duckdb") as connection:
        for name in ("archive_identity", "archive_batches", "archived_activity", "archived_names"):
            connection.execute(f"DROP TABLE {name}")
    archive_all(tmp_path / "t.duckdb", tmp_path / "archive")
    assert all_rows(tmp_path / "t.duckdb", tmp_path / "archive") == Counter(map(as_stored, some_rows()))
    assert len({file.recorder for file in files_of(tmp_path / "archive")}) == 1


def test_marks_are_archived_too(tmp_path: Path) -> None:
    append_rows(tmp_path / "t.duckdb", [])
    with duckdb.connect(tmp_path / "t.duckdb") as connection:
        connection.execute(
            "INSERT INTO marks VALUES ('r', NULL, 'goal', 'mark', TIMESTAMPTZ '2024-05-01 12:00Z', 'm', 'cli')"
        )
    archive_all(tmp_path / "t.duckdb", tmp_path / "archive")
    assert [(file.table, file.day) for file in files_of(tmp_path / "archive")] == [("marks", date(2024, 5, 1))]


def test_a_day_of_too_many_rows_or_too_long_texts_is_written_in_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "PORTION_BYTES", 3000)
    monkeypatch.setattr(parquet, "PORTION_ROWS", 3)
    rows = [RejectedMessageRow("r", "c", 7 - number, "", str(number) * 1000) for number in range(8)]
    append_rows(tmp_path / "t.duckdb", [*rows, *some_rows()])
    archive_all(tmp_path / "t.duckdb", tmp_path / "archive")
    files = [file for file in files_of(tmp_path / "archive") if file.table == "rejected_messages"]
    assert len(files) == 3
    readings = Counter(file.day for file in files_of(tmp_path / "archive") if file.table == "heart_rate")
    assert readings == {date(1, 1, 1): 1, date(1970, 1, 1): 2, date(1970, 1, 2): 2, date(1970, 1, 3): 2}
    assert archived_rows(tmp_path / "archive", files_of(tmp_path / "archive")) == Counter(
        map(as_stored, (*rows, *some_rows()))
    )
    assert not stored(tmp_path / "t.duckdb")
