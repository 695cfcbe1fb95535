"""A file of an archive is replaced by one without a member's rows: at each line the old one counts, or the new one."""

import itertools
import shutil
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb
import pytest
from archives import DAY_US, all_rows, archive_all, files_of, noted_files
from forgettable import bring_in_rows, forget
from journal_rows import as_stored

from pulsoid_rec.recorder.archiving.access import only_run, open_when_free, spill_folder
from pulsoid_rec.recorder.archiving.notes import read_notes, remove_leaving
from pulsoid_rec.recorder.archiving.store import open_store
from pulsoid_rec.recorder.contract.archive_place import open_place
from pulsoid_rec.recorder.forgetting import archived
from pulsoid_rec.recorder.forgetting.texts import Texts
from pulsoid_rec.recorder.journal.rows import HeartRateRow

ROWS = [HeartRateRow("r", "c", each, 60, at, at + 1, "raw") for at in range(3) for each in ("anna", "bert")]
ALONE = HeartRateRow("r", "c", "anna", 60, DAY_US, DAY_US + 1, "raw")


class StoppedError(Exception):
    """It was stopped at a line."""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A file of two members, and one of `anna` alone."""
    (tmp_path / "made").mkdir()
    bring_in_rows(tmp_path / "made" / "t.duckdb", [*ROWS, ALONE])
    archive_all(tmp_path / "made" / "t.duckdb", tmp_path / "made" / "archive")
    return tmp_path / "made"


def stop_at(line: int, there: Path) -> bool:
    """Take `anna` out of the archive there, and stop at so many lines; return whether there were so many."""
    lines = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal lines
        if frame.f_code.co_filename != archived.__file__:
            return None
        if event == "line":
            lines += 1
            if lines == line:
                raise StoppedError
        return trace

    database = there / "t.duckdb"
    store = open_store(open_place(there / "archive"), database, spill_folder(database))
    before = sys.gettrace()
    try:
        with only_run(database), open_when_free(database) as connection:
            remove_leaving(connection, store)  # of a run before
            sys.settrace(trace)
            for file in noted_files_of(connection):
                archived.forget_in_file(connection, store, file, Texts(("anna",)))
    except StoppedError:
        return True
    finally:
        sys.settrace(before)
    return False


def noted_files_of(connection: duckdb.DuckDBPyConnection) -> list[Any]:
    return list(read_notes(connection).noted)


@pytest.mark.slow
def test_stopped_at_any_line_each_row_counts_once_and_the_next_run_finishes_it(tmp_path: Path, made: Path) -> None:
    others = Counter(map(as_stored, ROWS[1::2]))
    everything = Counter(map(as_stored, [*ROWS, ALONE]))
    of_both = others + Counter(map(as_stored, ROWS[0::2]))
    for line in itertools.count(1):
        there = tmp_path / str(line)
        shutil.copytree(made, there)
        if not stop_at(line, there):
            break
        found = all_rows(there / "t.duckdb", there / "archive")
        assert found in (everything, of_both, others + Counter([as_stored(ALONE)]), others), (line, found)
        assert not stop_at(0, there)
        assert all_rows(there / "t.duckdb", there / "archive") == others
        assert sorted(noted_files(there / "t.duckdb")) == files_of(there / "archive")
    assert line > 30, "there were hardly any lines to be stopped at"


def test_what_was_noted_of_the_rows_goes_with_them(made: Path) -> None:
    forget(made / "t.duckdb", "anna")
    with duckdb.connect(made / "t.duckdb", read_only=True) as connection:
        activity = "SELECT profile_id, sum(readings), any_value(batch) FROM archived_activity GROUP BY ALL"
        [(member, readings, batch)] = connection.execute(activity).fetchall()
    [file] = files_of(made / "archive")
    assert (member, readings, batch) == ("bert", 3, file.batch)
