"""Rooms that come in batches have the summary of a recording, in one piece or in parts, whatever the batches are."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from drawn_readings import ROWS
from hypothesis import given, settings
from recordings import Reading, at, open_for_examples, reading
from room_batches import PEOPLE, assert_equal, batches_of, day_with_everything, fill, heart_rate_of, names_of

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.reading import rooms
from pulsoid_rec.analysis.reading.pipeline import select
from pulsoid_rec.analysis.reading.results import compute_results
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.tables import HEART_RATE, MEMBER_EVENTS

QUARTER_US = 15 * 60 * 1_000_000


@pytest.fixture(scope="module")
def opened() -> Iterator[list[duckdb.DuckDBPyConnection]]:
    with open_for_examples() as opened:
        for table in (HEART_RATE, MEMBER_EVENTS):
            opened[0].execute(table.ddl)
        yield opened


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """See that rows of several chunks are one room's."""
    monkeypatch.setattr(rooms, "CHUNK_ROWS", 20)


def summary_of_recording(opened: list[duckdb.DuckDBPyConnection], rows: pl.DataFrame) -> pl.DataFrame:
    fill(opened[0], rows, names_of(rows))
    return compute_results(select(opened[0], Filter(), Definitions()), PEOPLE).summary


def summary_of_parts(rows: pl.DataFrame) -> pl.DataFrame:
    """Split the rooms by receipt for their scan, and by member for the rest, as an engine does."""
    names = names_of(rows)
    by_receipt = rows.with_columns(part=pl.col("received_at").dt.epoch("us") // QUARTER_US % 2)
    scans = [
        rooms.scan_rooms(batches_of(part, names.clear())) for part in by_receipt.partition_by("part", include_key=False)
    ]
    scan = rooms.add_scans(pl.concat(scans))
    by_member = pl.concat([rows, names], how="diagonal").partition_by("room_id", "profile_id")
    return pl.concat(
        rooms.summarize_rooms(part.to_arrow().to_batches(11), PEOPLE, scan=scan) for part in by_member
    ).sort("room_id", "session", "name", "profile_id")


def test_rooms_in_batches_have_the_summary_of_a_recording(opened: list[duckdb.DuckDBPyConnection]) -> None:
    rows = heart_rate_of(day_with_everything())
    expected = summary_of_recording(opened, rows)
    assert expected["untimely"].sum() == 3
    assert set(expected["name"]) == {"Ann", "I am bob", "I am cid", "I am dan"}
    assert expected["hrr60"].max() == 50
    shuffled = rows.sample(fraction=1, shuffle=True, seed=1)
    found = rooms.summarize_rooms(batches_of(shuffled, names_of(rows)), PEOPLE)
    assert_equal(found, expected)


def test_a_room_split_by_member_has_the_same_summary(opened: list[duckdb.DuckDBPyConnection]) -> None:
    rows = heart_rate_of(day_with_everything())
    assert_equal(summary_of_parts(rows), summary_of_recording(opened, rows))


@pytest.mark.slow
@settings(max_examples=6)
@given(readings=ROWS)
def test_any_rooms_have_it_whole_or_split(opened: list[duckdb.DuckDBPyConnection], readings: list[Reading]) -> None:
    rows = heart_rate_of([*readings, reading(0, 80)])
    expected = summary_of_recording(opened, rows)
    assert_equal(rooms.summarize_rooms(batches_of(rows, names_of(rows)), PEOPLE), expected)
    assert_equal(summary_of_parts(rows), expected)


def test_no_batches_give_no_rows() -> None:
    assert rooms.summarize_rooms([]).is_empty()
    assert rooms.add_scans(rooms.scan_rooms([])).sessions.is_empty()


def test_more_rows_than_memory_lie_in_a_file_that_is_its_owners_and_gone_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "CHUNK_ROWS", 10_000)
    rows = pl.concat([heart_rate_of([reading(0, 80)])] * 10_000)
    found = list[tuple[int, int]]()

    def batches() -> Iterator[pa.RecordBatch]:
        for second in range(0, 200_000, 10_000):
            instant = pl.lit(at(second)) + pl.duration(seconds=pl.int_range(10_000))
            yield from rows.with_columns(occurred_at=instant, received_at=instant).to_arrow().to_batches()
            found.extend((path.stat().st_size, path.parent.stat().st_mode) for path in tmp_path.rglob("rooms.duckdb*"))

    summary = rooms.summarize_rooms(batches(), scratch=tmp_path)
    assert summary["readings"].to_list() == [200_000]
    assert max(size for size, _ in found) > 1_000_000
    assert {mode & 0o777 for _, mode in found} == {0o700}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (pl.lit(None, pl.Int32).alias("bpm"), "NOT NULL constraint failed: heart_rate.bpm"),
        (pl.lit(2**40).alias("bpm"), "out of range"),
        (pl.lit("fast").alias("bpm"), "Could not convert string 'fast'"),
        (pl.lit(None, pl.String).alias("connection_id"), "heart_rate.connection_id"),
    ],
)
def test_rows_that_no_recorder_stores_are_refused(change: pl.Expr, reason: str) -> None:
    rows = heart_rate_of([reading(0, 80)]).with_columns(change)
    with pytest.raises(UsageError, match="These are no rows of heart_rate: ") as raised:
        rooms.summarize_rooms(rows.to_arrow().to_batches())
    assert reason in str(raised.value)


def test_a_missing_column_is_named() -> None:
    rows = heart_rate_of([reading(0, 80)]).drop("received_at")
    with pytest.raises(UsageError, match='"received_at"'):
        rooms.summarize_rooms(rows.to_arrow().to_batches())
