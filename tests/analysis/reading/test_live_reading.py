"""Somebody at a notebook reads while a recorder works as hard as it may: neither costs the other anything."""

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest
import trio
from recorder_process import COMMAND
from simulator_control import open_simulator

from pulsoid_rec.analysis.notebook.explore import explore
from pulsoid_rec.recorder.simulator.people import play_people
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

pytestmark = pytest.mark.process


@dataclass
class Seen:
    """What reads saw, one after the other."""

    readings: pl.DataFrame = field(default_factory=pl.DataFrame)
    vanished: int = 0
    """Readings that one read saw and the next one did not."""
    twice: int = 0
    counts: list[int] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    figures_took_s: list[float] = field(default_factory=list)

    def read(self, database: Path) -> None:
        """Read all there is, and the figures of the latest seconds, as a notebook would."""
        before, began = self.readings, time.monotonic()
        recording = explore(database)
        self.readings = recording.readings().select("profile_id", "occurred_at").collect()
        self.took_s.append(time.monotonic() - began)
        recording.only(since="10s").grid()
        recording.only(session="latest").summary()
        self.figures_took_s.append(time.monotonic() - began - self.took_s[-1])
        self.counts.append(self.readings.height)
        self.twice += self.readings.height - self.readings.unique().height
        if before.height:
            self.vanished += before.join(self.readings, on=["profile_id", "occurred_at"], how="anti").height


def start_recorder(database: Path, url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*COMMAND, "record", "gym", "--db", str(database), "--server", url],
        env={**os.environ, "PULSOID_TOKEN": DEMO_TOKEN},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


async def read_while_recording(
    database: Path, *, members: int, speed: float, length_s: float, every_s: float
) -> tuple[int, Seen]:
    """Play people to a recorder in a process of its own, and read every so often in this one.

    Returns
    -------
    tuple
        How many readings were sent, and what was seen of them.
    """
    seen = Seen()
    play = play_people(members, 1, "gym").first(length_s)
    async with open_simulator(SimulatorConfig(rooms={"gym": play}, speed=speed)) as simulator:
        recorder = start_recorder(database, simulator.url)

        async def read_again_and_again() -> None:
            while not database.exists():
                await trio.sleep(0.05)
            while True:
                await trio.to_thread.run_sync(seen.read, database)
                await trio.sleep(every_s)

        try:
            with trio.fail_after(length_s / speed + 40):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(read_again_and_again)
                    await simulator.wait_until_played()
                    while not seen.counts or seen.counts[-1] < simulator.readings("gym"):
                        await trio.sleep(0.05)
                    nursery.cancel_scope.cancel()
            recorder.terminate()
            _, said = await trio.to_thread.run_sync(lambda: recorder.communicate(timeout=15))
        finally:
            recorder.kill()
            recorder.wait()
        assert recorder.returncode == 0, said
        sent = simulator.sent("gym")["heart_rate"]
    seen.read(database)
    return sent, seen


@pytest.mark.slow
async def test_notebook_that_reads_all_the_time_costs_the_recorder_nothing_and_misses_nothing(tmp_path: Path) -> None:
    database = tmp_path / "pulsoid.duckdb"
    sent, seen = await read_while_recording(database, members=60, speed=60, length_s=300, every_s=0.1)
    assert sent > 17_000
    assert len(seen.counts) >= 3, "it did read meanwhile"
    assert seen.counts[0] < sent
    assert seen.counts[-1] == sent
    assert (seen.vanished, seen.twice) == (0, 0)
    assert seen.counts == sorted(seen.counts)
