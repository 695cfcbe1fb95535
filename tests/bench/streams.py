"""Runs of a client against the server: the recorder, a bare loop, what people write by hand."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psutil
from stream_server import TOKEN

_HERE = Path(__file__).parent
_RECORD = (sys.executable, "-c", "from pulsoid_rec.analysis.cli.app import main; main()", "record")


class WrongCountError(Exception):
    """Not all that was sent arrived, or more: a figure made of it would be none."""


@dataclass(frozen=True)
class Taken:
    """How many messages the client has taken so far, and when that was, by `time.monotonic`."""

    messages: int
    at: float


class Server:
    """The server's process. Its clock is `time.monotonic`, the same in all processes."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.port = int(self._read()["port"])

    def wait_for_begin(self) -> float:
        """Wait until all rooms are connected; return when that was."""
        return float(self._read()["began_at"])

    def wait_until_taken(self) -> Taken:
        """Wait until the client has taken all, or another million."""
        told = self._read()
        return Taken(told["taken"], told["taken_at"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told


@contextmanager
def open_server(*, rooms: int = 1, messages: int, per_second: float = 0) -> Iterator[Server]:
    """Run the server; `messages` and `per_second` are for each room."""
    command = [sys.executable, _HERE / "stream_server.py", "--rooms", rooms, "--messages", messages]
    command += ["--per-second", per_second]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.kill()


@contextmanager
def open_recorder(port: int, database: Path, rooms: int = 1) -> "Iterator[subprocess.Popen[str]]":
    """Run `pulsoid-rec record`; at the end of the block it is asked to end, and waited for."""
    ids = [f"room-{room}" for room in range(rooms)]
    options = ["--server", f"ws://127.0.0.1:{port}", "--db", str(database)]
    environment = {**os.environ, "PULSOID_TOKEN": TOKEN}
    process = subprocess.Popen([*_RECORD, *ids, *options], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield process
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, "pulsoid-rec record", stderr=said)
    finally:
        process.kill()


def wait_until_drained(database: Path) -> None:
    """Wait until the database has all of the journal but what is being written: a flood gets ahead of it."""
    journal = database.with_name(f"{database.name}.journal")
    while closed := {path.stem for path in journal.glob("*.jsonl")}:
        with contextlib.suppress(duckdb.IOException), duckdb.connect(database, read_only=True) as connection:
            # Those that are in the database stay until its next checkpoint.
            noted = connection.execute("SELECT segment FROM ingested_segments").fetchall()
            if closed <= {name for (name,) in noted}:
                return
        time.sleep(0.1)


@contextmanager
def open_client(script: str, *arguments: object) -> "Iterator[subprocess.Popen[str]]":
    """Run one of the scripts beside this file, and end it at the end of the block."""
    command = [sys.executable, str(_HERE / script), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def read_count(process: "subprocess.Popen[str]") -> int:
    """Wait for a client to print how many messages it got."""
    assert process.stdout is not None
    return int(process.stdout.readline())


def require_count(expected: int, found: int, what: str) -> None:
    """Raise `WrongCountError` unless all arrived."""
    if found != expected:
        raise WrongCountError(f"{what}: {found:,} of {expected:,}")


def count_readings(database: Path) -> int:
    """Count the readings in a database, each once: those that are twice would be no gain."""
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute("SELECT count(*), count(DISTINCT (room_id, occurred_at)) FROM heart_rate").fetchone()
    assert found is not None
    require_count(found[0], found[1], "readings that are no duplicates")
    return int(found[0])


def cpu_s(process: "subprocess.Popen[str]") -> float:
    """CPU that a process has used so far, in seconds."""
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


def rss_mb(process: "subprocess.Popen[str]") -> float:
    """All of a process's memory now, in megabytes."""
    return float(psutil.Process(process.pid).memory_info().rss) / 1e6


def written_bytes(process: "subprocess.Popen[str]") -> int:
    """Return what a process has had written to the disk so far; 0 where the system does not count that."""
    counters = getattr(psutil.Process(process.pid), "io_counters", None)
    return int(counters().write_bytes) if counters else 0


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Write several figures as "lowest to highest"."""
    return f"{min(values):,.{digits}f} to {max(values):,.{digits}f}"
