"""The summary of any number of rooms on a Spark cluster: `pip install pulsoid-rec[spark]`.

    from pulsoid_rec.analysis.spark import summarize

    summary = summarize(spark.table("heart_rate"), spark.table("member_events"))

Spark brings the readings of a room together; what happens to them there is `reading.rooms`. Only data frames are used,
so that Spark Connect and Databricks take it, too. The workers need this package as well.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.analysis.metrics.summary import SCHEMA
from pulsoid_rec.analysis.reading.recording import NOBODY, USUAL
from pulsoid_rec.analysis.reading.rooms import SCAN, add_scans, scan_rooms, summarize_rooms
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.tables import HEART_RATE, MEMBER_EVENTS, Table

try:
    from pyspark.sql import Column, DataFrame, Window
    from pyspark.sql import functions as f
    from pyspark.sql.types import ByteType, DataType, IntegerType, LongType, ShortType, StringType, TimestampType
except ImportError as error:
    kind = SystemExit if __name__ == "__main__" else ImportError
    raise kind("Spark is not installed: pip install pulsoid-rec[spark]") from error

SPLIT_ROWS = 100_000_000
"""Readings of a room beyond which it is split: some three minutes of one core."""

_ACCEPTED: dict[str, tuple[type[DataType], ...]] = {
    "VARCHAR": (StringType,),
    "INTEGER": (IntegerType, LongType, ShortType, ByteType),  # stored as INTEGER, which fails where that loses anything
    "TIMESTAMPTZ": (TimestampType,),
}
_RETURNED = {
    pl.String(): ("string", pa.string()),
    pl.Int32(): ("int", pa.int32()),
    pl.Int64(): ("bigint", pa.int64()),
    pl.Float64(): ("double", pa.float64()),
    INSTANT: ("timestamp", pa.timestamp("us", "UTC")),
}
_READING = [column.name for column in HEART_RATE.columns]
_NAMING = ["room_id", "profile_id", "name", "occurred_at", "received_at"]


def summarize(
    readings: DataFrame,
    member_events: DataFrame | None = None,
    members: pl.DataFrame = NOBODY,
    definitions: Definitions = USUAL,
    split_rows: int | None = SPLIT_ROWS,
) -> DataFrame:
    """Summarize each member's readings in each session, of whole rooms.

    Parameters
    ----------
    readings
        The columns of `heart_rate`, with all readings of the rooms wanted, in any order, from wherever Spark reads
        them. `bpm` may be of any whole type; a value beyond 32 bits ends the job.
    member_events
        `room_id`, `profile_id`, `name`, `occurred_at` and `received_at` of that table, for members' names.
    members
        What is known of the members: `metrics.members.SCHEMA`, as `reading.members_file.read_members` returns it.
    definitions
        What counts as plausible, held and one session.
    split_rows
        A room of more readings than this is split by member into several tasks. To find such rooms, a job that counts
        readings by `room_id` runs at once; None to split none, and run nothing.

    Returns
    -------
    The columns of `metrics.summary.SCHEMA`, one row a room, session and member, in no order. Computing it fails if any
    row would be there twice.

    Raises
    ------
    UsageError
        A column is missing or of another type, or a frame is a stream.
    """
    rows = with_names = _select(readings, HEART_RATE, _READING)
    if member_events is not None:
        names = _select(member_events, MEMBER_EVENTS, _NAMING).filter("name IS NOT NULL")
        with_names = rows.unionByName(names, allowMissingColumns=True)
    work = partial(summarize_rooms, members=members, definitions=definitions)
    large = [] if split_rows is None else _find_large_rooms(rows, split_rows)
    if not large:
        return _require_unique(_apply(work, with_names, "room_id"))
    is_large = f.coalesce(f.col("room_id").isin(large), f.lit(False))
    # All that was received in any quarter of an hour has to be in one group: whole days are.
    day = f.expr("unix_micros(received_at) div 86400000000")
    scans = _apply(partial(scan_rooms, definitions=definitions), rows.filter(is_large), "room_id", day, schema=SCAN)
    scan = add_scans(pl.DataFrame(scans.toArrow()).cast(SCAN), definitions)
    whole = _apply(work, with_names.filter(~is_large), "room_id")
    split = _apply(partial(work, scan=scan), with_names.filter(is_large), "room_id", "profile_id")
    return _require_unique(whole.unionAll(split))


def _select(frame: DataFrame, table: Table, names: list[str]) -> DataFrame:
    """Select columns of a table; raise `UsageError` if one is missing or of another type, or the frame is a stream."""
    if frame.isStreaming:
        raise UsageError(f"{table.name} is a stream", "Read it with spark.read, not spark.readStream.")
    found = {field.name: field.dataType for field in frame.schema.fields}
    if missing := [name for name in names if name not in found]:
        raise UsageError(f"{table.name} has no {', '.join(missing)}", "docs/tables.md has its columns.")
    for column in table.columns:
        if column.name not in names or isinstance(found[column.name], _ACCEPTED[column.type]):
            continue
        wanted, kind = _ACCEPTED[column.type][0]().simpleString(), found[column.name].simpleString()
        raise UsageError(
            f"{column.name} of {table.name} is {kind}, not {wanted}",
            "A timestamp without a time zone is no instant: cast it in a session whose time zone it was written in."
            if kind == "timestamp_ntz"
            else "Cast it.",
        )
    return frame.select(*names)


def _find_large_rooms(rows: DataFrame, split_rows: int) -> list[str]:
    counts = rows.groupBy("room_id").count().filter(f.col("count") > split_rows)
    return [room_id for room_id, _ in counts.collect()]


def _apply(
    work: Callable[..., pl.DataFrame], rows: DataFrame, *by: Column | str, schema: pl.Schema = SCHEMA
) -> DataFrame:
    """Call a function of `reading.rooms` with the rows of each group, on the workers.

    With groups, not partitions (`mapInArrow`): if an executor is lost while a task receives rows of it, the rows end
    early. At the end of a group Spark sends a mark, without which the task fails, and is run again; at the end of a
    partition it sends none, and the rooms that were not received would be missing.
    """
    types = pa.schema([(name, _RETURNED[kind][1]) for name, kind in schema.items()])

    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from work(batches, scratch=_find_scratch()).to_arrow().cast(types).to_batches()

    names = ", ".join(f"{name} {_RETURNED[kind][0]}" for name, kind in schema.items())
    return rows.groupBy(*by).applyInArrow(task, names)


def _find_scratch() -> Path | None:
    """Find the folder in which Spark has its own temporary files; None where it is not to be written to."""
    folders = (Path(folder) for folder in os.environ.get("SPARK_LOCAL_DIRS", "").split(",") if folder)
    return next((folder for folder in folders if os.access(folder, os.W_OK)), None)


def _require_unique(summary: DataFrame) -> DataFrame:
    """Let the frame fail if a member has two rows in a session."""
    key = ["room_id", "session", "profile_id"]
    is_one: Column = f.count("*").over(Window.partitionBy(*key)) == 1
    twice = f.raise_error(f.concat_ws(" ", f.lit("There are two rows of one member in one session:"), *key))
    return summary.withColumn("is_one", is_one).filter(f.when(f.col("is_one"), True).otherwise(twice)).drop("is_one")


if __name__ == "__main__":
    from pulsoid_rec.analysis.cli.spark import main

    main()
