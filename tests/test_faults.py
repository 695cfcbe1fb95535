"""The recorder on its worst days: killed, locked out, without space, told to end. Real processes, real signals."""

import contextlib
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import duckdb
import pytest
import trio
from command import run_here
from journal_rows import reading, stored, write_segment
from kills import PHASES, kill_again_and_again
from numbered_server import NumberedServer, open_numbered_server
from recorder_process import (
    COMMAND,
    Balance,
    Ended,
    Stalls,
    balance,
    end,
    held_by,
    journal_of,
    kill,
    kill_those_left,
    run_recover,
    start_recorder,
    wait_for_end,
)

from pulsoid_rec.recorder.contract.tables import SCHEMA_VERSION
from pulsoid_rec.recorder.health.judge import judge
from pulsoid_rec.recorder.ingest.database import wal_path

pytestmark = pytest.mark.process

SEED = int(os.environ.get("PULSOID_REC_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
_READ = (
    "import duckdb, sys, time, random\n"
    "path, until = sys.argv[1], time.monotonic() + float(sys.argv[2])\n"
    "while time.monotonic() < until:\n"
    "    try:\n"
    "        with duckdb.connect(path, read_only=True) as connection:\n"
    "            connection.execute('SELECT count(*), max(bpm) FROM heart_rate').fetchall()\n"
    "            time.sleep(random.random() * float(sys.argv[3]))\n"
    "    except duckdb.IOException:\n"
    "        pass  # a recorder has it\n"
    "    time.sleep(random.random() * 0.2)\n"
)
_HOLD = (
    "import duckdb, sys, time\n"
    "while True:\n"
    "    try:\n"
    "        connection = duckdb.connect(sys.argv[1], read_only=True)\n"
    "        break\n"
    "    except duckdb.IOException:\n"
    "        time.sleep(0.005)\n"
    "print('held', flush=True)\n"
    "sys.stdin.read()\n"
)


@pytest.fixture
async def server() -> AsyncIterator[NumberedServer]:
    async with open_numbered_server(100) as server:
        yield server


@pytest.fixture
async def busy_server() -> AsyncIterator[NumberedServer]:
    async with open_numbered_server(400) as server:
        yield server


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "t.duckdb"


@pytest.fixture(autouse=True)
def _no_recorder_is_left() -> Iterator[None]:
    yield
    kill_those_left()


async def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    with trio.fail_after(within_s):
        while not condition():
            await trio.sleep(0.02)


async def until_sent(server: NumberedServer, more: int) -> None:
    """Wait until so many more readings were sent."""
    enough = server.sent + more
    await until(lambda: server.sent >= enough)


async def until_ingested(database: Path) -> None:
    """Wait until the first readings are in the database."""

    def has_rows() -> bool:
        with contextlib.suppress(duckdb.Error), duckdb.connect(database, read_only=True) as connection:
            return bool(connection.execute("SELECT count(*) FROM heart_rate").fetchall()[0][0])
        return False

    await until(lambda: database.exists() and has_rows())


def _read_for_a_while(database: Path) -> None:
    command = [sys.executable, "-c", _READ, str(database), "2.5", "0.05"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def reader(database: Path) -> Iterator["subprocess.Popen[str]"]:
    """Hold the database open for reading, in a process of its own."""
    command = [sys.executable, "-c", _HOLD, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def require_all(server: NumberedServer, database: Path) -> None:
    """Everything sent is stored, once."""
    result = balance(server, database)
    assert result.sent > 0
    assert result.missing == []
    assert result.in_flight == 0
    assert result.duplicates == 0


async def end_quietly(server: NumberedServer, process: "subprocess.Popen[str]", by: int = signal.SIGINT) -> Ended:
    """End a recorder after the last reading has reached it: what comes at the very instant is nobody's."""
    server.is_sending = False
    await trio.sleep(0.1)
    return await end(process, by)


def log_of(database: Path) -> str:
    logs = database.with_name(database.name + ".logs").glob("*.log")
    return "".join(path.read_text(encoding="utf-8") for path in logs)


def too_old(result: Balance) -> list[float]:
    """List the ages of those that must not be missing, in seconds.

    On a machine with more to do than it has cores, a process may have to wait its turn for longer than that.
    """
    load = os.getloadavg()[0]
    longest_s = 0.1 if load < 1 else max(0.5, 0.25 * load / (os.cpu_count() or 1))
    return [age_s for age_s in result.missing if age_s > longest_s]


# Killed


@pytest.mark.slow
async def test_killed_at_any_instant_it_loses_nothing_older_than_a_tenth_of_a_second(tmp_path: Path) -> None:
    sys.stdout.write(f"PULSOID_REC_SEED={SEED} repeats it\n")
    figures = await kill_again_and_again(tmp_path, len(PHASES), SEED)
    assert too_old(figures.balance) == []
    assert figures.balance.duplicates == 0
    assert figures.balance.stored > 500
    assert figures.marks.acknowledged
    assert figures.marks.compare() == ([], []), "no mark is lost or doubled, whoever is killed"
    assert figures.ended.code == 0, figures.ended.said
    assert not journal_of(tmp_path / "kills.duckdb").exists(), "nothing is left in the journal at the end"


# Readers, and other recorders


@pytest.mark.unmeasured
async def test_reader_holding_the_file_costs_no_data_and_is_named_once(server: NumberedServer, database: Path) -> None:
    process = start_recorder(database, server)
    await until_ingested(database)
    with reader(database) as holder:
        await trio.sleep(8)
        assert sum(path.stat().st_size for path in journal_of(database).glob("*.jsonl*")) > 0
    await until(lambda: "is being written again" in log_of(database))
    ended = await end_quietly(server, process)
    assert ended.code == 0, ended.said
    require_all(server, database)
    assert ended.said.count("is locked by") == 1
    assert held_by(ended.said) == str(holder.pid)
    assert not journal_of(database).exists()


@pytest.mark.slow
async def test_three_recorders_and_ten_readers_share_a_file(server: NumberedServer, database: Path) -> None:
    recorders = [start_recorder(database, server, f"room-{n}") for n in range(3)]
    await until_ingested(database)
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(trio.to_thread.run_sync, _read_for_a_while, database)
    server.is_sending = False
    await trio.sleep(0.1)
    for process in recorders:
        process.send_signal(signal.SIGINT)
    for process in recorders:
        ended = await wait_for_end(process)
        assert ended.code in (0, 4), ended.said  # three who end at once may keep each other waiting
    await trio.to_thread.run_sync(run_recover, database)
    require_all(server, database)
    assert {sent.room_id for sent in server.connections} == {"room-0", "room-1", "room-2"}
    assert not journal_of(database).exists()


@pytest.mark.unmeasured
async def test_one_recorder_takes_over_what_another_left_and_leaves_a_living_one_alone(
    server: NumberedServer, database: Path
) -> None:
    with Stalls() as stalls:
        living = start_recorder(database, server, "living")
        dying = start_recorder(database, server, "dying")
        await until(lambda: len(server.live) == 2)
        await until_sent(server, 100)
        await trio.to_thread.run_sync(
            kill, dying, [sent for sent in server.connections if sent.room_id == "dying"], server.port
        )
        assert [(run.state, run.pid) for run in judge(database) if run.pid == dying.pid] == [("killed", dying.pid)]
        shown = run_here("status", "--db", database)
        assert shown.returncode == 3
        assert f"(process {dying.pid}) was killed or has crashed" in shown.stdout
        third = start_recorder(database, server, "third")
        await until_sent(server, 200)
        await until(lambda: {run.state for run in judge(database)} == {"recording"})
        assert (await end_quietly(server, third)).code == 0
        assert (await end(living)).code == 0
    result = balance(server, database, stalls)
    assert too_old(result) == []
    assert result.duplicates == 0
    assert not journal_of(database).exists()


# Disk and files


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=False).returncode:
        pytest.skip("mounting is not permitted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.unmeasured
async def test_a_full_disk_is_reported_at_once_and_recording_goes_on_by_itself_once_there_is_room(
    server: NumberedServer, small_disk: Path
) -> None:
    database = small_disk / "t.duckdb"
    process = start_recorder(database, server)
    await until_ingested(database)
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    assert process.stderr is not None
    screen = process.stderr.fileno()
    os.set_blocking(screen, False)
    said = ""

    def says(words: str) -> bool:
        nonlocal said
        with contextlib.suppress(BlockingIOError):
            said += os.read(screen, 10_000).decode()
        return words in said

    # The log is on the full disk as well: the screen tells.
    await until(lambda: says("Cannot write the journal in") and says("No space left on device"))
    await until_sent(server, 150)
    filler.unlink()
    await until(lambda: says("The journal is being written again; nothing was lost."))
    await until_sent(server, 50)
    os.set_blocking(screen, True)
    ended = await end_quietly(server, process)
    assert ended.code == 0, said + ended.said
    assert (said + ended.said).count("Cannot write the journal in") == 1
    require_all(server, database)


@pytest.mark.unmeasured
async def test_a_database_that_cannot_grow_is_reported_and_caught_up_with(
    busy_server: NumberedServer, database: Path
) -> None:
    """The journal and the WAL can be written; it is the checkpoint that has no space."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    if not hasattr(resource, "prlimit"):
        pytest.skip("only Linux sets another process' limits")
    server = busy_server  # so that its WAL is soon worth a checkpoint
    process = start_recorder(database, server)
    await until_ingested(database)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (256 * 1024, resource.RLIM_INFINITY))
    await until(lambda: "There is no space left on the disk for" in log_of(database))
    await until_sent(server, 100)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await until(lambda: "The database is being written again" in log_of(database))
    ended = await end_quietly(server, process)
    assert ended.code == 0, ended.said
    assert ended.said.count("no space left") == 1
    require_all(server, database)
    rows = sum(stored(database).values()) - 2  # opened, closed
    assert f"Recorded {rows:,} readings" in ended.said, "each is counted once, too"


@pytest.mark.unmeasured
async def test_too_many_open_files_are_reported_and_cost_nothing(server: NumberedServer, database: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    if not hasattr(resource, "prlimit"):
        pytest.skip("only Linux sets another process' limits")
    process = start_recorder(database, server)
    await until_ingested(database)
    before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    await until_sent(server, 250)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, before)
    await until_sent(server, 150)
    ended = await end_quietly(server, process)
    assert ended.code == 0, ended.said
    assert "oo many" in ended.said
    require_all(server, database)


@pytest.mark.unmeasured
async def test_a_database_damaged_in_the_middle_is_reported_and_the_journal_keeps_all_until_it_is_repaired(
    server: NumberedServer, database: Path
) -> None:
    process = start_recorder(database, server)
    await until_ingested(database)
    aside = database.with_name("aside")
    with reader(database):  # so that it happens between two transactions
        database.rename(aside)
        database.write_bytes(b"no database " * 1000)
    await until(lambda: "is not a DuckDB file" in log_of(database))
    await until_sent(server, 150)
    assert any(journal_of(database).glob("*.jsonl*"))
    assert database.read_bytes() == b"no database " * 1000
    aside.replace(database)
    await until(lambda: "The database is being written again" in log_of(database))
    ended = await end_quietly(server, process)
    assert ended.code == 0, ended.said
    assert ended.said.count("is not a DuckDB file") == 1
    require_all(server, database)


@pytest.mark.unmeasured
async def test_a_database_that_is_cut_off_is_reported_and_the_journal_keeps_all(
    server: NumberedServer, database: Path
) -> None:
    write_segment(journal_of(database), "run-0", [reading(number) for number in range(20_000)])
    assert run_recover(database).returncode == 0
    with database.open("r+b") as file:
        file.truncate(database.stat().st_size // 2)
    process = start_recorder(database, server)
    await until_sent(server, 50)
    ended = await end_quietly(server, process)
    assert ended.code == 4
    assert "Move it away with its .wal" in ended.said.splitlines()[-1]
    for path in (database, wal_path(database)):
        path.rename(path.with_suffix(".aside"))
    assert run_recover(database).returncode == 0
    require_all(server, database)


def _newer(path: Path) -> None:
    assert run_recover_on_nothing(path)
    with duckdb.connect(path) as connection:
        connection.execute(f"INSERT INTO schema_versions VALUES ({SCHEMA_VERSION + 1}, now(), '9.9')")


def run_recover_on_nothing(path: Path) -> bool:
    write_segment(journal_of(path), "run-0", [reading(1)])
    return run_recover(path).returncode == 0


AT_THE_START: dict[str, tuple[Callable[[Path], object], str]] = {
    "damaged": (lambda path: path.write_bytes(b"damaged" * 1000), "is not a DuckDB file"),
    "newer": (_newer, "was written by a newer pulsoid-rec"),
    "a folder": (lambda path: path.mkdir(), "is a folder"),
    "a file for a folder": (lambda path: journal_of(path).write_text("mine"), "Cannot write the journal"),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("fault", AT_THE_START)
async def test_what_cannot_be_recorded_into_ends_with_one_line_and_changes_nothing(
    server: NumberedServer, database: Path, fault: str
) -> None:
    spoil, words = AT_THE_START[fault]
    spoil(database)
    before = {path.name: path.read_bytes() for path in database.parent.iterdir() if path.is_file()}
    ended = await wait_for_end(start_recorder(database, server))
    assert ended.code == 4
    [line] = ended.said.splitlines()
    assert line.startswith("pulsoid-rec: ")
    assert words in line
    assert str(database) in line
    assert {path.name: path.read_bytes() for path in database.parent.iterdir() if path.is_file()} == before
    assert not server.connections
    assert fault == "a file for a folder" or not journal_of(database).exists()


@pytest.mark.unmeasured
async def test_a_folder_that_is_read_only_is_reported_in_one_line(server: NumberedServer, small_disk: Path) -> None:
    await trio.run_process(["mount", "-o", "remount,ro", str(small_disk)])
    ended = await wait_for_end(start_recorder(small_disk / "t.duckdb", server))
    assert ended.code == 4
    [line] = ended.said.splitlines()
    assert "Read-only file system" in line
    assert not server.connections


# Ending


def _time_to_read_the_command_line() -> float:
    """Measure how long the program takes to refuse a command line, in seconds: machines differ, and their hours."""
    began_at = time.monotonic()
    assert subprocess.run([*COMMAND, "record"], capture_output=True, check=False).returncode == 2
    return time.monotonic() - began_at


async def _start_and_interrupt(server: NumberedServer, database: Path, by: int, after_s: float | None) -> None:
    """Start a recorder, and interrupt it so long after it began; None: once a reading was sent."""
    connections = len(server.connections)
    process = start_recorder(database, server, announced=True)
    assert process.stdout is not None
    await trio.to_thread.run_sync(process.stdout.readline)
    if after_s is None:
        await until_sent(server, 1)
    else:
        await trio.sleep(after_s)
    for sent in server.connections[connections:]:
        sent.stopped_at = time.monotonic()
    ended = await end(process, by)
    for sent in server.connections[connections:]:
        sent.stopped_at = sent.stopped_at or 0.0
    assert ended.took_s < 5
    assert "Traceback" not in ended.said
    # Until it has read its command line it may end as any program does.
    if ended.code != 0:
        assert len(server.connections) == connections, ended
        assert after_s is not None, ended
        assert after_s < 2 * await trio.to_thread.run_sync(_time_to_read_the_command_line), ended
    assert not list(journal_of(database).glob("*.jsonl*")), "everything is in the database"


async def test_a_signal_at_any_instant_of_the_start_ends_it_in_good_order(
    server: NumberedServer, database: Path
) -> None:
    rng = random.Random(SEED)
    with Stalls() as stalls:
        for number in range(5):
            by, after_s = (signal.SIGINT, signal.SIGTERM)[number % 2], rng.uniform(0, 1)
            await _start_and_interrupt(server, database, by, after_s)
        await _start_and_interrupt(server, database, signal.SIGINT, None)
    result = balance(server, database, stalls)
    assert result.sent > 0
    assert too_old(result) == []
    assert result.duplicates == 0


@pytest.mark.unmeasured
@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signal")
async def test_a_terminal_that_is_closed_ends_it_like_ctrl_c(server: NumberedServer, database: Path) -> None:
    process = start_recorder(database, server)
    await until_sent(server, 50)
    ended = await end_quietly(server, process, signal.SIGHUP)
    assert ended.code == 0, ended.said
    require_all(server, database)
    assert not journal_of(database).exists()


@pytest.mark.unmeasured
async def test_a_stop_takes_a_moment(server: NumberedServer, database: Path) -> None:
    took_s = []
    longest_s = 0.2
    for _ in range(3):
        process = start_recorder(database, server)
        await until_sent(server, 50)
        ended = await end(process)
        assert ended.code == 0, ended.said
        took_s.append(ended.took_s)
        if ended.took_s < longest_s:
            return
    # On a machine with more to do than it has cores, a process has to wait its turn.
    if os.getloadavg()[0] >= 1:
        longest_s = max(1, 4 * await trio.to_thread.run_sync(_time_to_read_the_command_line))
    assert min(took_s) < longest_s, took_s


@pytest.mark.unmeasured
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
async def test_a_peer_that_does_not_answer_the_close_does_not_hold_the_end(
    server: NumberedServer, database: Path, by: int
) -> None:
    server.answers_close = False
    process = start_recorder(database, server)
    await until_sent(server, 50)
    ended = await end_quietly(server, process, by)
    assert ended.code == 0, ended.said
    assert ended.took_s < 5
    require_all(server, database)
    assert not journal_of(database).exists()


@pytest.mark.unmeasured
@pytest.mark.parametrize("what", ["answers_token_check", "answers_upgrade"])
async def test_a_server_that_does_not_answer_does_not_hold_the_end(
    server: NumberedServer, database: Path, what: str
) -> None:
    setattr(server, what, False)
    write_segment(journal_of(database), "dead-0", [reading(1)])
    process = start_recorder(database, server)
    await until(lambda: server.asked > (what == "answers_upgrade"))
    ended = await end(process)
    assert ended.code == 0, ended.said
    assert ended.took_s < 5
    assert sum(row[0] == "heart_rate" for row in stored(database)) == 1, "what a crash left is in all the same"


def _leave_behind(database: Path, segments: int, rows: int) -> int:
    for number in range(segments):
        content = (reading(number * rows + n) for n in range(rows))
        write_segment(journal_of(database), f"dead-{number:04}", content)
    return segments * rows


@pytest.mark.unmeasured
async def test_a_signal_during_ingest_ends_with_everything_in(server: NumberedServer, database: Path) -> None:
    rows = _leave_behind(database, 20, 5000)
    process = start_recorder(database, server)
    await until(lambda: database.with_name(database.name + ".wal").exists())
    ended = await end(process, signal.SIGTERM)
    assert ended.code == 0, ended.said
    assert ended.took_s < 5
    with duckdb.connect(database, read_only=True) as connection:
        found = connection.execute(
            "SELECT count(*) FROM heart_rate WHERE profile_id LIKE 'p%' AND room_id = 'room' "
            "AND connection_id = 'connection'"
        ).fetchall()
    assert found == [(rows,)]
    assert not journal_of(database).exists()


@pytest.mark.unmeasured
async def test_a_second_signal_during_ingest_ends_at_once_and_nothing_is_lost(
    server: NumberedServer, database: Path
) -> None:
    rows = _leave_behind(database, 40, 5000)
    process = start_recorder(database, server)
    await until(lambda: database.with_name(database.name + ".wal").exists() and bool(server.live))
    process.send_signal(signal.SIGINT)
    await trio.sleep(0.05)
    ended = await end(process)
    assert ended.took_s < 2
    assert ended.code in (0, 4), ended
    assert (await trio.to_thread.run_sync(run_recover, database)).returncode == 0
    with duckdb.connect(database, read_only=True) as connection:
        found = connection.execute("SELECT count(*) FROM heart_rate WHERE connection_id = 'connection'").fetchall()
    assert found == [(rows,)]


async def test_a_second_signal_ends_at_once_and_the_journal_keeps_the_rest(
    server: NumberedServer, database: Path
) -> None:
    process = start_recorder(database, server)
    await until_ingested(database)
    with reader(database):
        await until_sent(server, 100)
        server.is_sending = False
        await trio.sleep(0.1)
        process.send_signal(signal.SIGINT)
        await trio.sleep(0.5)
        assert process.poll() is None, "it waits for the reader"
        ended = await end(process)
        assert ended.took_s < 1.5
        assert ended.code == 4
        assert "Run `pulsoid-rec recover` to ingest it" in ended.said
    done = await trio.to_thread.run_sync(run_recover, database)
    assert done.returncode == 0
    require_all(server, database)


async def test_a_reader_at_the_end_is_reported_in_one_line_and_costs_nothing(
    server: NumberedServer, database: Path
) -> None:
    process = start_recorder(database, server)
    await until_ingested(database)
    with reader(database) as holder:
        await until_sent(server, 50)
        ended = await end_quietly(server, process)
        assert ended.took_s < 5
        assert ended.code == 4
        line = ended.said.splitlines()[-1]
        assert line.startswith("pulsoid-rec: Not everything is in the database yet")
        assert held_by(line) == str(holder.pid)
    server.is_sending = True
    again = start_recorder(database, server)
    await until_sent(server, 20)
    assert (await end_quietly(server, again)).code == 0
    require_all(server, database)
    assert not journal_of(database).exists()


# Private


@pytest.mark.unmeasured
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
async def test_whatever_it_makes_is_for_its_owner_alone(server: NumberedServer, tmp_path: Path) -> None:
    database = tmp_path / "data" / "t.duckdb"
    process = start_recorder(database, server, options=["--keep-journal"], umask=0o022)
    seen: dict[str, int] = {}
    give_up_at = time.monotonic() + 60
    folders = {"data", "t.duckdb.journal", "kept", "t.duckdb.logs"}
    # A folder that is made while its own is being listed can be seen after what is in it.
    while not folders | {"wal", "open", "lock", "duckdb", "log", "gz"} <= {
        *seen,
        *(name.rpartition(".")[2] for name in seen),
    }:
        assert time.monotonic() < give_up_at, sorted(seen)
        for path in tmp_path.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                seen[path.name] = status.st_mode & 0o777
                expected = 0o700 if path.is_dir() else 0o600
                assert seen[path.name] == expected, path
        await trio.sleep(0.001)
    assert (await end(process)).code == 0


# The screen


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals there that a test could stop")
@pytest.mark.parametrize("unbuffered", ["", pytest.param("1", marks=pytest.mark.unmeasured)])
async def test_a_terminal_that_is_stopped_does_not_stop_the_recording(
    server: NumberedServer, database: Path, monkeypatch: pytest.MonkeyPatch, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    ours, its = os.openpty()  # nobody reads ours, as after Ctrl-S
    try:
        process = start_recorder(database, server, *(f"room-{number}" for number in range(20)), stderr=its)
        await until(lambda: not select.select([], [its], [], 0)[1])
        await until_sent(server, 6000)  # in three seconds, of which each has a status that nobody takes
        ended = await end_quietly(server, process)
    finally:
        os.close(ours)
        os.close(its)
    assert ended.code == 0
    assert ended.took_s < 5
    require_all(server, database)


@pytest.mark.unmeasured
@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals there that could vanish")
async def test_a_terminal_that_vanishes_does_not_stop_the_recording(server: NumberedServer, database: Path) -> None:
    ours, its = os.openpty()
    process = start_recorder(database, server, stderr=its)
    os.close(its)
    await until_ingested(database)
    assert b"connected" in os.read(ours, 10_000)
    os.close(ours)  # every write to it fails from here on
    await until_sent(server, 300)
    ended = await end_quietly(server, process)
    assert ended.code == 0
    require_all(server, database)
    assert "Traceback" not in log_of(database)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals there that could vanish")
async def test_a_terminal_that_vanishes_does_not_change_the_exit_code(server: NumberedServer, database: Path) -> None:
    server.answers_upgrade = False
    ours, its = os.openpty()
    process = start_recorder(database, server, options=["--duration", "1"], stderr=its)
    os.close(its)
    await until(lambda: bool(server.asked))
    os.close(ours)
    assert (await wait_for_end(process)).code == 3
