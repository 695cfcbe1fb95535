"""From the journal into the tables: every row once, whatever is damaged, and however often it is interrupted."""

import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from journal_rows import as_stored, reading, rows, stored, write_segment
from recorder_process import COMMAND, environment, journal_of

from pulsoid_rec.recorder.contract.journal_files import lock_path
from pulsoid_rec.recorder.disk.lock_file import LockFile
from pulsoid_rec.recorder.ingest import database as database_module
from pulsoid_rec.recorder.ingest import ingest as ingest_module
from pulsoid_rec.recorder.ingest import kept as kept_module
from pulsoid_rec.recorder.ingest import segment_ingest, segment_rows
from pulsoid_rec.recorder.ingest.database import CheckpointError, open_database, wal_path
from pulsoid_rec.recorder.ingest.ingest import ingest, next_batch
from pulsoid_rec.recorder.ingest.rejected_lines import DAMAGED
from pulsoid_rec.recorder.ingest.segment_ingest import Ingested
from pulsoid_rec.recorder.journal import segment as segment_module
from pulsoid_rec.recorder.journal.rows import AnyRow, RoomEventRow
from pulsoid_rec.recorder.journal.segment import FORMAT_VERSION, HEADER, Header, encode_line, find_segments

MANY_BYTES = 2**40

REAL_FILES = settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink an example of real files takes minutes
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "t.duckdb"


def ingest_all(database: Path, *, keep: bool = False) -> Ingested:
    total = Ingested()
    ingest(database, find_segments(journal_of(database)), total, keep=keep)
    return total


def expected(content: list[AnyRow]) -> Counter[tuple[Any, ...]]:
    return Counter(map(as_stored, content))


def names(database: Path) -> list[str]:
    """The names of segments that are noted."""
    with duckdb.connect(database, read_only=True) as connection:
        return [name for (name,) in connection.execute("SELECT segment FROM ingested_segments ORDER BY 1").fetchall()]


class Interrupted(BaseException):
    """What no code of ours expects."""


_WATCHED = {
    module.__file__
    for module in (database_module, ingest_module, segment_ingest, segment_rows, kept_module, segment_module)
}


def interrupted_at(line: int, work: Callable[[], object], within: tuple[str, ...] = ()) -> bool:
    """Do some work, and interrupt it at so many lines of ingest and what it stands on; return whether that happened."""
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal count
        if frame.f_code.co_filename not in _WATCHED or (within and frame.f_code.co_name not in within):
            return None
        if event == "line":
            count += 1
            if count == line:
                raise Interrupted
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except Interrupted:
        # The tracer also strikes between a lock and its release, where nothing else can.
        ingest_module._ingesting = threading.Lock()
        return True
    finally:
        sys.settrace(before)
    return False


# The tracer also strikes between the end of a `with` and its exit, where nothing else can, and leaves a file open.
LEFT_OPEN = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.slow
@LEFT_OPEN
@REAL_FILES
@given(st.data())
def test_every_row_is_stored_once_however_it_is_batched_and_interrupted(data: st.DataObject) -> None:
    batches = data.draw(st.lists(st.lists(rows, max_size=5), min_size=1, max_size=4))
    with TemporaryDirectory() as folder:
        database = Path(folder) / "t.duckdb"
        for number, batch in enumerate(batches):
            write_segment(journal_of(database), f"run-{number}", batch, is_open=data.draw(st.booleans()))
        for _ in range(data.draw(st.integers(0, 3))):
            waiting = data.draw(st.permutations(find_segments(journal_of(database))))
            line = data.draw(st.integers(1, 250))
            wal_bytes = data.draw(st.sampled_from([0, MANY_BYTES]))
            interrupted_at(line, partial(ingest, database, waiting, Ingested(), wal_bytes=wal_bytes))
        total = ingest_all(database)
        assert stored(database) == expected([row for batch in batches for row in batch])
        assert not total.skipped
        assert find_segments(journal_of(database)) == []


