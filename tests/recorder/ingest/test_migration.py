"""A recording of version 1 becomes one of today: every row once and in its order, however often that is interrupted."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from journal_rows import as_stored, reading, rows_of_version_1, stored, write_segment
from recorder_process import COMMAND, environment, journal_of, run_recover
from version_1 import RECORDING, SEGMENT, make_version_1, write_segment_1

from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.tables import ADDED_LATER, BOOKKEEPING, SCHEMA_VERSION, TABLES
from pulsoid_rec.recorder.ingest.database import open_database
from pulsoid_rec.recorder.ingest.recover import recover
from pulsoid_rec.recorder.journal.rows import MemberEventRow
from pulsoid_rec.recorder.pulsoid.configs import name_of

REAL_FILES = settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink an example of real files takes minutes
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = Path(shutil.copy(RECORDING, tmp_path / "t.duckdb"))
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(shutil.copy(RECORDING, tmp_path_factory.mktemp("migrated") / "t.duckdb"))
    recover(path)
    return path


def read(path: Path, table: str) -> list[dict[str, Any]]:
    """Read a table in the order of its rows, instants as text."""
    with duckdb.connect(path, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        columns = [(name, kind) for name, kind, *_ in connection.execute(f"DESCRIBE {table}").fetchall()]
        values = ", ".join(f'"{name}"::VARCHAR' if "TIME" in kind else f'"{name}"' for name, kind in columns)
        found = connection.execute(f"SELECT {values} FROM {table} ORDER BY rowid").fetchall()
        return [dict(zip((name for name, _ in columns), row, strict=True)) for row in found]


def as_now(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of version 1 as it is to be in today's tables."""
    if table == "connection_events":
        return {("changed_at" if key == "at" else key): value for key, value in row.items()}
    if table in {"member_events", "room_events"}:
        name = None if row["config"] is None else name_of(row["config"], DEFAULT_LIMITS.name_chars)
        return row | {"name": name}
    return row


def tables(path: Path) -> list[tuple[str, ...]]:
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns ORDER BY ALL"
        ).fetchall()


def versions(path: Path) -> list[int]:
    return [row["version"] for row in read(path, "schema_versions")]


def test_every_row_is_there_as_it_was_and_in_its_order(migrated: Path) -> None:
    for table in (*TABLES, *BOOKKEEPING):
        if table.name not in {"marks", "schema_versions"} and table not in ADDED_LATER:
            before = [as_now(table.name, row) for row in read(RECORDING, table.name)]
            assert read(migrated, table.name) == before
            assert before, f"{table.name} has rows to lose"
    assert versions(migrated) == [1, SCHEMA_VERSION]


def test_names_are_taken_out_of_configs_of_every_shape(migrated: Path) -> None:
    names = Counter(row["name"] for row in read(migrated, "member_events"))
    assert names == {
        "Ada": 2,
        "Ada Sample": 2,
        "Bo": 2,
        "B\u00f6 \U0001f600": 2,
        ("long " * 20)[:64]: 2,
        "\u4e2d" * 63 + " ": 2,
        'a "quote",\na line and a \0': 2,
        None: 20,
    }
    assert [row["name"] for row in read(migrated, "room_events")] == ["North Court", None, None, None]


def test_its_tables_are_those_of_a_new_file(migrated: Path, tmp_path: Path) -> None:
    with open_database(tmp_path / "new.duckdb"):
        pass
    assert tables(migrated) == tables(tmp_path / "new.duckdb")
    for table in (*TABLES, *BOOKKEEPING):
        with duckdb.connect(migrated, read_only=True) as connection:
            found = [name for name, *_ in connection.execute(f"DESCRIBE {table.name}").fetchall()]
        assert found == [column.name for column in table.columns], table.name


