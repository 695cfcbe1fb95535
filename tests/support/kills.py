"""Killing a recorder again and again, at instants chosen to hit it in everything it does."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import trio
from numbered_server import NumberedServer, open_numbered_server
from recorder_process import COMMAND, Balance, Ended, Stalls, balance, end, journal_of, kill, start_recorder

PHASES = ("connecting", "receiving", "writing", "ingesting", "checkpointing", "removing", "closing")


class Marks:
    """Marks that are made while recorders are killed, by processes of which every second one is killed too."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._made = 0
        self.acknowledged: list[str] = []
        self.killed: list[str] = []

    def start(self) -> "subprocess.Popen[str]":
        self._made += 1
        command = [*COMMAND, "mark", f"m{self._made}", "--room", "room", "--db", str(self._database)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def end(self, process: "subprocess.Popen[str]", rng: random.Random) -> None:
        """Wait for a mark, or kill it in the middle of its work."""
        is_killed = rng.random() < 0.5
        if is_killed:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(0, 0.6))
            process.kill()
        process.communicate(timeout=30)
        if process.returncode == 0:
            self.acknowledged.append(f"m{self._made}")
        elif is_killed:
            self.killed.append(f"m{self._made}")

    def compare(self) -> tuple[list[str], list[str]]:
        """Return which acknowledged marks are not stored, and which marks are stored more than once."""
        with duckdb.connect(self._database, read_only=True) as connection:
            stored = Counter(label for (label,) in connection.execute("SELECT label FROM marks").fetchall())
        lost = [label for label in self.acknowledged if not stored[label]]
        assert set(stored) <= {f"m{number}" for number in range(1, self._made + 1)}
        return lost, [label for label, count in stored.items() if count > 1]


@dataclass
class Results:
    """What a series of kills showed."""

    balance: Balance
    ended: Ended
    phases: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    """What the kills left behind: that they hit what they were aimed at."""
    marks: Marks = field(default_factory=lambda: Marks(Path()))


async def kill_again_and_again(folder: Path, count: int, seed: int, per_second: float = 600) -> Results:
    """Kill a recorder so many times, start it again each time, end it in good order, and compare."""
    rng = random.Random(seed)
    database = folder / "kills.duckdb"
    phases: Counter[str] = Counter()
    left: Counter[str] = Counter()
    marks = Marks(database)
    order = [PHASES[i % len(PHASES)] for i in range(count)]
    rng.shuffle(order)
    async with contextlib.AsyncExitStack() as stack:
        stalls = stack.enter_context(Stalls())
        server = await stack.enter_async_context(open_numbered_server(per_second))
        for phase in order:
            process, marking = start_recorder(database, server), marks.start()
            accepted = len(server.connections)
            await trio.to_thread.run_sync(_wait_for, phase, process, server, database, rng)
            await trio.to_thread.run_sync(kill, process, server.connections[accepted:], server.port)
            await trio.to_thread.run_sync(marks.end, marking, rng)
            phases[phase] += 1
            left.update(await trio.to_thread.run_sync(_what_is_left, database))
        process = start_recorder(database, server)
        await _until(lambda: bool(server.live))
        await trio.sleep(1.0)
        server.is_sending = False
        await trio.sleep(0.2)
        ended = await end(process)
        return Results(balance(server, database, stalls), ended, phases, left, marks)


async def _until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    with trio.fail_after(within_s):
        while not condition():
            await trio.sleep(0.01)


def _wait_for(
    phase: str,
    process: "subprocess.Popen[str]",
    server: NumberedServer,
    database: Path,
    rng: random.Random,
) -> None:
    """Return at the instant to kill."""
    accepted = len(server.connections)
    wal = database.with_name(database.name + ".wal")
    if phase == "connecting":
        if rng.random() < 0.5:
            time.sleep(rng.uniform(0.2, 1.0))
        else:
            _poll(lambda: len(server.connections) > accepted)
        return
    _poll(lambda: len(server.connections) > accepted)
    time.sleep(rng.uniform(0, 0.5))
    if phase == "receiving":
        time.sleep(rng.uniform(0, 2))
    elif phase == "writing":
        before = _open_bytes(database)
        _poll(lambda: _open_bytes(database) != before, every_s=0)
        time.sleep(rng.uniform(0, 0.0005))
    elif phase == "ingesting":
        before = _size(wal)
        _poll(lambda: _size(wal) > before, every_s=0.0002)
        time.sleep(rng.uniform(0, 0.02))
    elif phase == "checkpointing":
        _poll(lambda: _size(wal) > 0, every_s=0.001)
        before = _size(database)
        _poll(lambda: _size(database) != before or not _size(wal), every_s=0)
        time.sleep(rng.uniform(0, 0.002))
    elif phase == "removing":
        _poll(lambda: bool(_closed_segments(database)), every_s=0.0005)
        closed = _closed_segments(database)
        _poll(lambda: bool(closed - _closed_segments(database)), every_s=0)
    elif phase == "closing":
        for sent in server.connections[accepted:]:
            sent.stopped_at = time.monotonic()
        process.send_signal(signal.SIGTERM)
        time.sleep(rng.uniform(0, 0.4))


def _poll(condition: Callable[[], bool], every_s: float = 0.005, within_s: float = 20.0) -> None:
    give_up_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up_at, "what was waited for did not happen"
        if every_s:
            time.sleep(every_s)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _closed_segments(database: Path) -> set[str]:
    with contextlib.suppress(FileNotFoundError), os.scandir(journal_of(database)) as entries:
        return {entry.name for entry in entries if entry.name.endswith(".jsonl")}
    return set()


def _open_bytes(database: Path) -> int:
    with contextlib.suppress(FileNotFoundError), os.scandir(journal_of(database)) as entries:
        return sum(entry.stat().st_size for entry in entries if entry.name.endswith(".open"))
    return 0


def _what_is_left(database: Path) -> list[str]:
    """Name what a kill left behind, without changing it."""
    folder = journal_of(database)
    names = [path.name for path in folder.iterdir()] if folder.exists() else []
    segments = {name.removesuffix(".open").removesuffix(".jsonl") for name in names if ".jsonl" in name}
    left = []
    if database.with_name(database.name + ".wal").exists():
        left.append("a WAL")
    if any(name.endswith(".open") for name in names):
        left.append("an open segment")
    if any(name.endswith(".jsonl") for name in names):
        left.append("a closed segment")
    if database.exists():
        with duckdb.connect(database, read_only=True) as connection:
            noted = {name for (name,) in connection.execute("SELECT segment FROM ingested_segments").fetchall()}
        if segments & noted:
            left.append("a segment that is in the database already")
    return left or ["nothing"]
