"""The DuckDB file: made all at once, for its owner alone, and every fault in words with the file left as it is."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from pulsoid_rec.recorder.contract.duckdb_errors import storage_error
from pulsoid_rec.recorder.contract.errors import DatabaseBusyError, ExitCode, StorageError
from pulsoid_rec.recorder.contract.tables import BOOKKEEPING, SCHEMA_VERSION, TABLES
from pulsoid_rec.recorder.ingest.database import open_database

_HOLD = (
    "import duckdb, sys; connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == 'reader');"
    "print('held', flush=True); sys.stdin.read()"
)


def tables_of(path: Path) -> set[str]:
    with duckdb.connect(path, read_only=True) as connection:
        return {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "t.duckdb"
    with open_database(path) as connection:
        connection.execute("INSERT INTO heart_rate SELECT 'r', 'p', i % 200, now(), now(), 'c' FROM range(200000) t(i)")
    return path


def test_a_new_file_has_all_tables_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "t.duckdb"
    before = os.umask(0o022)
    try:
        with open_database(path):
            pass
    finally:
        os.umask(before)
    assert tables_of(path) == {table.name for table in (*TABLES, *BOOKKEEPING)}
    assert [entry.name for entry in path.parent.iterdir()] == ["t.duckdb"], "no half-made file and no WAL is left"
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_an_empty_duckdb_file_becomes_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    duckdb.connect(path).close()
    with open_database(path):
        pass
    assert "heart_rate" in tables_of(path)


def test_a_file_that_appears_meanwhile_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two recorders make the same database at the same instant: the rows of the faster one must stay."""
    path = tmp_path / "t.duckdb"
    link = os.link

    def be_slower(new: Path, to: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        with open_database(path) as connection:
            connection.execute("INSERT INTO heart_rate VALUES ('r', 'p', 60, now(), now(), 'c')")
        link(new, to)

    monkeypatch.setattr(os, "link", be_slower)
    with open_database(path) as connection:
        assert connection.execute("SELECT count(*) FROM heart_rate").fetchall() == [(1,)]


def test_a_file_system_without_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(new: Path, to: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with open_database(tmp_path / "t.duckdb"):
        pass
    assert "heart_rate" in tables_of(tmp_path / "t.duckdb")
    assert len(list(tmp_path.iterdir())) == 1


def test_many_who_make_it_at_once_all_get_it(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    faults: list[Exception] = []

    def make() -> None:
        try:
            with open_database(path) as connection:
                connection.execute("INSERT INTO heart_rate VALUES ('r', 'p', 60, now(), now(), 'c')")
        except Exception as error:  # noqa: BLE001 - judged below
            faults.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Threads of one process share the instance; at the end one of them may find the others' checkpoint under way.
    assert [fault for fault in faults if not isinstance(fault, StorageError)] == []
    with duckdb.connect(path, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM heart_rate").fetchall()[0][0] >= 4 - len(faults)


@pytest.mark.process
@pytest.mark.parametrize("who", ["reader", "writer"])
def test_a_busy_file_names_the_process_that_holds_it(recording: Path, who: str) -> None:
    command = [sys.executable, "-c", _HOLD, str(recording), who]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DatabaseBusyError) as caught, open_database(recording):
            pass
        holder.kill()
    if sys.platform != "win32":
        assert f"(process {holder.pid})" in caught.value.message
    with open_database(recording):
        pass


def test_one_process_has_a_file_open_once_and_two_files_at_once(recording: Path, tmp_path: Path) -> None:
    with open_database(recording), open_database(tmp_path / "other.duckdb") as other:
        assert other.execute("SELECT count(*) FROM heart_rate").fetchall() == [(0,)]
        with pytest.raises(DatabaseBusyError, match="locked by this process"), open_database(recording):
            pass
    with open_database(recording):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no such names")
@pytest.mark.parametrize("name", ["it's.duckdb", "sqlite:a.duckdb", "md:a", "a;b --.duckdb", 'a"b.duckdb'])
def test_a_name_is_a_name_whatever_it_would_mean_in_sql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_database(Path(name)) as connection:
        connection.execute("INSERT INTO heart_rate VALUES ('r', 'p', 60, now(), now(), 'c')")
    with open_database(Path(name)) as connection:
        assert connection.execute("SELECT count(*) FROM heart_rate").fetchall() == [(1,)]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def _newer(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute(f"INSERT INTO schema_versions VALUES ({SCHEMA_VERSION + 1}, now(), '9.9')")


def _foreign(path: Path) -> None:
    path.unlink()
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE mine (a INTEGER)")


def _flipped(at: int) -> Callable[[Path], None]:
    def flip(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[at] ^= 255
        path.write_bytes(content)

    return flip


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_text("Not a database\n" * 1000), "is not a DuckDB file"),
    "empty": (lambda path: path.write_bytes(b""), "is not a DuckDB file"),
    "header": (_flipped(50), "is damaged"),
    "second header": (_flipped(4096 + 20), "is damaged"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:20_000]), "is damaged"),
    "newer": (_newer, "was written by a newer pulsoid-rec"),
    "foreign": (_foreign, "not a recording of pulsoid-rec"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_cannot_be_used_is_reported_so_and_left_as_it_is(recording: Path, fault: str) -> None:
    spoil, words = FAULTS[fault]
    spoil(recording)
    before = recording.read_bytes()
    with pytest.raises(StorageError, match=words) as caught, open_database(recording):
        pass
    assert caught.value.exit_code is ExitCode.STORAGE
    assert not isinstance(caught.value, DatabaseBusyError)
    assert str(recording) in caught.value.message
    assert recording.read_bytes() == before
    assert [entry.name for entry in recording.parent.iterdir()] == [recording.name]


def test_a_folder_in_its_place_is_reported_so(tmp_path: Path) -> None:
    (tmp_path / "t.duckdb").mkdir()
    with pytest.raises(StorageError, match=r"is a folder|cannot be written"), open_database(tmp_path / "t.duckdb"):
        pass


def test_a_path_that_duckdb_would_cut_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="question mark"), open_database(tmp_path / "what?.duckdb"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (duckdb.IOException("IO Error: Could not write file: No space left on device"), "no space left on the disk"),
        (duckdb.IOException("IO Error: Could not write all bytes: File too large"), "no space left on the disk"),
        (OSError(28, "No space left on device"), "no space left on the disk"),
        (duckdb.IOException('IO Error: Cannot open file "x": Too many open files'), "too many files are open"),
        (duckdb.IOException('IO Error: Cannot open file "x": Permission denied'), "permission denied"),
        (PermissionError(13, "Permission denied"), "permission denied"),
        (OSError(30, "Read-only file system"), "permission denied"),
        (OSError(5, "Input/output error"), "input/output error"),
        (duckdb.IOException("Could not set lock on file: Conflicting lock is held in PID 0."), "is locked by another"),
        (duckdb.Error("something new"), "Cannot write x.duckdb: something new"),
        (duckdb.Error(""), "Cannot write x.duckdb: Error"),
    ],
)
def test_every_fault_is_one_sentence_and_what_to_do(error: Exception, words: str) -> None:
    translated = storage_error(error, Path("x.duckdb"), writing=True)
    assert words in translated.message
    assert "x.duckdb" in translated.message
    assert "\n" not in str(translated)
    assert not translated.message.endswith(".")
    assert translated.hint.endswith(".")


def test_a_failed_checkpoint_is_no_secret(recording: Path) -> None:
    """Left to itself, closing keeps to itself that the database could not be written."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def add_late() -> None:
        with open_database(recording) as connection:
            resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, limits[1]))
            connection.execute("INSERT INTO heart_rate VALUES ('r', 'p', 60, now(), now(), 'late')")

    try:
        with pytest.raises(StorageError, match="no space left"):
            add_late()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with open_database(recording) as connection:
        found = connection.execute("SELECT count(*) FROM heart_rate WHERE connection_id = 'late'").fetchall()
    assert found == [(1,)], "what was committed is there"
