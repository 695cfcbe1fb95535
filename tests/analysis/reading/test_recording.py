"""Reading a recording: each read opens the file and lets go of it, waits for writers, and says faults in words."""

import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from recordings import START, append_readings, at, make_recording, reading, steady

from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.reading.database import read_frame, write_temporary
from pulsoid_rec.analysis.reading.recording import READINGS, Recording
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.tables import CONNECTION_EVENTS, MEMBER_EVENTS, ROOM_EVENTS

HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.readline()
connection.close()
"""


def hold(path: Path) -> "subprocess.Popen[str]":
    """Start a process that holds the file for writing until a line is written to it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def let_go(holder: "subprocess.Popen[str]") -> None:
    assert holder.stdin is not None
    holder.stdin.write("\n")
    holder.stdin.flush()


def test_file_is_let_go_of_after_each_read(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb", steady("ann", 80, 0, 10))
    recording = Recording(path)
    lazy = recording.readings()
    assert recording.sessions().height == 1
    assert lazy.collect().height == 10
    with duckdb.connect(path) as writer:
        append_readings(writer, [reading(10, 90)])
    assert lazy.collect().height == 11
    with duckdb.connect(path) as writer:
        writer.execute("CHECKPOINT")


def can_be_written(path: Path) -> bool:
    command = [sys.executable, "-c", "import duckdb, sys; duckdb.connect(sys.argv[1])", str(path)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.mark.process
def test_reads_of_one_state_are_of_one_opening(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb", steady("a", 80, 0, 10))
    with Recording(path).snapshot() as now:
        assert now.sessions()["readings"].to_list() == [10]
        assert not can_be_written(path)
        assert now.readings().collect().height == 10
        assert now.room_names() == {}
    assert can_be_written(path)


@pytest.mark.process
def test_reader_waits_until_a_writer_lets_go(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb", steady("ann", 80, 0, 10))
    with hold(path) as holder:
        later = threading.Timer(0.3, lambda: let_go(holder))
        later.start()
        assert Recording(path).sessions()["readings"].to_list() == [10]
        later.join()


@pytest.mark.process
def test_writer_that_never_lets_go_is_named(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb")
    with hold(path) as holder:
        began = time.monotonic()
        with pytest.raises(StorageError, match="is locked by") as caught:
            Recording(path, lock_timeout_s=0.3).sessions()
        assert 0.3 <= time.monotonic() - began < 5
        if sys.platform != "win32":
            assert str(holder.pid) in str(caught.value)
        let_go(holder)


def test_writer_in_this_process_is_told_at_once(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb")
    with duckdb.connect(path), pytest.raises(StorageError, match="already open in this process"):
        Recording(path).sessions()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no"),
        (b"", "is not"),
        (b"time_s,member,bpm\n0,ann,80\n" * 500, "not a DuckDB file"),
    ],
)
def test_what_is_no_database_is_told(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "a.duckdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StorageError, match=words) as caught:
        Recording(path).sessions()
    assert str(path) in str(caught.value)
    if content is not None:
        assert path.read_bytes() == content


def test_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not a file"):
        Recording(tmp_path).sessions()


def test_other_databases_are_no_recordings(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE heart_rate (bpm INTEGER)")
    with pytest.raises(StorageError, match="not a recording"):
        Recording(path).sessions()


def test_newer_version_is_refused(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb", version=99)
    with pytest.raises(StorageError, match=r"newer pulsoid-rec .*version 99"):
        Recording(path).sessions()


def test_damaged_database_is_told(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb", steady("ann", 80, 0, 5000))
    content = bytearray(path.read_bytes())
    for start in range(12_288, len(content), 4096):
        content[start : start + 64] = os.urandom(64)
    path.write_bytes(content)
    with pytest.raises(StorageError, match="is damaged"):
        Recording(path).readings().collect()


@pytest.mark.parametrize(
    ("table", "column", "odd"),
    [
        ("heart_rate", "occurred_at", "infinity"),
        ("heart_rate", "received_at", "10000-01-01 00:00:00+00"),
        ("member_events", "occurred_at", "-infinity"),
        ("connection_events", "changed_at", "0001-12-31 (BC) 23:59:59.999999+00"),
        ("marks", "marked_at", "294247-01-10 04:00:54+00"),
    ],
)
def test_instants_that_no_year_has_are_told(tmp_path: Path, table: str, column: str, odd: str) -> None:
    path = make_recording(tmp_path / "a.duckdb", steady("ann", 80, 0, 10))
    with duckdb.connect(path) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = [name for name, *_ in connection.execute(f"DESCRIBE {table}").fetchall()]
        values = {name: f"'{START}'" if name.endswith("_at") else "'1'" for name in names} | {column: f"'{odd}'"}
        connection.execute(f"INSERT INTO {table} VALUES ({', '.join(values.values())})")
    with pytest.raises(StorageError) as caught:
        Recording(path).sessions()
    assert f"{path} is not as pulsoid-rec makes it: `{table}` has {odd} as a value of {column}" in str(caught.value)


def test_the_first_and_the_last_instant_of_all_years_are_read(tmp_path: Path) -> None:
    instants = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)]
    path = make_recording(tmp_path / "a.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for instant in instants:
            connection.execute("INSERT INTO heart_rate VALUES ('r1', 'ann', 80, $1, $1, 'c')", [instant])
    assert sorted(Recording(path).readings().collect()["occurred_at"]) == instants


def test_readings_are_as_recorded_with_their_session(tmp_path: Path) -> None:
    rows = [reading(0, 80), reading(0, 80, delay_s=1), reading(1, 0), reading(5000, 90, "bob")]
    frame = Recording(make_recording(tmp_path / "a.duckdb", rows)).readings().collect()
    assert frame.schema == READINGS
    assert sorted(frame.rows()) == [
        ("r1", 1, "ann", 0, at(1), at(1.05)),
        ("r1", 1, "ann", 80, at(0), at(0.05)),
        ("r1", 1, "ann", 80, at(0), at(1)),
        ("r1", 2, "bob", 90, at(5000), at(5000.05)),
    ]


@pytest.mark.parametrize("start", ["1969-12-30 23:00", "2026-02-27 23:00"])
def test_a_reading_is_in_its_own_session_around_each_midnight(tmp_path: Path, start: str) -> None:
    begin = (datetime.fromisoformat(f"{start}+00:00") - START).total_seconds()
    # Two rooms share a member, in sessions on one day, over a midnight, and as long as two days.
    spans = [(0, 600), (3000, 5400), (90_000, 92_000), (100_000, 280_000)]
    rows = [
        reading(begin + second, 80, "ann", room)
        for room in ("r1", "r2")
        for first, last in spans
        for second in range(first, last + 1, 200)
    ]
    recording = Recording(make_recording(tmp_path / "a.duckdb", rows))
    counts = recording.readings().collect().group_by("room_id", "session").len().sort("room_id", "session")
    expected = [(last - first) // 200 + 1 for first, last in spans]
    assert counts["len"].to_list() == 2 * expected
    # What follows the range of time is read by sessions, too.
    until = at(begin + 4000)
    summary = recording.summary(Filter(until=until))
    assert summary["readings"].to_list() == 2 * [4, 5]


def test_readings_are_filtered_before_they_are_read_out(tmp_path: Path) -> None:
    rows = steady("ann", 80, 0, 100) + steady("bob", 90, 50, 150) + steady("cid", 70, 0, 10, "r2")
    recording = Recording(make_recording(tmp_path / "a.duckdb", rows))
    lazy = recording.readings(Filter(rooms=("r1",), since=at(40), until=at(60)))
    assert lazy.select(pl.len()).collect().item() == 20 + 10
    assert lazy.filter(pl.col("profile_id") == "bob").collect()["bpm"].to_list() == [90] * 10
    assert lazy.head(7).collect().height == 7
    assert recording.readings(Filter(rooms=("none",))).collect().schema == READINGS


def test_rooms_have_the_name_of_their_latest_config(tmp_path: Path) -> None:
    configs = ['{"name": "Old"}', '{"name": "Münster"}', '{"name": 5}', "{}"]
    events = [["r1", config, at(second), at(second), "c"] for second, config in enumerate(configs)]
    connections = [["r3", "c", "opened", at(0), None, None]]
    rows = [reading(0, 80, room="r2")]
    path = make_recording(tmp_path / "a.duckdb", rows, room_events=events, connection_events=connections)
    assert Recording(path).rooms().rows() == [("r1", "Münster"), ("r2", None), ("r3", None)]


def test_events_are_read_by_room_and_time(tmp_path: Path) -> None:
    members = [["r1", "ann", "updated", "{}", at(second), at(second), "c"] for second in (9, 3, 6)]
    rooms = [["r2", "{}", at(0), at(0), "c"]]
    connections = [["r1", "c", "lost", at(5), 1006, "gone"]]
    path = make_recording(
        tmp_path / "a.duckdb", member_events=members, room_events=rooms, connection_events=connections
    )
    recording = Recording(path)
    assert recording.events(MEMBER_EVENTS)["occurred_at"].to_list() == [at(3), at(6), at(9)]
    assert recording.events(MEMBER_EVENTS, ["r1"], at(3), at(6)).height == 2
    assert recording.events(MEMBER_EVENTS, ["r2"]).is_empty()
    assert recording.events(MEMBER_EVENTS, []).is_empty()
    assert recording.events(ROOM_EVENTS)["room_id"].to_list() == ["r2"]
    assert recording.events(CONNECTION_EVENTS).row(0) == ("r1", "c", "lost", at(5), 1006, "gone")
    for table in (MEMBER_EVENTS, ROOM_EVENTS, CONNECTION_EVENTS):
        columns = [column.name for column in table.columns]
        assert recording.events(table, with_configs=True).columns == columns
        assert recording.events(table).columns == [name for name in columns if name not in {"name", "config"}]


def test_unended_connections_tell_what_they_brought_last(tmp_path: Path) -> None:
    connections = [
        ["r1", "c1", "opened", START, None, None],
        ["r1", "c2", "opened", START, None, None],
        ["r1", "c2", "closed", at(9), 1000, ""],
        ["r1", "c3", "refused", at(10), 401, ""],
        ["r1", "c4", "opened", at(11), None, None],
    ]
    rooms = [["r1", "{}", at(0), at(33), "c1"], ["r1", "{}", at(0), at(33), "c2"]]
    path = make_recording(
        tmp_path / "a.duckdb", steady("ann", 80, 0, 5), room_events=rooms, connection_events=connections
    )
    assert Recording(path).last_received().rows() == [("r1", "c1", at(33))]


@pytest.mark.parametrize("rows", [0, 3, 10_001])
def test_frame_becomes_a_temporary_table_whatever_its_size(tmp_path: Path, rows: int) -> None:
    frame = pl.DataFrame({"name": [f"n{number}" for number in range(rows)]}, {"name": pl.String}).with_row_index("key")
    with Recording(make_recording(tmp_path / "a.duckdb")).open_() as connection:
        for _ in range(2):
            write_temporary(connection, "numbered", "key UINTEGER, name VARCHAR", frame)
        assert read_frame(connection, "FROM numbered ORDER BY key").equals(frame)


@pytest.mark.process
def test_reading_a_small_recording_imports_no_pyarrow_and_says_nothing(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb", steady("ann", 80, 0, 10))
    code = (
        "import sys; from pulsoid_rec.analysis.reading.recording import Recording; "
        "assert Recording(sys.argv[1]).summary().height == 1; assert 'pyarrow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.process
@pytest.mark.parametrize("opened_by", ["pulsoid_rec.analysis.reading.database", "pulsoid_rec.recorder.ingest.database"])
def test_a_query_that_takes_long_prints_nothing_in_the_midst_of_our_output(tmp_path: Path, opened_by: str) -> None:
    """DuckDB would show its progress, on stdout, where it finds no script that is running."""
    path = make_recording(tmp_path / "a.duckdb")
    code = (
        f"import pathlib, sys; from {opened_by} import open_database\n"
        "with open_database(pathlib.Path(sys.argv[1])) as connection:\n"
        "    connection.execute('SET progress_bar_time = 1')\n"
        "    print(connection.execute('SELECT count(sin(i)) FROM range(20_000_000) t(i)').fetchall()[0][0])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "20000000\n"


def test_sessions_of_nothing_but_imported_readings_are_known(tmp_path: Path) -> None:
    rows = [*(reading(400 * n, 80) for n in range(6)), *(reading(5000 + 400 * n, 80, "bob") for n in range(6))]
    rows += [reading(1, 80, "bob"), reading(0, 80, room="r2"), reading(5000, 80, room="r2")]
    path = make_recording(tmp_path / "a.duckdb", rows)
    assert Recording(path).imported_sessions() == frozenset()
    with duckdb.connect(path) as connection:
        connection.execute(
            "UPDATE heart_rate SET connection_id = 'import:1' WHERE profile_id = 'bob' OR room_id = 'r2'"
        )
    assert Recording(path).imported_sessions() == {("r1", 2), ("r2", 1), ("r2", 2)}
    assert Recording(path).imported_sessions(("r2",)) == {("r2", 1), ("r2", 2)}
