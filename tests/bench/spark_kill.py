"""The summary of an archive on Spark beside that of the database alone; also while executors and workers are killed.

python spark_kill.py FOLDER [--readings 5000000] [--only plain,both,cluster,kills,standalone]

Everything is made in FOLDER, some 50 bytes a reading, and stays there: a second run makes no data.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import polars as pl
import psutil
import pyspark
from made_recordings import make_recording

ROOMS, MEMBERS_OF_ROOM = 100, 10
SPARK_HOME = Path(pyspark.__file__).parent
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.executor.memory": "1g",
    "spark.executor.cores": "1",
    "spark.sql.shuffle.partitions": "16",
    "spark.executorEnv.POLARS_MAX_THREADS": "1",
}
PROGRAM = (sys.executable, "-c", "from pulsoid_rec.analysis.cli.app import main; main()")
EXECUTOR, WORKER = "CoarseGrainedExecutorBackend", "pyspark.daemon"
LOOK_EVERY_S = 0.3
SUMS = {"bpm_mean", "bpm_sd", "trimp_edwards", "trimp_banister"}
"""Sums of fractions, whose last digits depend on the order in which they were added."""


@dataclass
class Tree:
    """What a process and all below it used: CPU seconds by process, and memory at most, of all and of each kind."""

    cpu_s: dict[int, float] = field(default_factory=dict)
    most_mb: dict[str, float] = field(default_factory=dict)

    def look(self, processes: list[psutil.Process]) -> None:
        """Add what they use now."""
        now = {"all": 0.0}
        for process in processes:
            try:
                times, used_mb = process.cpu_times(), process.memory_info().rss / 1e6
                kind = "an executor" if EXECUTOR in " ".join(process.cmdline()) else process.name()
            except psutil.Error:
                continue
            self.cpu_s[process.pid] = times.user + times.system
            now["all"] += used_mb
            now[kind] = max(now.get(kind, 0.0), used_mb)
        self.most_mb |= {kind: max(mb, self.most_mb.get(kind, 0.0)) for kind, mb in now.items()}

    def __str__(self) -> str:
        memory = ", ".join(f"{kind} {mb:,.0f} MB" for kind, mb in self.most_mb.items())
        return f"{sum(self.cpu_s.values()):.0f} s of CPU; at most {memory}"


def prepare(folder: Path, readings: int) -> None:
    """Make a recording with duplicates, wrong clocks and known members, and its archive, unless they are there."""
    database, archive = folder / "a.duckdb", folder / "archive"
    if not database.exists():
        folder.mkdir(parents=True, exist_ok=True)
        make_recording(database, readings, ROOMS * MEMBERS_OF_ROOM, ROOMS, 23 * 3600, jitter=True)
        with duckdb.connect(database) as connection:
            some = "FROM heart_rate WHERE hash(profile_id, occurred_at) % 1000 ="
            connection.execute(
                f"INSERT INTO heart_rate SELECT * {some} 1 UNION ALL"
                f" SELECT * REPLACE (occurred_at + INTERVAL 400 DAY AS occurred_at) {some} 2"
            )
            ids = connection.execute("SELECT DISTINCT profile_id FROM heart_rate ORDER BY 1").fetchall()
        known = [f"[{id_!s}]\nhr_max = 15{n % 10}\nhr_rest = 6{n % 10}\nsex = 'male'\n" for n, (id_,) in enumerate(ids)]
        (folder / "members.toml").write_text("".join(known), encoding="utf-8")
    if not archive.exists():
        shutil.copy(database, folder / "live.duckdb")
        run("archive", [*PROGRAM, "archive", str(archive), "--db", str(folder / "live.duckdb")], folder / "archive.log")
        size = sum(file.stat().st_size for file in archive.rglob("*.parquet")) / readings
        print(f"    {size:.2f} bytes a reading", file=sys.stderr)


def run(name: str, command: list[str], log: Path, more: Callable[[list[psutil.Process]], None] | None = None) -> float:
    """Run a command to its end, looking at all its processes; call `more` with them each time. Return the seconds."""
    tree, began_at = Tree(), time.perf_counter()
    with log.open("wb") as output:
        process = psutil.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            every = psutil.Process().children(recursive=True)
            tree.look(every)
            if more is not None:
                more(every)
            time.sleep(LOOK_EVERY_S)
    took_s = time.perf_counter() - began_at
    print(f"{name}: exit {process.returncode}, {took_s:.0f} s, {tree}", file=sys.stderr, flush=True)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return took_s


def find(processes: list[psutil.Process], text: str) -> list[psutil.Process]:
    """Return the processes in whose command line a text is."""
    found = []
    for process in processes:
        try:
            if text in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


class Killer:
    """Kills one process of each kind, so many seconds after the first Python worker was seen."""

    def __init__(self, after_s: dict[str, float]) -> None:
        self._left = dict(after_s)
        self._began_at: float | None = None

    def __call__(self, processes: list[psutil.Process]) -> None:
        """Kill what is due."""
        workers = [each for each in find(processes, WORKER) if find([psutil.Process(each.ppid())], WORKER)]
        if self._began_at is None and not workers:
            return
        self._began_at = self._began_at or time.perf_counter()
        for kind, after_s in list(self._left.items()):
            found = workers if kind == WORKER else find(processes, kind)
            if found and time.perf_counter() - self._began_at > after_s:
                found[0].kill()
                del self._left[kind]
                print(f"    killed {kind} {found[0].pid} {after_s:.0f} s after the first Python worker", flush=True)


def run_spark(name: str, folder: Path, master: str, killer: Killer | None = None) -> tuple[float, int]:
    """Summarize `archive` on Spark; return the seconds, and how many figures differ from those in `plain.parquet`."""
    out = folder / f"{name}.parquet"
    options = [f"--conf {key}={value}" for key, value in SETTINGS.items()]
    options.append(f"--conf spark.local.dir={folder / 'spark-local'}")
    # The workers are processes of their own, to run the Python that has the project.
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    os.environ["PYSPARK_SUBMIT_ARGS"] = f"--master {master} {' '.join(options)} pyspark-shell"
    command = [sys.executable, "-m", "pulsoid_rec.analysis.spark", str(folder / "archive"), "-o", str(out), "--force"]
    members = folder / "members.toml"
    command += ["--members", str(members)] if members.exists() else []
    took_s = run(name, command, folder / f"{name}.log", killer)
    return took_s, compare(pl.read_parquet(folder / "plain.parquet"), pl.read_parquet(out))


def compare(expected: pl.DataFrame, found: pl.DataFrame) -> int:
    """Print how many figures differ, and how many only do in their last digits, as such sums may; return the former."""
    wrong, last = dict[str, int](), 0
    for name in expected.columns:
        is_other = expected[name].ne_missing(found[name])
        is_close = pl.repeat(value=False, n=len(expected), eager=True)
        if name in SUMS:
            is_close = ((found[name] - expected[name]).abs() <= expected[name] * 1e-13).fill_null(value=False)
        last += int((is_other & is_close).sum())
        if count := int((is_other & ~is_close).sum()):
            wrong[name] = count
    told = f"{expected.height * expected.width:,} figures: {sum(wrong.values())} differ {wrong or ''}"
    print(f"    {told}; {last} sums only in their last digits", file=sys.stderr, flush=True)
    return sum(wrong.values())


@contextmanager
def open_standalone(folder: Path) -> Iterator[str]:
    """Start a master and two workers on the loopback; yield the master's URL."""
    spark_class = str(SPARK_HOME / "bin" / "spark-class")
    url = "spark://127.0.0.1:7077"
    worker = [spark_class, "org.apache.spark.deploy.worker.Worker", "-c", "1", "-m", "1500m", "-h", "127.0.0.1", url]
    environment = os.environ | {"SPARK_WORKER_DIR": str(folder / "spark-work"), "SPARK_DAEMON_MEMORY": "256m"}
    with ExitStack() as stack, (folder / "daemons.log").open("wb") as log:
        for command in (
            [spark_class, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", "7077"],
            worker,
            worker,
        ):
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            time.sleep(8)
        yield url


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--readings", type=int, default=5_000_000)
    parser.add_argument("--only", default="plain,both,cluster,kills,standalone")
    parser.add_argument("--kill-after", type=float, default=5.0, help="seconds after the first Python worker")
    options = parser.parse_args()
    folder, wanted = options.folder.absolute(), options.only.split(",")
    prepare(folder, options.readings)
    for name, database in (("plain", "a.duckdb"), ("both", "live.duckdb")):
        if name in wanted:
            export = ["export", "--table", "summary", "--members", str(folder / "members.toml"), "--force"]
            paths = ["--db", str(folder / database), "-o", str(folder / f"{name}.parquet")]
            run(name, [*PROGRAM, *export, *paths], folder / f"{name}.log")
    if "both" in wanted:
        compare(pl.read_parquet(folder / "plain.parquet"), pl.read_parquet(folder / "both.parquet"))
    if "cluster" in wanted:
        run_spark("cluster", folder, "local-cluster[2,1,1024]")
    if "kills" in wanted:
        later = {EXECUTOR: options.kill_after, WORKER: 2 * options.kill_after}
        run_spark("kills", folder, "local-cluster[2,1,1024]", Killer(later))
    if "standalone" in wanted:
        with open_standalone(folder) as master:
            run_spark("standalone", folder, master, Killer({"deploy.worker.Worker": options.kill_after}))


if __name__ == "__main__":
    main()
