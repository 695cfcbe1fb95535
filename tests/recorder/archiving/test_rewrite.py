"""A database is written anew: every row of every table, in a smaller file."""

import shutil
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb
import pytest
from archives import append_rows, archive_all, some_rows
from journal_rows import as_stored, stored

from pulsoid_rec.recorder.archiving import rewrite as rewrite_module
from pulsoid_rec.recorder.archiving.access import only_run
from pulsoid_rec.recorder.archiving.rewrite import rewrite
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.disk.lock_file import LockFile
from pulsoid_rec.recorder.ingest import database as database_module
from pulsoid_rec.recorder.ingest.database import open_database

ROWS = Counter(map(as_stored, some_rows()))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    append_rows(tmp_path / "t.duckdb", some_rows())
    return tmp_path / "t.duckdb"


def compact(database: Path) -> tuple[int, int]:
    with only_run(database):
        return rewrite(database)


def everything(database: Path) -> dict[str, Any]:
    """Read all tables, whoever made them, and how the file is written."""
    with duckdb.connect(database, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        tables = connection.execute("SELECT schema_name, table_name, sql FROM duckdb_tables() ORDER BY ALL").fetchall()
        found: dict[str, Any] = {sql: connection.execute(f"FROM {_name(s, t)}").fetchall() for s, t, sql in tables}
        found["views"] = connection.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall()
        found["format"] = connection.execute(
            "SELECT block_size FROM pragma_database_size() UNION ALL"
            " SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal"
        ).fetchall()
        return found


def _name(*parts: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def test_all_tables_are_as_before_and_the_file_is_smaller(tmp_path: Path, database: Path) -> None:
    with open_database(database) as connection:
        connection.execute('USE recording; CREATE SCHEMA "my ""own"; CREATE TABLE "my ""own".notes AS SELECT 1 AS one')
        connection.execute("CREATE VIEW late AS SELECT * FROM heart_rate WHERE bpm > 3")
        large = "SELECT 'r', 'p', 60, make_timestamptz(i), make_timestamptz((hash(i) % 1000000)::BIGINT), i::VARCHAR"
        connection.execute(f"INSERT INTO heart_rate {large} FROM (SELECT range * 1 AS i FROM range(50000))")
    archive_all(database, tmp_path / "archive")
    before = everything(database)
    assert len(before) > 12
    sizes = compact(database)
    assert everything(database) == before
    assert sizes[0] > sizes[1] == database.stat().st_size
    assert database.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "t.duckdb"]


def test_rows_that_are_not_to_be_kept_leave_nothing_behind(database: Path) -> None:
    assert b"N11" in database.read_bytes()
    with only_run(database):
        rewrite(database, {"member_events": "name <> 'N11'", "archive_batches": "false"})
    gone = [row for row in ROWS if row[0] == "member_events" and row[4] == "N11"]
    assert stored(database) == ROWS - Counter(gone)
    assert b"N11" not in database.read_bytes()


def test_a_table_of_the_users_own_is_copied_whole_whatever_its_name(database: Path) -> None:
    with duckdb.connect(database) as connection:
        connection.execute("CREATE SCHEMA mine; CREATE TABLE mine.heart_rate AS SELECT 7 AS beats")
    with only_run(database):
        rewrite(database, {"heart_rate": "bpm > 1"}, changed={"heart_rate": "* REPLACE (0 AS bpm)"})
    with duckdb.connect(database, read_only=True) as connection:
        assert connection.execute("FROM mine.heart_rate").fetchall() == [(7,)]


def test_one_that_cannot_be_copied_is_named_and_nothing_is_changed(database: Path) -> None:
    with duckdb.connect(database) as connection:
        connection.execute("CREATE TABLE mine (a INTEGER, b INTEGER GENERATED ALWAYS AS (a + 1))")
        connection.execute("INSERT INTO mine VALUES (1)")
    before = everything(database)
    with pytest.raises(StorageError, match=r"main.mine of .*, a table of your own, cannot be copied: .*") as caught:
        compact(database)
    assert caught.value.hint.startswith("Move it to a file of its own")
    assert everything(database) == before


def test_a_link_stays_a_link(tmp_path: Path, database: Path) -> None:
    (tmp_path / "link.duckdb").symlink_to(database)
    compact(tmp_path / "link.duckdb")
    assert (tmp_path / "link.duckdb").is_symlink()
    assert stored(database) == ROWS


def test_what_a_kill_left_is_removed(tmp_path: Path, database: Path) -> None:
    for name in (".t.duckdb.0a1b.part", ".t.duckdb.0a1b.part.wal"):
        (tmp_path / name).write_bytes(b"left")
    (tmp_path / ".other.duckdb.0a1b.part").write_bytes(b"of another")
    compact(database)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.duckdb.0a1b.part", "t.duckdb"]


def test_what_is_in_the_wal_is_in_the_new_file(database: Path) -> None:
    with open_database(database, 2**40) as connection:
        connection.execute("DELETE FROM heart_rate")
    assert database.with_name("t.duckdb.wal").exists()
    compact(database)
    assert not database.with_name("t.duckdb.wal").exists()
    assert stored(database) == Counter(row for row in ROWS if row[0] != "heart_rate")


def test_too_small_a_disk_is_said_before_anything_is_written(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(StorageError, match=r"needs up to .* MB, and 0\.0 MB are free\. Free some space"):
        compact(database)
    assert stored(database) == ROWS


def test_where_open_files_cannot_be_replaced_it_is_closed_first(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewrite_module, "_REPLACES_OPEN_FILES", False)
    compact(database)
    assert stored(database) == ROWS
    journal = tmp_path / "t.duckdb.journal"
    journal.mkdir()
    lock = LockFile(journal / "run.lock")
    with pytest.raises(StorageError, match="on Windows while a recorder runs"):
        compact(database)
    lock.release()
    assert stored(database) == ROWS


def test_a_writer_that_opened_the_file_before_it_was_replaced_writes_to_the_new_one(
    tmp_path: Path, database: Path
) -> None:
    """The replacement falls between the two looks at the file, as in a recorder that locks the old one too late."""
    new = tmp_path / "new.duckdb"
    shutil.copy(database, new)
    compact(new)
    replaced: list[Path] = []

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code is not database_module._attach.__code__:
            return None
        if event == "line" and "before" in frame.f_locals and not replaced:
            attached = frame.f_locals["connection"].execute("SELECT count(*) FROM duckdb_databases()").fetchall()
            if attached[0][0] > known:
                replaced.append(new.replace(database))
        return trace

    with open_database(database) as connection:
        known = connection.execute("SELECT count(*) - 1 FROM duckdb_databases()").fetchall()[0][0]

    def write() -> None:
        sys.settrace(trace)
        try:
            with open_database(database, 2**40) as connection:
                connection.execute("DELETE FROM heart_rate")
        finally:
            sys.settrace(None)

    writer = threading.Thread(target=write)
    writer.start()
    writer.join()
    assert replaced
    assert stored(database) == Counter(row for row in ROWS if row[0] != "heart_rate")
