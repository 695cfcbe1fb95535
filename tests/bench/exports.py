"""Export of 100 million readings to Parquet."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
from figures import Figure
from made_recordings import make_recording
from processes import Ran, run_program, run_script
from streams import require_count, spread

READINGS = 100_000_000
TURNS = 2


def measure(scratch: Path) -> Iterator[Figure]:
    """Compare with DuckDB's own COPY."""
    database = scratch / "made-100.duckdb"
    if not database.exists():
        make_recording(database, READINGS, 500, 10)
    ours: list[Ran] = []
    theirs: list[Ran] = []
    for _ in range(TURNS):
        theirs.append(run_script("copy_by_hand.py", database, scratch / "theirs.parquet"))
        require_readings(scratch / "theirs.parquet")
        options = ["--db", database, "--table", "heart_rate", "--format", "parquet", "-o", scratch / "ours.parquet"]
        ours.append(run_program("export", *options))
        require_readings(scratch / "ours.parquet")
    times = f"{spread([each.took_s for each in ours], 1)} s against {spread([each.took_s for each in theirs], 1)} s"
    yield Figure(
        9,
        "export of 100 million readings to Parquet, whole process: time",
        "DuckDB's own COPY of the table",
        "<= 1.5 times",
        [one.took_s / other.took_s for one, other in zip(ours, theirs, strict=True)],
        1.5,
        details=f"{times}; {READINGS:,} rows in and out",
    )
    yield Figure(
        9,
        "the same: memory",
        f"COPY: {spread([each.most_mb for each in theirs])} MB",
        "<= 2 GB",
        [each.most_mb / 1000 for each in ours],
        2.0,
        unit="GB",
    )


def require_readings(parquet: Path) -> None:
    """See that all are in a file, and remove it."""
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT count(*) FROM '{parquet}'").fetchall()[0][0]
    require_count(READINGS, found, "readings exported")
    parquet.unlink()
