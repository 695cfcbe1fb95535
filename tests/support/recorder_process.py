"""The recorder as users run it: a process of its own, which can be sent signals, limited and killed."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from bisect import bisect
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import duckdb
import trio
from numbered_server import IS_AS_SENT, NUMBER, TOKEN, NumberedServer, Sent

_started: "list[subprocess.Popen[str]]" = []
COMMAND = (sys.executable, "-c", "from pulsoid_rec.analysis.cli.app import main; main()")


def journal_of(database: Path) -> Path:
    return database.with_name(database.name + ".journal")


def environment() -> dict[str, str]:
    return {**os.environ, "PULSOID_TOKEN": TOKEN, "COLUMNS": "200"}


def start_recorder(
    database: Path,
    server: NumberedServer | str,
    *rooms: str,
    options: Iterable[str] = (),
    umask: int = 0o022,
    announced: bool = False,
    stderr: int = subprocess.PIPE,
) -> "subprocess.Popen[str]":
    """Start `pulsoid-rec record`; what it says on stderr can be read from the process.

    `server` may be a URL. `announced`, it writes a line on stdout when the command begins.
    """
    url = server if isinstance(server, str) else server.url
    arguments = ["record", *(rooms or ("room",)), "--db", str(database), "--server", url, *options]
    command = [*COMMAND]
    if announced:
        command[-1] = command[-1].replace("main()", "print(flush=True); main()")
    process = subprocess.Popen(
        [*command, *arguments],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if announced else subprocess.DEVNULL,
        stderr=stderr,
        text=True,
        umask=umask,
    )
    _started.append(process)
    return process


def kill_those_left() -> None:
    """Kill the recorders that a test which failed did not end."""
    while _started:
        process = _started.pop()
        if process.returncode is None:
            process.kill()
            process.communicate()


def run_recover(database: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, "recover", "--db", str(database)], env=environment(), capture_output=True, text=True, check=False
    )


@dataclass(frozen=True)
class Ended:
    """How a recorder ended: its exit code, what it said, and how long that took, in seconds."""

    code: int
    said: str
    took_s: float


async def wait_for_end(process: "subprocess.Popen[str]", within_s: float = 15.0) -> Ended:
    began_at = time.monotonic()
    try:
        _, said = await trio.to_thread.run_sync(lambda: process.communicate(timeout=within_s))
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Ended(process.returncode, said, time.monotonic() - began_at)


async def end(process: "subprocess.Popen[str]", by: int = signal.SIGINT, within_s: float = 15.0) -> Ended:
    """Send a signal, and wait for the end."""
    process.send_signal(by)
    return await wait_for_end(process, within_s)


def kill(process: "subprocess.Popen[str]", connections: Iterable[Sent], server_port: int) -> None:
    """Stop a recorder dead, note what it has not read from its connections, and kill it."""
    process.send_signal(signal.SIGSTOP)
    killed_at = time.monotonic()
    waiting_bytes = _waiting_bytes(server_port)
    looked_at = time.monotonic()
    process.kill()
    process.communicate()
    for sent in connections:
        sent.stopped_at = min(sent.stopped_at or killed_at, killed_at)
        count = bisect(sent.at, looked_at)
        if count and (waiting := waiting_bytes[sent.port]):
            read = bisect(sent.frames, sent.frames[count - 1] - waiting)
            sent.unread = frozenset(sent.numbers[read:count])


def _waiting_bytes(server_port: int) -> Counter[int]:
    """Count, by the client's port, what was sent and is with the system still: not acknowledged, or not read."""
    waiting: Counter[int] = Counter()
    if sys.platform.startswith("linux"):
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, remote, _, queues, *_ = line.split()
            ports = (int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16))
            transmit, _, receive = queues.partition(":")
            if ports[0] == server_port:
                waiting[ports[1]] += int(transmit, 16)
            elif ports[1] == server_port:
                waiting[ports[0]] += int(receive, 16)
    return waiting


def stored_counts(database: Path) -> bytearray:
    """Count each number in the database, by number; waits for its turn while recorders are at work on it."""
    with _reading(database) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        odd = connection.execute(f"SELECT count(*) FROM heart_rate WHERE NOT ({IS_AS_SENT})").fetchall()
        assert odd == [(0,)], "a row is not as it was sent"
        [(highest,)] = connection.execute(f"SELECT max({NUMBER}) FROM heart_rate").fetchall()
        counts = bytearray((highest or 0) + 1)
        found = connection.execute(f"SELECT {NUMBER} FROM heart_rate")
        while rows := found.fetchmany(100_000):
            for (number,) in rows:
                counts[number] += 1
    return counts


def _reading(database: Path) -> duckdb.DuckDBPyConnection:
    for _ in range(400):
        try:
            return duckdb.connect(database, read_only=True)
        except duckdb.IOException:
            time.sleep(0.02)
    raise AssertionError("the database cannot be had for reading")


@dataclass
class Balance:
    """What became of the readings sent."""

    sent: int
    stored: int
    duplicates: int
    missing: list[float]
    """Of each that is missing: how long before its recorder was killed or told to end it was sent, in seconds.

    Less what the machine kept everybody from running.
    """
    in_flight: int
    """Missing ones that the recorder had not read when it was killed, or whose connection was cut."""

    @property
    def lost(self) -> list[float]:
        """The ages of those that must not be missing."""
        return [age_s for age_s in self.missing if age_s > 0.1]


class Stalls:
    """How late the machine lets a process run, instant by instant, while the block runs.

    A busy machine may keep any process from running for longer than the tenth of a second in question. What it keeps
    from this thread is granted to the recorder too.
    """

    _EVERY_S = 0.005
    _STALL_S = 0.02  # less than this is how any machine runs

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        due = time.monotonic() + self._EVERY_S
        while not self._is_over.wait(max(due - time.monotonic(), 0)):
            now = time.monotonic()
            if now - due > self._STALL_S:
                self._late.append((now, now - due))
            due = now + self._EVERY_S

    def before(self, instant: float) -> float:
        """Add up the stalls in the third of a second before an instant, in seconds."""
        return sum(late_s for at, late_s in self._late if instant - 0.3 <= at <= instant + 0.05)


def balance(server: NumberedServer, database: Path, stalls: Stalls | None = None) -> Balance:
    """Compare what was sent with what is stored."""
    counts = stored_counts(database)
    missing: list[float] = []
    in_flight = sent_count = 0
    for sent in server.connections:
        granted_s = stalls.before(sent.stopped_at) if stalls and sent.stopped_at else 0.0
        for number, at in zip(sent.numbers, sent.at, strict=True):
            sent_count += 1
            if number < len(counts) and counts[number]:
                continue
            age_s = float("inf") if sent.stopped_at is None else sent.stopped_at - at
            if number in sent.unread or sent.was_cut or age_s < 0:
                in_flight += 1
            else:
                missing.append(age_s - granted_s)
    different = len(counts) - counts.count(0)
    return Balance(sent_count, different, sum(counts) - different, missing, in_flight)


def held_by(text: str) -> str | None:
    """Find the process that a message says holds the database."""
    found = re.search(r"is locked by \S+ \(process (\d+)\)", text)
    return found[1] if found else None
