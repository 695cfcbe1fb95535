"""`recover` ingests what a crash left, reports it in one line, and does not touch what a running recorder writes."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from journal_rows import as_stored, reading, stored, write_segment
from recorder_process import journal_of, run_recover

from pulsoid_rec.recorder.contract.errors import DatabaseBusyError, UsageError
from pulsoid_rec.recorder.contract.journal_files import lock_path
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.disk.lock_file import LockFile, is_locked
from pulsoid_rec.recorder.ingest.database import open_database
from pulsoid_rec.recorder.ingest.recover import recover
from pulsoid_rec.recorder.journal.segment import FORMAT_VERSION, Header, encode_line, find_segments

pytestmark = pytest.mark.process


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "t.duckdb"


def test_the_command_ingests_what_a_crash_left_and_reports_it_in_one_line(database: Path) -> None:
    journal = journal_of(database)
    write_segment(journal, "run-0", [reading(1), reading(2)])
    torn = write_segment(journal, "run-1", [reading(3), reading(4)], is_open=True)
    torn.write_bytes(torn.read_bytes()[:-10])
    lock_path(journal, "run").touch()
    done = run_recover(database)
    assert done.returncode == 0
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert "run-1.jsonl.open: 1 damaged line stored in rejected_messages" in lines[0]
    recovered = f"Recovered 4 rows (3 readings) from 2 segments into {database}"
    assert lines[1:] == [f"{recovered}; 1 row went into rejected_messages."]
    assert {as_stored(reading(n)) for n in (1, 2, 3)} < set(stored(database))
    assert not journal.exists()
    again = run_recover(database)
    assert (again.returncode, again.stderr) == (0, f"There was nothing to recover for {database}.\n")
    if sys.platform != "win32":
        assert database.stat().st_mode & 0o777 == 0o600


def test_without_database_and_journal_there_is_nothing_to_recover(database: Path) -> None:
    with pytest.raises(UsageError, match="There is no recording"):
        recover(database)
    assert list(database.parent.iterdir()) == []


def test_what_a_running_recorder_writes_is_not_touched(database: Path) -> None:
    journal = journal_of(database)
    write_segment(journal, "ended-0", [reading(1)])
    running = write_segment(journal, "running-0", [reading(2)], is_open=True)
    lock = LockFile(lock_path(journal, "running"))
    done = run_recover(database)
    assert done.returncode == 0
    assert done.stderr.endswith("; a recorder is still writing to its journal.\n")
    assert running.exists()
    assert is_locked(lock_path(journal, "running"))
    assert set(stored(database)) == {as_stored(reading(1))}
    lock.release()
    assert recover(database).ingested.readings == 1
    assert not journal.exists()


def test_what_cannot_be_ingested_is_kept_and_is_an_error(database: Path) -> None:
    newer = write_segment(journal_of(database), "run-0", [])
    newer.write_bytes(encode_line(Header(FORMAT_VERSION + 1)))
    done = run_recover(database)
    assert done.returncode == 4
    assert "newer pulsoid-rec" in done.stderr
    _, recovered, failed = done.stderr.splitlines()
    assert recovered == f"Recovered 0 rows (0 readings) from 0 segments into {database}."  # not "nothing to recover"
    assert failed.startswith("pulsoid-rec: 1 segment of the journal could not be ingested.")
    assert newer.exists()


def test_a_damaged_database_leaves_the_journal_as_it_was(database: Path) -> None:
    segment = write_segment(journal_of(database), "run-0", [reading(1)])
    database.write_bytes(b"damaged" * 1000)
    before = segment.read_bytes()
    done = run_recover(database)
    assert done.returncode == 4
    assert done.stderr == (
        f"pulsoid-rec: {database} is not a DuckDB file. It was not changed. Choose another file with --db.\n"
    )
    assert segment.read_bytes() == before
    database.unlink()
    assert recover(database).ingested.readings == 1


def test_it_waits_for_readers_and_gives_up_in_the_end(database: Path) -> None:
    with open_database(database):
        pass
    write_segment(journal_of(database), "run-0", [reading(1)])
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdin is not None
        reader.stdout.readline()
        with pytest.raises(DatabaseBusyError) as caught:
            recover(database, Timings(recover_timeout_s=0.2))
        assert caught.value.hint == "Try again when that process has ended."  # not "Retrying": it has given up
        assert len(find_segments(journal_of(database))) == 1
        threading.Timer(0.3, reader.stdin.close).start()
        assert recover(database).ingested.readings == 1
