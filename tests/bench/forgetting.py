"""Take one member of a thousand out of ten million readings: time, disk, and that nothing else is changed or left.

    python tests/bench/forgetting.py

READINGS (10,000,000), MEMBERS (1,000), KILLS (20) and SEED can be set in the environment. The older half of the days is
in an archive. All figures of a report are compared before and after, every row of the others is counted and hashed
after each kill, and every byte is searched for the id. Then the same is done while a recorder runs.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import trio

sys.path.append(str(Path(__file__).parents[1] / "support"))

from forgettable import files_with
from made_recordings import make_recording
from numbered_server import NUMBER, open_numbered_server
from processes import PROGRAM, run_program
from recorder_process import end, start_recorder
from streams import WrongCountError

READINGS, MEMBERS = int(os.environ.get("READINGS", "10_000_000")), int(os.environ.get("MEMBERS", "1_000"))
KILLS, ROOMS = int(os.environ.get("KILLS", "20")), 10
GONE = f"{7 // (MEMBERS // ROOMS):08x}-0000-4000-8000-{7:012x}"
_LOOK_EVERY_S = 0.02


def say(what: str, figure: object) -> None:
    sys.stdout.write(f"{what:<64}{figure:>16}\n")
    sys.stdout.flush()


def require(what: str, *, is_so: bool) -> None:
    say(what, "yes" if is_so else "NO")
    if not is_so:
        raise WrongCountError(what)


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    size = 0
    for path in folder.rglob("*"):
        try:
            size += path.stat().st_size
        except FileNotFoundError:
            continue
    return size


def peak_of(folder: Path, work: Callable[[], object]) -> tuple[float, int]:
    """Return the seconds that work takes, and how many bytes more than before there are below a folder at most."""
    before = peak = size_of(folder)
    is_done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not is_done.wait(_LOOK_EVERY_S):
            peak = max(peak, size_of(folder))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began_at = time.monotonic()
    work()
    took_s = time.monotonic() - began_at
    is_done.set()
    watcher.join()
    return took_s, peak - before


def others(folder: Path) -> list[tuple[int, int]]:
    """Count and hash all readings of the others, in the database and the noted files of its archive."""
    with duckdb.connect(folder / "t.duckdb", read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        noted = connection.execute(
            "SELECT day::VARCHAR, recorder, batch FROM archive_batches"
            " WHERE noted_at IS NOT NULL AND table_name = 'heart_rate'"
        ).fetchall()
        files = [f"{folder}/archive/v1/heart_rate/day={day}/{who}-{batch}.parquet" for day, who, batch in noted]
        archived = f"SELECT * FROM read_parquet({files}, hive_partitioning = false) UNION ALL " if files else ""
        rows = (
            f"SELECT * FROM ({archived} FROM heart_rate) WHERE profile_id != '{GONE}' AND connection_id = 'connection'"
        )
        return connection.execute(f"SELECT count(*), sum(hash(t)) FROM ({rows}) AS t").fetchall()


def report(folder: Path) -> list[dict[str, Any]]:
    """Return all figures of all others."""
    printed = run_program("report", "--session", "all", "--format", "json", "--db", folder / "t.duckdb").printed
    return [row for row in json.loads(printed) if row["profile_id"] != GONE]


def forget(folder: Path) -> None:
    run_program("forget", GONE, "--yes", "--db", folder / "t.duckdb")


def kill_again_and_again(folder: Path, took_s: float, expected: list[tuple[int, int]], rng: random.Random) -> None:
    """Kill it at random instants, and compare all rows of the others after each."""
    for _ in range(KILLS):
        command = [*PROGRAM, "forget", GONE, "--yes", "--db", str(folder / "t.duckdb")]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            time.sleep(rng.uniform(0, took_s))
            process.kill()
        if others(folder) != expected:
            raise WrongCountError("Rows of others are not as before, after a kill")


async def beside_a_recorder(folder: Path) -> None:
    """Take the member out while a recorder writes to the same database, and count what it received."""
    async with open_numbered_server(300) as server:
        process = start_recorder(folder / "t.duckdb", server)
        with trio.fail_after(60):
            while server.sent < 300:
                await trio.sleep(0.05)
        await trio.to_thread.run_sync(forget, folder)
        server.is_sending = False
        await trio.sleep(0.5)
        ended = await end(process, within_s=60)
    sent = sorted(number for connection in server.connections for number in connection.numbers)
    with duckdb.connect(folder / "t.duckdb", read_only=True) as connection:
        sql = f"SELECT ({NUMBER}) AS number FROM heart_rate WHERE room_id = 'room' ORDER BY number"
        stored = [number for (number,) in connection.execute(sql).fetchall()]
    say("readings received by a recorder meanwhile", f"{len(sent):,}")
    require("each of them is stored once", is_so=ended.code == 0 and stored == sent)


def main() -> None:
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    say("seed (SEED=... repeats the choices)", seed)
    with TemporaryDirectory() as name:
        made = Path(name) / "made"
        made.mkdir()
        make_recording(made / "t.duckdb", READINGS, MEMBERS, ROOMS, 23 * 3600, jitter=True)
        with duckdb.connect(made / "t.duckdb", read_only=True) as connection:
            middle = (
                "SELECT (min(occurred_at) + (max(occurred_at) - min(occurred_at)) / 2)::DATE::VARCHAR FROM heart_rate"
            )
            [(day,)] = connection.execute(middle).fetchall()
        run_program("archive", made / "archive", "--db", made / "t.duckdb", "--before", day, "--compact")
        with duckdb.connect(made / "t.duckdb") as connection:  # it is copied with its archive below
            connection.execute("UPDATE archive_identity SET place = NULL")
        say("readings, of so many members", f"{READINGS:,}, {MEMBERS:,}")
        for what in ("quiet", "killed", "beside"):
            shutil.copytree(made, Path(name) / what)
            run_program(
                "archive",
                Path(name) / what / "archive",
                "--db",
                Path(name) / what / "t.duckdb",
                "--before",
                "2000-01-01",
            )
        quiet, killed, beside = (Path(name) / what for what in ("quiet", "killed", "beside"))
        expected, figures = others(quiet), report(quiet)
        say("bytes of database and archive", f"{size_of(quiet):,}")
        took_s, peak = peak_of(quiet, lambda: forget(quiet))
        say("took, in seconds", f"{took_s:.1f}")
        say("disk needed meanwhile, in bytes", f"{peak:,}")
        require("all rows of others are as before", is_so=others(quiet) == expected)
        require(f"all figures of {len(figures):,} rows of the report are as before", is_so=report(quiet) == figures)
        require("no byte of the id is left", is_so=not files_with(quiet, GONE))
        run_program("archive", quiet / "archive", "--db", quiet / "t.duckdb", "--check")
        kill_again_and_again(killed, took_s, expected, random.Random(seed))
        forget(killed)
        require(
            f"killed at {KILLS} random instants, all rows of others are as before, and no byte of the id is left",
            is_so=others(killed) == expected and not files_with(killed, GONE),
        )
        trio.run(beside_a_recorder, beside)
        require("beside it all rows of others are as before", is_so=others(beside) == expected)
        require("and no byte of the id is left", is_so=not files_with(beside, GONE))


if __name__ == "__main__":
    main()