@pytest.mark.slow
@LEFT_OPEN
def test_interrupted_at_each_line_of_the_transaction_and_after_it_stores_every_row_once(tmp_path: Path) -> None:
    content = [reading(1), reading(2)]
    write_segment(journal_of(tmp_path / "0" / "t.duckdb"), "run-0", content)
    with open_database(tmp_path / "0" / "t.duckdb"):
        pass  # the tables are there: it is about what comes after
    for line in range(1, 1000):
        database = Path(shutil.copytree(tmp_path / "0", tmp_path / str(line))) / "t.duckdb"
        work = partial(ingest, database, find_segments(journal_of(database)), Ingested())
        if not interrupted_at(line, work, within=("insert_file", "_forget_removed", "ingest")):
            break
        ingest_all(database)
        assert stored(database) == expected(list(content))
        assert not journal_of(database).exists() or find_segments(journal_of(database)) == []
    assert line > 20


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork")
def test_killed_at_any_line_it_stores_every_row_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parents[2] / "support" / "kill_at_line.py"), str(tmp_path), "7", "12"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100, "there are lines to be killed at"


@pytest.mark.process
def test_two_who_bring_in_the_same_journal_at_once_store_every_row_once(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    content = [reading(number) for number in range(600)]
    for number in range(30):
        write_segment(journal_of(database), f"run-{number:02}", content[number * 20 : number * 20 + 20])
    command = [*COMMAND, "recover", "--db", str(database)]
    both = [subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) for _ in range(2)]
    output = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], output
    assert stored(database) == expected(list(content))
    assert "removed" not in "".join(output)


