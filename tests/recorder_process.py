"""The recorder as users run it: a process of its own, which can be sent signals, limited and killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import trio
from numbered_server import TOKEN, NumberedServer, Sent, number_of

COMMAND = (sys.executable, "-c", "from recorder.cli.app import main; main()")


def journal_of(database: Path) -> Path:
    return database.with_name(database.name + ".journal")


def environment() -> dict[str, str]:
    return {**os.environ, "PULSOID_TOKEN": TOKEN, "COLUMNS": "200"}


def start_recorder(
    database: Path, server: NumberedServer, *rooms: str, options: Iterable[str] = (), umask: int = 0o022
) -> "subprocess.Popen[str]":
    """Start `pulsoid-rec record`; what it says on stderr can be read from the process."""
    arguments = ["record", *(rooms or ("room",)), "--db", str(database), "--server", server.url, *options]
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        umask=umask,
    )


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
    at = time.monotonic()
    for sent in connections:
        sent.killed_at = at
        sent.unread = _unread(sent, server_port)
    process.kill()
    process.communicate()


def _unread(sent: Sent, server_port: int) -> frozenset[int]:
    """Numbers that were sent, and are with the system still: not acknowledged, or not read."""
    if not sys.platform.startswith("linux"):
        return frozenset()
    waiting_bytes = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        ports = (int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16))
        transmit, _, receive = queues.partition(":")
        if ports == (server_port, sent.port):
            waiting_bytes += int(transmit, 16)
        elif ports == (sent.port, server_port):
            waiting_bytes += int(receive, 16)
    if not waiting_bytes or not sent.frames:
        return frozenset()
    read_bytes = sent.frames[-1] - waiting_bytes
    return frozenset(n for n, end_at in zip(sent.numbers, sent.frames, strict=False) if end_at > read_bytes)


def stored_numbers(database: Path) -> Counter[int]:
    """Count each number in the database; waits for its turn while recorders are at work on it."""
    for _ in range(400):
        try:
            connection = duckdb.connect(database, read_only=True)
            break
        except duckdb.IOException:
            time.sleep(0.02)
    else:
        raise AssertionError("the database cannot be had for reading")
    with connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute("SELECT epoch_ms(occurred_at), profile_id, bpm FROM heart_rate").fetchall()
    return Counter(_number(ms, profile_id, bpm) for ms, profile_id, bpm in rows)


def _number(ms: int, profile_id: str, bpm: int) -> int:
    return number_of(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms), profile_id, bpm)


@dataclass
class Balance:
    """What became of the readings sent."""

    sent: int
    stored: int
    duplicates: int
    missing: list[float]
    """Of each that is missing, for how long it had been sent when its recorder was killed, in seconds."""
    in_flight: int
    """Missing ones that the recorder had not read when it was killed, or whose connection was cut."""

    @property
    def lost(self) -> list[float]:
        """The ages of those that must not be missing."""
        return [age_s for age_s in self.missing if age_s > 0.1]


def balance(server: NumberedServer, database: Path) -> Balance:
    """Compare what was sent with what is stored."""
    stored = stored_numbers(database)
    missing, in_flight, sent_count = [], 0, 0
    for sent in server.connections:
        for number, at in zip(sent.numbers, sent.at, strict=True):
            sent_count += 1
            if number in stored:
                continue
            age_s = float("inf") if sent.killed_at is None else sent.killed_at - at
            if number in sent.unread or sent.was_cut or age_s < 0:
                in_flight += 1
            else:
                missing.append(age_s)
    duplicates = sum(stored.values()) - len(stored)
    return Balance(sent_count, len(stored), duplicates, missing, in_flight)


def held_by(text: str) -> str | None:
    """Find the process that a message says holds the database."""
    found = re.search(r"is held by \S+ \(process (\d+)\)", text)
    return found[1] if found else None
