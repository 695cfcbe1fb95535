"""Recordings as engines hand them over: rows of `heart_rate`, and names of members, in batches of Arrow."""

from collections.abc import Sequence
from datetime import timedelta

import duckdb
import polars as pl
import pyarrow as pa
from polars.testing import assert_frame_equal
from readings import Reading, reading, steady
from recordings import readings_frame

from pulsoid_rec.analysis.metrics.members import SCHEMA as MEMBERS

A_YEAR = timedelta(days=365)
PEOPLE = pl.DataFrame(
    [("ann", "Ann", None, "female", 187.5, 55.0), ("bob", None, 1990, "male", None, 60.0)], schema=MEMBERS, orient="row"
)
ROOMS = {"r1": "007", "r2": "a/b ü%2F="}
"""Ids that engines change where they are part of a path."""


def day_with_everything() -> list[Reading]:
    """Make two sessions of three members: with a load, a recovery, a tie, a late row, a wrong clock, a pause, zeros."""
    rows = [*steady("ann", 170, 0, 150), *steady("ann", 120, 150, 260), *steady("bob", 90, 0, 30)]
    rows += [reading(1200 + second, 95, "bob") for second in range(0, 900, 7)]
    rows += [*steady("ann", 100, 5000, 5040), reading(5000, 101), reading(5000, 101), reading(10, 0, "cid")]
    rows += [reading(1150, 80, "cid", delay_s=4000), *steady("dan", 77, 3, 40, room="r2")]
    wrong = [reading(second, 118, "cid") for second in (20, 21, 5001)]
    return rows + [row._replace(occurred_at=row.occurred_at + A_YEAR) for row in wrong]


def heart_rate_of(readings: Sequence[Reading]) -> pl.DataFrame:
    """Make rows of `heart_rate` in rooms of odd names, some of them imported."""
    connection = pl.when(pl.col("bpm") % 7 == 3).then(pl.lit("import:1")).otherwise(pl.lit("c1"))
    return readings_frame(readings).with_columns(pl.col("room_id").replace(ROOMS), connection_id=connection)


def names_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Make events with a name for each member of each room but ann, and with earlier ones, not to be shown."""
    of_member = rows.filter(pl.col("profile_id") != "ann").group_by("room_id", "profile_id")
    latest = of_member.agg(pl.col("occurred_at", "received_at").max()).with_columns(
        name=pl.concat_str(pl.lit("I am "), "profile_id")
    )
    before = pl.col("received_at") - timedelta(microseconds=1)
    return pl.concat([latest, latest.with_columns(received_at=before, name=pl.lit("not I"))])


def fill(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame, names: pl.DataFrame) -> None:
    """Put them into the tables of a recording, in place of what was there."""
    events = names.with_columns(event=pl.lit("updated"), connection_id=pl.lit("c1"))
    for table, frame in (("heart_rate", rows), ("member_events", events)):
        connection.execute(f"DELETE FROM {table}")
        connection.register("rows", frame.to_arrow())
        connection.execute(f"INSERT INTO {table} BY NAME FROM rows")
        connection.unregister("rows")


def batches_of(rows: pl.DataFrame, names: pl.DataFrame, size: int = 11) -> list[pa.RecordBatch]:
    """Make batches of so many rows."""
    both = pl.concat([rows, names], how="diagonal")
    return list(both.rechunk().to_arrow().to_batches(size))


def assert_equal(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    """Compare every figure exactly, but for the last digits of sums of fractions, which depend on who else is there."""
    assert_frame_equal(found, expected, check_exact=False, rel_tol=1e-13, abs_tol=0.0)