def test_two_threads_of_one_process_store_every_row_once(database: Path) -> None:
    """They share one instance of DuckDB, whose lock keeps out other processes only."""
    for number in range(20):
        write_segment(journal_of(database), f"run-{number:02}", [reading(number)])
    waiting = find_segments(journal_of(database))
    threads = [threading.Thread(target=ingest, args=(database, waiting, Ingested())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored(database) == expected([reading(number) for number in range(20)])


def _damage(content: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(damaged) + 1)
        kind = rng.choice(["flip", "cut", "insert"])
        if kind == "flip" and at < len(damaged):
            damaged[at] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del damaged[at : at + rng.randint(1, 60)]
        else:
            damaged[at:at] = rng.choice([b"\n", b"\0", b"\xff\xfe", b"{}", b"\r\n", rng.randbytes(20)])
    return bytes(damaged)


@REAL_FILES
@given(st.integers(0, 2**32))
def test_of_a_damaged_segment_every_sound_line_is_stored_once_and_every_other_kept(seed: int) -> None:
    rng = random.Random(seed)
    content = [reading(number) for number in range(8)]
    sound = {encode_line(row): as_stored(row) for row in content}
    with TemporaryDirectory() as folder:
        database = Path(folder) / "t.duckdb"
        damaged = _damage(HEADER + b"".join(sound), rng)
        write_segment(journal_of(database), "run-0", []).write_bytes(damaged)
        write_segment(journal_of(database), "run-1", [reading(100)])
        ingest_all(database)
        # Told apart by what the lines were, not by their checksums.
        lines = [line for line in damaged.split(b"\n") if line.strip()]
        whole = Counter(sound[line + b"\n"] for line in lines if line + b"\n" in sound)
        if lines and not damaged.endswith(b"\n") and lines[-1] + b"\n" in sound:
            whole[sound[lines[-1] + b"\n"]] -= 1  # it lacks its line feed
        others = [line for line in lines if line + b"\n" not in sound and not HEADER.startswith(line)]
        found = stored(database)
        rejected = Counter({row: n for row, n in found.items() if row[0] == "rejected_messages"})
        assert found - rejected == whole + expected([reading(100)])
        assert all(row[-2] == DAMAGED for row in rejected)
        kept = [row[-1] for row in rejected.elements()]
        for line in others:
            assert line.decode(errors="backslashreplace") in kept
        assert len(kept) <= len(others) + 1
        assert find_segments(journal_of(database)) == []


def test_damage_is_reported_with_where_it_went(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_segment(journal_of(database), "run-0", [reading(1)])
    path.write_bytes(path.read_bytes() + b"\0\0\0\n")
    ingest_all(database)
    assert "run-0.jsonl: 1 damaged line stored in rejected_messages" in caplog.text


@pytest.mark.parametrize("left", [b"", HEADER[:9], HEADER, b"\0" * 4096])
def test_a_segment_without_rows_is_no_stop(database: Path, left: bytes) -> None:
    write_segment(journal_of(database), "run-0", [], is_open=True).write_bytes(left)
    write_segment(journal_of(database), "run-1", [reading(1)])
    ingest_all(database)
    assert expected([reading(1)]) <= stored(database)
    assert find_segments(journal_of(database)) == []


def test_a_segment_of_a_newer_version_waits_untouched(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    newer = write_segment(journal_of(database), "run-0", [])
    newer.write_bytes(encode_line(Header(FORMAT_VERSION + 1)) + b"what only the future understands\n")
    before = newer.read_bytes()
    write_segment(journal_of(database), "run-1", [reading(1)])
    total = ingest_all(database)
    assert stored(database) == expected([reading(1)])
    assert newer.read_bytes() == before
    assert total.skipped == [newer]
    assert "newer pulsoid-rec" in caplog.text


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file that nobody can read, not even root")
def test_a_segment_that_cannot_be_read_keeps_none_waiting(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    behind = write_segment(journal_of(database), "run-1", [reading(1)])
    unreadable = behind.with_name("run-0.jsonl")
    unreadable.symlink_to("/proc/self/mem")
    total = Ingested()
    ingest(database, [unreadable, behind], total)
    assert stored(database) == expected([reading(1)])
    assert total.skipped == [unreadable]
    assert "cannot be read (Input/output error)" in caplog.text


def test_a_link_among_the_segments_is_not_followed(database: Path, tmp_path: Path) -> None:
    elsewhere = write_segment(tmp_path / "elsewhere", "run-0", [reading(1)])
    behind = write_segment(journal_of(database), "run-1", [reading(2)])
    behind.with_name("run-0.jsonl").symlink_to(elsewhere)
    ingest_all(database)
    assert stored(database) == expected([reading(2)])
    assert elsewhere.exists()


def test_a_segment_of_a_living_recorder_that_somebody_removed_is_reported_unless_it_is_in_the_database(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_segment(journal_of(database), "run-0", [reading(1)])
    lock = LockFile(lock_path(journal_of(database), "run"))
    ingest(database, [path], Ingested(), wal_bytes=MANY_BYTES)
    ingest(database, [path], Ingested())
    assert not caplog.messages
    ingest(database, [path.with_name("run-1.jsonl")], Ingested())
    assert "its content is lost" in caplog.text
    lock.release()


def test_what_another_recorder_ingested_and_forgot_meanwhile_is_not_reported_as_lost(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_segment(journal_of(database), "dead-0", [reading(1)])
    ingest(database, [path], Ingested())
    ingest(database, [write_segment(journal_of(database), "dead-1", [reading(2)])], Ingested())
    assert names(database) == ["dead-1"]
    ingest(database, [path], Ingested())
    assert not caplog.messages


def test_json_that_duckdb_does_not_take_is_kept_word_for_word(database: Path) -> None:
    row = RoomEventRow("room", "connection", None, '{"x":"\\ud800"}', 1, 2, "the message itself")
    write_segment(journal_of(database), "run-0", [row])
    ingest_all(database)
    [found] = stored(database)
    assert found[0] == "rejected_messages"
    assert found[-1] == "the message itself"


def test_a_message_of_megabytes_goes_in(database: Path) -> None:
    row = RoomEventRow("room", "connection", None, json.dumps({"x": '"\n' * 10**6}), 1, 2, "x" * 4 * 2**20)
    write_segment(journal_of(database), "run-0", [reading(1), row, reading(2)])
    ingest_all(database)
    assert stored(database) == expected([reading(1), row, reading(2)])


@pytest.mark.parametrize("name", ["[team] a*b", 'it\'s "so"', "mit Ümläuten ☃", "50% {x}", "room_id=7"])
def test_a_folder_may_be_called_anything(tmp_path: Path, name: str) -> None:
    if sys.platform == "win32":
        name = name.translate(dict.fromkeys(map(ord, '*?"'), "_"))
    database = tmp_path / name / "t.duckdb"
    write_segment(journal_of(database), "run-0", [reading(1)])
    ingest_all(database)
    assert stored(database) == expected([reading(1)])


def test_batches_are_bounded_so_that_readers_get_their_turn(tmp_path: Path) -> None:
    segments = [write_segment(tmp_path, f"run-{n}", [reading(n)]) for n in range(5)]
    assert next_batch(segments) == segments
    most_bytes = segments[0].stat().st_size * 2
    assert next_batch(segments, most_bytes) == segments[:2]
    segments[0].unlink()  # another recorder was faster
    assert next_batch(segments, most_bytes) == segments[:3]
    assert next_batch([]) == []


def test_duckdb_rests_after_a_little_and_is_stopped_after_much(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To start it takes longer than to ingest little, but after much it would keep the memory."""
    monkeypatch.setattr(database_module, "_engines", [])
    write_segment(journal_of(database), "run-0", [reading(1)])
    ingest(database, find_segments(journal_of(database)), Ingested())
    resting = list(database_module._engines)
    assert len(resting) == 1
    write_segment(journal_of(database), "run-1", [reading(2)])
    ingest(database, find_segments(journal_of(database)), Ingested())
    assert database_module._engines == resting
    write_segment(journal_of(database), "run-2", [reading(number) for number in range(20_001)])
    ingest(database, find_segments(journal_of(database)), Ingested())
    assert database_module._engines == []


@pytest.fixture
def failing_checkpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let DuckDB's own checkpoints fail, as long as the list has errors."""
    faults = list[str]()
    connect = duckdb.connect

    class Connection:
        def __init__(self, real: duckdb.DuckDBPyConnection) -> None:
            self._real = real

        def execute(self, statement: str, *arguments: Any) -> Any:
            if statement.startswith("CHECKPOINT") and faults:
                raise duckdb.IOException(faults[0])
            return self._real.execute(statement, *arguments)

        def close(self) -> None:
            self._real.close()

        def __enter__(self) -> duckdb.DuckDBPyConnection:
            return self._real

        def __exit__(self, *_: object) -> None:
            self._real.close()

    monkeypatch.setattr(database_module, "_engines", [])
    monkeypatch.setattr(duckdb, "connect", lambda *a, **k: Connection(connect(*a, **k)))
    yield faults
    monkeypatch.undo()


def test_rows_committed_before_a_checkpoint_failed_are_counted_and_stored_once(
    database: Path, failing_checkpoint: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with open_database(database):
        pass
    write_segment(journal_of(database), "run-0", [reading(1)])
    total = Ingested()
    failing_checkpoint.append("IO Error: Could not write file: No space left on device")
    with pytest.raises(CheckpointError, match="no space left"):
        ingest(database, find_segments(journal_of(database)), total)
    assert total.readings == 1
    assert find_segments(journal_of(database)), "what is only in the WAL stays in the journal"
    write_segment(journal_of(database), "run-1", [reading(2)])
    ingest(database, find_segments(journal_of(database)), total, wal_bytes=MANY_BYTES)
    failing_checkpoint.clear()
    ingest(database, [], total)
    assert total.readings == 2
    assert stored(database) == expected([reading(1), reading(2)])
    assert not wal_path(database).exists()
    assert not caplog.messages
