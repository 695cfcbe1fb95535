"""`make soak`: a long recording under all that goes wrong in a week, and what it cost.

100 rooms of 20 readings a second in one recorder; connections are cut at random, readers come and go, one of them
stays for a minute now and then, and the recorder is killed now and then. SECONDS (3600), ROOMS (100), PER_SECOND (20)
and SEED can be set in the environment.
"""

import contextlib
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import trio
from numbered_server import NumberedServer, open_numbered_server
from recorder_process import Balance, Ended, Stalls, balance, end, kill, start_recorder

_READER = (
    "import duckdb, sys, time\n"
    "give_up_at = time.monotonic() + 30\n"
    "while time.monotonic() < give_up_at:\n"
    "    try:\n"
    "        with duckdb.connect(sys.argv[1], read_only=True) as connection:\n"
    "            connection.execute('SELECT count(*) FROM heart_rate').fetchall()\n"
    "            time.sleep(float(sys.argv[2]))\n"
    "        break\n"
    "    except duckdb.IOException:\n"
    "        time.sleep(0.02)\n"
    "else:\n"
    "    sys.exit(1)\n"
)


@dataclass
class Soak:
    """A recording under trouble, and what is seen of it."""

    server: NumberedServer
    database: Path
    rooms: list[str]
    seconds: float
    rng: random.Random
    process: "subprocess.Popen[str]" = field(init=False)
    first_connection: int = 0
    kills: int = 0
    cuts: int = 0
    readers: int = 0
    starved_readers: int = 0
    lives: list[list[tuple[float, float]]] = field(default_factory=list)
    """Of each run of the recorder: its memory over time, in seconds and MiB."""

    def start(self) -> None:
        self.first_connection = len(self.server.connections)
        self.process = start_recorder(self.database, self.server, *self.rooms)
        self.lives.append([])

    async def run(self) -> Ended:
        self.start()
        with trio.move_on_after(self.seconds):
            async with trio.open_nursery() as nursery:
                for trouble in (self._cut, self._read, self._read, self._hold, self._kill, self._measure):
                    nursery.start_soon(trouble)
        self.server.is_sending = False
        await trio.sleep(0.3)
        return await end(self.process, within_s=60)

    async def _cut(self) -> None:
        while True:
            await trio.sleep(self.rng.expovariate(1))
            if live := self.server.live:
                self.cuts += 1
                await self.server.cut(self.rng.choice(live))

    async def _read(self) -> None:
        while True:
            await trio.sleep(self.rng.expovariate(1 / 3))
            await self._read_for(self.rng.random())

    async def _hold(self) -> None:
        while True:
            await trio.sleep(min(300, self.seconds / 4))
            await self._read_for(min(60, self.seconds / 12))

    async def _read_for(self, seconds: float) -> None:
        command = [sys.executable, "-c", _READER, str(self.database), str(seconds)]
        code = await trio.to_thread.run_sync(lambda: subprocess.run(command, check=False).returncode)
        self.readers += 1
        self.starved_readers += code != 0

    async def _kill(self) -> None:
        while True:
            await trio.sleep(self.rng.uniform(0.8, 1.2) * min(900, self.seconds / 3))
            connections = self.server.connections[self.first_connection :]
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(kill, self.process, connections, self.server.port)
            self.kills += 1
            self.start()

    async def _measure(self) -> None:
        while True:
            await trio.sleep(1)
            with contextlib.suppress(OSError, IndexError):
                status = Path(f"/proc/{self.process.pid}/status").read_text()
                mib = int(status.partition("VmRSS:")[2].split()[0]) / 1024
                self.lives[-1].append((time.monotonic(), mib))


def slope_per_hour(life: list[tuple[float, float]]) -> float:
    """Fit a line to what came after the first quarter; its slope in MiB an hour."""
    settled = life[len(life) // 4 :]
    if len(settled) < 2:
        return float("nan")
    mean_at = sum(at for at, _ in settled) / len(settled)
    mean_mib = sum(mib for _, mib in settled) / len(settled)
    covariance = sum((at - mean_at) * (mib - mean_mib) for at, mib in settled)
    return 3600 * covariance / sum((at - mean_at) ** 2 for at, _ in settled)


async def soak(folder: Path, seconds: float, rooms: int, per_second: float, seed: int) -> tuple[Soak, Ended, Balance]:
    async with open_numbered_server(per_second) as server:
        names = [f"room-{number:03}" for number in range(rooms)]
        run = Soak(server, folder / "soak.duckdb", names, seconds, random.Random(seed))
        with Stalls() as stalls:
            ended = await run.run()
        return run, ended, await trio.to_thread.run_sync(balance, server, run.database, stalls)


def say(what: str, figure: object) -> None:
    sys.stdout.write(f"{what:<56}{figure:>12}\n")
    sys.stdout.flush()


def main() -> int:
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    seconds = float(os.environ.get("SECONDS", "3600"))
    rooms, per_second = int(os.environ.get("ROOMS", "100")), float(os.environ.get("PER_SECOND", "20"))
    say("seed", seed)
    with TemporaryDirectory() as folder:
        run, ended, found = trio.run(soak, Path(folder), seconds, rooms, per_second, seed)
        left = [path.name for path in Path(folder).iterdir() if path.name.endswith(".journal")]
    longest = max(run.lives, key=len)
    say("seconds", f"{seconds:,.0f}")
    say("rooms", rooms)
    say("connections cut", f"{run.cuts:,}")
    say("readers that came and went", f"{run.readers:,}")
    say("readers that did not get the file within 30 s", run.starved_readers)
    say("kills", run.kills)
    say("readings sent", f"{found.sent:,}")
    say("readings stored", f"{found.stored:,}")
    say("in flight at a cut, or never read before a kill", f"{found.in_flight:,}")
    say("read and missing, at most 100 ms before a kill", f"{len(found.missing) - len(found.lost):,}")
    say("MISSING, older than 100 ms", f"{len(found.lost):,}")
    say("DUPLICATES", f"{found.duplicates:,}")
    say("left in the journal", ", ".join(left) or "nothing")
    if any(run.lives):
        say("highest memory, in MiB", f"{max(mib for life in run.lives for _, mib in life):.0f}")
        say("memory's slope in the longest run, in MiB an hour", f"{slope_per_hour(longest):.1f}")
        say("measured over, in seconds", f"{longest[-1][0] - longest[len(longest) // 4][0]:.0f}")
    say("the last run ended with", ended.code)
    return bool(found.lost or found.duplicates or left or ended.code)


if __name__ == "__main__":
    sys.exit(main())
