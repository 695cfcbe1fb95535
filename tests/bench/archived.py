"""An archive of 100 million readings: its size, the report of it, and the summary of it on Spark."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from figures import Figure
from made_recordings import make_recording
from processes import Ran, run_program
from spark_kill import run_spark
from streams import WrongCountError, spread

READINGS, MEMBERS, ROOMS = 100_000_000, 1_000, 100
TURNS = 2


def measure(scratch: Path) -> Iterator[Figure]:
    """Compare with the report of a database that holds all of it."""
    plain, live, archive = scratch / "a.duckdb", scratch / "live.duckdb", scratch / "archive"
    make_recording(plain, READINGS, MEMBERS, ROOMS, 23 * 3600, jitter=True)
    shutil.copy(plain, live)
    moved = run_program("archive", archive, "--db", live)
    size = sum(file.stat().st_size for file in archive.rglob("*.parquet")) / READINGS
    details = (
        f"in {moved.took_s:.0f} s, with at most {moved.most_mb:,.0f} MB of memory; {READINGS:,} readings made by SQL"
    )
    yield Figure(
        20, "archive of 100 million readings", "", "<= 6 bytes a reading", [size], 6, unit="B", details=details
    )
    theirs, ours = [], []
    for _ in range(TURNS):
        theirs.append(report("--db", plain))
        ours.append(report("--db", live, "--archive", archive))
        if json.loads(ours[-1].printed) != json.loads(theirs[-1].printed):
            raise WrongCountError("The report of the archive differs")
    times = [spread([each.took_s for each in ran], 1) for ran in (ours, theirs)]
    yield Figure(
        21,
        "`report` of 100 million readings, of a database and its archive: time",
        "of the database before",
        "<= 1.5 times",
        [one.took_s / other.took_s for one, other in zip(ours, theirs, strict=True)],
        1.5,
        details=f"{times[0]} s against {times[1]} s",
    )
    if shutil.which("java") is None:
        return
    run_program("export", "--table", "summary", "--db", plain, "-o", scratch / "plain.parquet")
    took_s, wrong = run_spark("cluster", scratch, "local-cluster[2,1,1024]")
    if wrong:
        raise WrongCountError(f"{wrong} figures of Spark differ")
    took = median(each.took_s for each in theirs)
    yield Figure(
        22,
        "the same summary on Spark, two executors of one core: time",
        "the report of the database",
        "<= 5 times",
        [took_s / took],
        5,
        details=f"{took_s:.0f} s, with Spark's start",
    )


def report(*options: object) -> Ran:
    """Report on all sessions."""
    return run_program("report", *options, "--session", "all", "--format", "json")