@pytest.mark.slow
def test_large_configs_need_no_more_memory_than_there_is(tmp_path: Path) -> None:
    configs = ['{"name":"x","a":[' + ",".join("1" * count) + "]}" for count in [500_000] * 12 + [2_000_000] * 8]
    events = [MemberEventRow("room", "c", "p", "updated", None, config, n, n, "") for n, config in enumerate(configs)]
    path = make_version_1(tmp_path / "t.duckdb", events)
    recover(path)
    found = read(path, "member_events")
    assert [row["config"] for row in found] == configs
    assert [row["name"] for row in found] == ["x"] * 12 + [None] * 8, "no name is searched for in more than 1 MiB"


def test_it_happens_once(migrated: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(migrated, tmp_path / "t.duckdb"))
    recover(path)
    assert versions(path) == [1, SCHEMA_VERSION]
    assert stored(path) == stored(migrated)


def test_the_segment_of_that_time_gives_the_same_tables(migrated: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    journal_of(path).mkdir()
    shutil.copy(SEGMENT, journal_of(path) / "run-0.jsonl")
    recover(path)
    for table in TABLES:
        found, expected = read(path, table.name), read(migrated, table.name)
        for row in (*found, *expected):
            if row.get("room_id") is None:
                row.pop("received_at")  # a damaged line's is that of its ingest
        assert found == expected


@pytest.mark.slow
@REAL_FILES
@given(st.lists(rows_of_version_1, max_size=12))
def test_any_rows_are_the_same_by_whichever_way_they_come(content: list[Any]) -> None:
    expected = Counter(map(as_stored, content))
    with TemporaryDirectory() as folder:
        database = make_version_1(Path(folder) / "file.duckdb", content)
        write_segment(journal_of(database), "run-0", [reading(1)])
        recover(database)
        assert stored(database) == expected + Counter([as_stored(reading(1))])
        ingested = Path(folder) / "segment.duckdb"
        write_segment_1(journal_of(ingested), "run-0", content)
        recover(ingested)
        assert stored(ingested) == expected


def test_a_damaged_segment_of_that_time_loses_only_the_damage(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    segment = journal_of(path) / "run-0.jsonl"
    segment.parent.mkdir()
    lines = SEGMENT.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(lines[1:-2]) + lines[-2][:-20])  # without its header, and torn
    recover(path)
    with duckdb.connect(path, read_only=True) as connection:
        assert connection.execute("SELECT count(*), count(changed_at) FROM connection_events").fetchall() == [(9, 9)]
        assert connection.execute("SELECT count(name) FROM member_events").fetchall() == [(14,)]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork")
def test_killed_at_any_line_and_repeated_it_loses_nothing(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "support" / "kill_at_line.py"
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), "7", "12", "migration"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 25, "there are lines to be killed at"


@pytest.mark.process
def test_two_who_migrate_at_once_leave_every_row_once(database: Path) -> None:
    content = [reading(number) for number in range(200)]
    for number in range(10):
        write_segment(journal_of(database), f"run-{number:02}", content[number * 20 : number * 20 + 20])
    before = len(read(database, "heart_rate"))
    command = [*COMMAND, "recover", "--db", str(database)]
    both = [subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) for _ in range(2)]
    output = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], output
    assert versions(database) == [1, SCHEMA_VERSION]
    assert len(read(database, "heart_rate")) == before + 200
    assert Counter(map(as_stored, content)) <= stored(database)


def test_on_a_full_disk_it_says_so_and_goes_on_when_there_is_room(database: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    expected = [as_now("member_events", row) for row in read(database, "member_events")]
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
        with pytest.raises(StorageError, match="no space left"), open_database(database):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    recover(database)
    assert versions(database) == [1, SCHEMA_VERSION]
    assert read(database, "member_events") == expected


@pytest.mark.process
def test_recover_migrates_and_says_so_also_when_there_is_nothing_to_recover(database: Path) -> None:
    done = run_recover(database)
    migrating, nothing_else = done.stderr.splitlines()
    assert done.returncode == 0
    assert migrating.startswith(f"{database}: migrating its tables to version {SCHEMA_VERSION}.")
    assert nothing_else == f"There was nothing to recover for {database}."
    assert versions(database) == [1, SCHEMA_VERSION]
