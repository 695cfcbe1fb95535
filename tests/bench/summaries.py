"""The summary of 1, 10 and 100 million readings, by the whole `report` process."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from figures import Figure
from made_recordings import make_recording
from processes import Ran, run_program, run_script
from streams import WrongCountError, require_count, spread

TURNS = {1: 5, 10: 3, 100: 2}
MEMBERS = {1: 50, 10: 200, 100: 500}
ROOMS = 10
LEAD, PANDAS = "DuckDB's plain lead() over (partition by ...), time at bpm only", "pandas, sort and groupby, the same"


def measure(scratch: Path) -> Iterator[Figure]:
    """Compare with DuckDB's window function and with pandas, and with itself on other sizes."""
    ours: dict[int, list[Ran]] = {}
    for millions, turns in TURNS.items():
        database = scratch / f"made-{millions}.duckdb"
        make_recording(database, millions * 1_000_000, MEMBERS[millions], ROOMS)
        others = {1: None, 10: "pandas_by_hand.py", 100: "lead_by_hand.py"}[millions]
        ours[millions], theirs = in_turns(database, turns, others)
        count = f"{millions},000,000 readings of {MEMBERS[millions]} members in and out"
        if others:
            times = f"{spread([each.took_s for each in ours[millions]], 1)} s against "
            times += f"{spread([each.took_s for each in theirs], 1)} s"
            yield Figure(
                {10: 7, 100: 6}[millions],
                f"`report` of {millions} million readings of {MEMBERS[millions]} members, whole process: time",
                {10: PANDAS, 100: LEAD}[millions],
                {10: "<= 0.1 of its time", 100: "<= 0.3 of its time"}[millions],
                [one.took_s / other.took_s for one, other in zip(ours[millions], theirs, strict=True)],
                {10: 0.1, 100: 0.3}[millions],
                details=f"{times}; {count}",
            )
        if others == "lead_by_hand.py":
            yield Figure(
                6,
                "the same: memory",
                f"DuckDB: {spread([each.most_mb for each in theirs])} MB",
                "<= 2 GB",
                [each.most_mb / 1000 for each in ours[millions]],
                2.0,
                unit="GB",
                details=count,
            )
    for small, large in ((1, 10), (10, 100)):
        once, ten_times = (median(each.took_s for each in ours[millions]) for millions in (small, large))
        yield Figure(
            8,
            f"the summary's time at {large} million readings",
            f"itself at {small} million",
            "<= 10 times",
            [ten_times / once],
            10,
            unit="times",
            details=f"{ten_times:.2f} s against {once:.2f} s",
        )


def in_turns(database: Path, turns: int, script: str | None) -> tuple[list[Ran], list[Ran]]:
    """Run the report, and what it is compared with, in turns; see that they worked out the same."""
    ours, theirs = [], []
    report: Callable[[], Ran] = lambda: run_program("report", "--db", database, "--session", "all", "--format", "json")  # noqa: E731 - one line, beside its type
    report()  # so that the file is in the system's memory for both
    for _ in range(turns):
        ours.append(report())
        rows = json.loads(ours[-1].printed)
        if script:
            theirs.append(run_script(script, database))
            readings, held_s = theirs[-1].printed.split()
            require_count(int(readings), sum(row["readings"] for row in rows), "readings summed up")
            if not math.isclose(float(held_s), sum(row["observed_s"] for row in rows), rel_tol=1e-9):
                raise WrongCountError(f"{held_s} s held")
    return ours, theirs
