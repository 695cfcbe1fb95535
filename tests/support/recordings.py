"""Recordings for tests: real DuckDB files, made from rows."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl
from readings import MATCHES, START, Reading, at, match_readings, reading, steady

from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.tables import (
    BOOKKEEPING,
    CONNECTION_EVENTS,
    HEART_RATE,
    MEMBER_EVENTS,
    ROOM_EVENTS,
    SCHEMA_VERSION,
    TABLES,
    Table,
)
from pulsoid_rec.recorder.pulsoid.configs import name_of

__all__ = [
    "MATCHES",
    "START",
    "Reading",
    "append_readings",
    "at",
    "make_recording",
    "match_readings",
    "open_for_examples",
    "reading",
    "readings_frame",
    "steady",
]


def make_recording(
    path: Path,
    readings: Iterable[Reading] = (),
    *,
    member_events: Sequence[Sequence[Any]] = (),
    room_events: Sequence[Sequence[Any]] = (),
    connection_events: Sequence[Sequence[Any]] = (),
    version: int = SCHEMA_VERSION,
) -> Path:
    """Make a database as a recorder would, with these rows.

    Parameters
    ----------
    path
        A file that is not there yet.
    readings
        Rows of `heart_rate`, in the order in which they are stored.
    member_events, room_events, connection_events
        Rows of these tables, all their columns but `name`, which is taken out of `config`.
    version
        Version of the tables that the file claims.
    """
    with path.open("xb") as file:
        file.write(_empty_recording(version))
    events = ((MEMBER_EVENTS, member_events), (ROOM_EVENTS, room_events), (CONNECTION_EVENTS, connection_events))
    if (rows := list(readings)) or any(of_table for _, of_table in events):
        with duckdb.connect(path, config=_AS_A_RECORDER) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            append_readings(connection, rows)
            for table, of_table in events:
                for row in of_table:
                    _insert(connection, table, row)
    return path


_AS_A_RECORDER: dict[str, str | bool | int | float | list[str]] = {"storage_compatibility_version": "v1.5.0"}


@cache
def _empty_recording(version: int) -> bytes:
    """Make a file of empty tables: to do so for each recording takes longer than to fill it."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "empty.duckdb")
        with duckdb.connect(path, config=_AS_A_RECORDER) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for table in (*TABLES, *BOOKKEEPING):
                connection.execute(table.ddl)
            connection.execute("INSERT INTO schema_versions VALUES (?, now(), '0.1.0')", [version])
        return path.read_bytes()


@contextmanager
def open_for_examples(path: Path | str = ":memory:") -> Iterator[list[duckdb.DuckDBPyConnection]]:
    """Open a database for all examples of a test: to open it for each takes longer than most queries.

    It comes in a list, emptied at the end: Hypothesis keeps what a test is given to the end of the process, and DuckDB
    would complain of a leak.
    """
    with duckdb.connect(path) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        opened = [connection]
        yield opened
        opened.clear()


def _insert(connection: duckdb.DuckDBPyConnection, table: Table, row: Sequence[Any]) -> None:
    columns = [column.name for column in table.columns]
    values = list(row)
    if "name" in columns:
        config = values[columns.index("config") - 1]
        values.insert(columns.index("name"), config and name_of(config, DEFAULT_LIMITS.name_chars))
    connection.execute(f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(values))})", values)


def readings_frame(readings: Iterable[Reading]) -> pl.DataFrame:
    """Make a frame of readings, in their order."""
    instant = pl.Datetime("us", "UTC")
    types = (pl.String(), pl.String(), pl.Int32(), instant, instant)
    schema = pl.Schema(zip(Reading._fields, types, strict=True))
    return pl.DataFrame([tuple(row) for row in readings], schema=schema, orient="row")


def append_readings(connection: duckdb.DuckDBPyConnection, readings: Iterable[Reading]) -> None:
    """Append rows to `heart_rate`, in their order."""
    columns = [column.name for column in HEART_RATE.columns]
    frame = readings_frame(readings).with_columns(connection_id=pl.lit("c1")).select(columns)
    if not frame.is_empty():
        connection.register("rows", frame.to_arrow())
        connection.execute("INSERT INTO heart_rate SELECT * FROM rows")
        connection.unregister("rows")
