"""The database while others use it."""

import logging
from pathlib import Path

import duckdb
import pytest
from archives import append_rows, archive_all, some_rows

from pulsoid_rec.recorder.archiving.access import only_run, open_when_free
from pulsoid_rec.recorder.contract.errors import DatabaseBusyError, StorageError
from pulsoid_rec.recorder.contract.timings import Timings


@pytest.fixture
def database(tmp_path: Path) -> Path:
    append_rows(tmp_path / "t.duckdb", some_rows())
    return tmp_path / "t.duckdb"


def test_a_database_that_stays_locked_is_logged_once_and_given_up(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    timings = Timings(ingest_retry_s=0.01, report_busy_after_s=0.05, archive_timeout_s=0.3)
    caplog.set_level(logging.INFO)
    with duckdb.connect(database), pytest.raises(DatabaseBusyError, match=r"is locked by .*Try again when"):
        with open_when_free(database, timings=timings):
            pass
    assert [record.message.endswith("Waiting until it is released.") for record in caplog.records] == [True]
    with open_when_free(database, timings=timings) as connection:
        assert connection.execute("SELECT count(*) FROM heart_rate").fetchall() == [(13,)]


def test_one_run_at_a_time_archives_a_database(tmp_path: Path, database: Path) -> None:
    with only_run(database), pytest.raises(StorageError, match="Another run is archiving"):
        archive_all(database, tmp_path / "archive")
    archive_all(database, tmp_path / "archive")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "t.duckdb"]


def test_sorting_goes_to_a_folder_of_its_owner_which_is_gone_at_the_end(tmp_path: Path, database: Path) -> None:
    spill = tmp_path / "t.duckdb.archive.tmp"
    spill.mkdir()
    (spill / "left").write_text("by a kill")
    with only_run(database), open_when_free(database) as connection:
        assert connection.execute("SELECT current_setting('temp_directory')").fetchall() == [(str(spill),)]
        assert spill.stat().st_mode & 0o777 == 0o700
        assert not list(spill.iterdir())
        connection.execute("SET memory_limit = '20MB'")
        numbers = "SELECT hash(range)::VARCHAR || repeat('x', 50) AS text FROM range(400000)"
        connection.execute(f"CREATE TEMP TABLE large AS {numbers} ORDER BY text")
        assert list(spill.iterdir()), "it was not spilled"
    assert not spill.exists()
