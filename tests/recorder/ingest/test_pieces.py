"""A segment that DuckDB does not store as a whole: what can be stored is, the rest is rejected, and nothing waits."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from journal_rows import as_stored, reading, stored, write_segment
from recorder_process import journal_of, run_recover

from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.ingest import segment_ingest
from pulsoid_rec.recorder.ingest.ingest import ingest
from pulsoid_rec.recorder.ingest.segment_ingest import Ingested
from pulsoid_rec.recorder.journal.rows import AnyRow, HeartRateRow, RoomEventRow
from pulsoid_rec.recorder.journal.segment import find_segments

LARGE = 2**40
"""A number of heart beats that the table has no room for."""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "t.duckdb"


def unstorable(number: int, raw: str = "as received") -> HeartRateRow:
    return HeartRateRow("room", "connection", f"p{number}", LARGE, number, number + 1, raw)


def ingest_all(database: Path) -> Ingested:
    total = Ingested()
    ingest(database, find_segments(journal_of(database)), total)
    return total


def split(database: Path) -> tuple[Counter[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """What is stored, and what of it is rejected."""
    found = stored(database)
    rejected = sorted(row for row in found.elements() if row[0] == "rejected_messages")
    return found - Counter(rejected), rejected


def test_rows_that_duckdb_does_not_store_are_rejected_and_all_others_stored_once(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows: list[AnyRow] = [reading(number) for number in range(100)]
    for number in (0, 41, 42, 99):
        rows[number] = unstorable(number, f"message {number}")
    write_segment(journal_of(database), "run-0", rows)
    write_segment(journal_of(database), "run-1", [reading(100)])
    total = ingest_all(database)
    storable, rejected = split(database)
    assert storable == Counter(as_stored(row) for row in [*rows, reading(100)] if as_stored(row)[3] != LARGE)
    assert [row[1:4] + row[5:] for row in rejected] == [
        ("room", "connection", number + 1, f"message {number}") for number in (0, 41, 42, 99)
    ]
    why = "DuckDB cannot store it: Invalid Input Error: JSON transform error: Failed to cast value to numerical: "
    assert [row[4] for row in rejected] == [f"{why}{LARGE}"] * 4
    assert find_segments(journal_of(database)) == []
    assert (total.segments, total.readings, total.rows["rejected_messages"]) == (2, 97, 4)
    assert not total.skipped
    assert len(caplog.messages) == 1


@pytest.mark.slow
def test_a_segment_that_needs_too_much_memory_goes_in_bit_by_bit(database: Path) -> None:
    """Each config is stored by itself; together they need more than DuckDB may use."""
    config = '{"a":[' + ",".join("1" * (2 * 2**20 - 300)) + "]}"
    rows: list[AnyRow] = [RoomEventRow(f"room-{n}", "connection", None, config, n, n, "raw") for n in range(8)]
    write_segment(journal_of(database), "run-0", [reading(1), *rows, reading(2)])
    write_segment(journal_of(database), "run-1", [reading(3)])
    ingest_all(database)
    storable, rejected = split(database)
    assert storable == Counter(as_stored(row) for row in [reading(1), *rows, reading(2), reading(3)])
    assert rejected == []
    assert [path.name for path in database.parent.iterdir() if not path.name.endswith(".journal")] == ["t.duckdb"]


def test_of_a_long_message_the_first_64_kib_are_kept_and_how_long_it_was(database: Path) -> None:
    write_segment(journal_of(database), "run-0", [unstorable(1, "x" * 100_000)])
    ingest_all(database)
    _, [row] = split(database)
    assert row[-1] == "x" * 65_536
    assert row[-2].endswith("; of 100,000 bytes the first 65,536 are kept")


@pytest.mark.process
def test_recover_brings_in_what_is_behind_a_row_that_cannot_be_stored(database: Path) -> None:
    write_segment(journal_of(database), "run-0", [reading(1), unstorable(2), reading(3)])
    write_segment(journal_of(database), "run-1", [reading(4)])
    done = run_recover(database)
    assert done.returncode == 0, done.stderr
    storable, rejected = split(database)
    assert storable == Counter(as_stored(reading(number)) for number in (1, 3, 4))
    assert len(rejected) == 1


def test_a_disk_that_fails_rejects_no_row(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = write_segment(journal_of(database), "run-0", [reading(1)])

    def fail(*_: object) -> dict[str, int]:
        raise duckdb.IOException("IO Error: Could not write file: No space left on device")

    monkeypatch.setattr(segment_ingest, "insert_file", fail)
    with pytest.raises(StorageError, match="no space left"):
        ingest_all(database)
    monkeypatch.undo()
    assert segment.exists()
    ingest_all(database)
    assert stored(database) == {as_stored(reading(1)): 1}


def test_a_database_that_stores_nothing_at_all_rejects_no_row(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even a rejected message can be stored, it is not the row's fault."""
    segment = write_segment(journal_of(database), "run-0", [reading(1), reading(2)])

    def fail(*_: object) -> dict[str, int]:
        raise duckdb.InternalException("INTERNAL Error: something in DuckDB")

    monkeypatch.setattr(segment_ingest, "insert_file", fail)
    with pytest.raises(StorageError, match="something in DuckDB"):
        ingest_all(database)
    monkeypatch.undo()
    assert segment.exists()
    ingest_all(database)
    assert stored(database) == {as_stored(reading(1)): 1, as_stored(reading(2)): 1}


_KILLED = """
import os, signal, sys
from pathlib import Path
from pulsoid_rec.recorder.ingest import segment_ingest
from pulsoid_rec.recorder.ingest.ingest import ingest
from pulsoid_rec.recorder.journal.segment import find_segments
left, insert_file = int(sys.argv[2]), segment_ingest.insert_file
def insert_and_die(*arguments):
    global left
    rows = insert_file(*arguments)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return rows
segment_ingest.insert_file = insert_and_die
database = Path(sys.argv[1])
ingest(database, find_segments(Path(str(database) + ".journal")), segment_ingest.Ingested(), wal_bytes=2**40)
"""


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no such signal")
def test_killed_after_any_piece_it_stores_every_row_once(tmp_path: Path) -> None:
    rows: list[AnyRow] = [reading(number) if number != 3 else unstorable(3) for number in range(8)]
    for pieces in range(1, 20):
        database = tmp_path / f"{pieces}.duckdb"
        write_segment(journal_of(database), "run-0", rows)
        done = subprocess.run([sys.executable, "-c", _KILLED, str(database), str(pieces)], check=False)
        assert done.returncode in (0, -signal.SIGKILL)
        ingest_all(database)
        storable, rejected = split(database)
        assert storable == Counter(as_stored(row) for row in rows if row != unstorable(3))
        assert len(rejected) == 1
        if done.returncode == 0:
            break
    assert pieces > 3
