"""The summary of rooms whose readings come in batches of Arrow, in any order: what Spark, Dask or Ray hand over.

They are put into the project's own tables in a temporary DuckDB file, and summarized as a recording is: no figure is
computed by other code, and memory is bounded however large a room is.

A room that is too large for one task is split by member, since holds, gaps, recovery and loads depend on nobody else.
What does depend on the others, the sessions and which readings are untimely, comes from a scan of the room, which is
split by the time of receipt.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl
import pyarrow as pa

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.sessions import INSTANT, list_sessions, number_stretches
from pulsoid_rec.analysis.reading.buckets import Scan, buckets_of, scan_readings
from pulsoid_rec.analysis.reading.database import CONFIG, read_frame
from pulsoid_rec.analysis.reading.pipeline import select
from pulsoid_rec.analysis.reading.recording import NOBODY, USUAL
from pulsoid_rec.analysis.reading.results import compute_results
from pulsoid_rec.analysis.reading.room_leads import timely_sql, write_room_leads
from pulsoid_rec.recorder.contract.activity import activity_sql
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.tables import HEART_RATE, MEMBER_EVENTS

CHUNK_ROWS = 500_000
"""Rows that are gathered in memory before DuckDB stores them: some 80 MB."""

SCAN = pl.Schema(
    {
        "room_id": pl.String(),
        "first_at": INSTANT,
        "last_at": INSTANT,
        "first_received_at": INSTANT,
        "last_received_at": INSTANT,
        "readings": pl.Int64(),
        "quarter": pl.Int64(),
        "room_lead_us": pl.Int64(),
    }
)
"""A row is a stretch of a room's timely readings without a silence that ends a session; or, if it has a `quarter`, the
room's median lead there, as of `room_leads.read_room_leads`.
"""

_READING = ", ".join(column.name for column in HEART_RATE.columns)
_EVENT = "room_id, profile_id, 'updated', name, NULL, occurred_at, received_at, ''"
_BAD_ROWS = (duckdb.BinderException, duckdb.ConstraintException, duckdb.ConversionException, pa.ArrowInvalid)


def summarize_rooms(
    batches: Iterable[pa.RecordBatch],
    members: pl.DataFrame = NOBODY,
    definitions: Definitions = USUAL,
    scan: Scan | None = None,
    scratch: Path | None = None,
) -> pl.DataFrame:
    """Summarize rooms of which all readings are given; or with a `scan` of the rooms, members of whom all are given.

    Parameters
    ----------
    batches
        The columns of `heart_rate`, in any order; for members' names also `name`, and rows of `member_events` among
        the others, known by a `name` that is not null; they need no `bpm` nor `connection_id`.
    members
        What is known of the members: `members.SCHEMA`.
    definitions
        What counts as plausible, held and one session.
    scan
        As `add_scans` returns it.
    scratch
        A folder for a temporary file of some 10 bytes a reading; the system's folder for such files by default.

    Returns
    -------
    `summary.SCHEMA`, ordered as `summary.summarize` does; no readings, no rows.

    Raises
    ------
    UsageError
        A column is missing or cannot be converted without loss, or a reading has a null in it.
    """
    with _open_stored(batches, scratch) as connection:
        found = None if scan is None else _scan_members(connection, definitions, scan)
        return compute_results(select(connection, Filter(), definitions, scan=found), members).summary


def scan_rooms(
    batches: Iterable[pa.RecordBatch], definitions: Definitions = USUAL, scratch: Path | None = None
) -> pl.DataFrame:
    """Scan rooms; of each quarter of an hour (UTC) all that was received is given, or nothing. Returns `SCAN`."""
    with _open_stored(batches, scratch) as connection:
        scan = scan_readings(connection, definitions)
        scan = scan.look_at(connection, scan.sessions, definitions)
    stretches = scan.sessions.rename({"started_at": "first_at", "ended_at": "last_at"}).drop("session", "members")
    return pl.concat([stretches, scan.room_leads], how="diagonal").select(*SCAN)


def add_scans(scans: pl.DataFrame, definitions: Definitions = USUAL) -> Scan:
    """Add up what `scan_rooms` returned for all parts of some rooms, without buckets and numbers of members."""
    is_lead = pl.col("quarter").is_not_null()
    stretches = scans.filter(~is_lead).with_columns(profile_id=pl.lit(""))
    sessions = list_sessions(number_stretches(stretches, definitions.session_gap_us))
    return Scan((), stretches.clear(), sessions, scans.filter(is_lead).select("room_id", "quarter", "room_lead_us"))


def _scan_members(connection: duckdb.DuckDBPyConnection, definitions: Definitions, scan: Scan) -> Scan:
    """Count the timely readings of the members that are here, and number them as the sessions of their rooms."""
    write_room_leads(connection, scan.room_leads)
    sent = read_frame(connection, activity_sql(timely_sql(definitions), buckets_of(definitions))).drop("quarter")
    # A session is a stretch, too: with all of them among the members' own, these get the numbers that they have.
    sessions = scan.sessions.select("room_id", "first_received_at", first_at="started_at", last_at="ended_at")
    stretches = pl.concat([sent, sessions], how="diagonal")
    buckets = number_stretches(stretches, definitions.session_gap_us).filter(pl.col("profile_id").is_not_null())
    return replace(scan, buckets=buckets)


@contextmanager
def _open_stored(batches: Iterable[pa.RecordBatch], scratch: Path | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Store the rows in a temporary file, which only its owner can read, and open it."""
    config = {**CONFIG, "threads": 1}  # an engine runs as many tasks as there are cores
    with (
        TemporaryDirectory(prefix="pulsoid-rec-", dir=scratch) as folder,
        duckdb.connect(Path(folder) / "rooms.duckdb", config=config) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'; PRAGMA disable_checkpoint_on_shutdown")
        for table in (HEART_RATE, MEMBER_EVENTS):
            connection.execute(table.ddl)
        try:
            for chunk in _chunks(batches):
                _insert(connection, chunk)
        except _BAD_ROWS as error:
            reason = str(error).splitlines()[0]
            raise UsageError(f"These are no rows of heart_rate: {reason}", "docs/tables.md has its columns.") from error
        yield connection


def _insert(connection: duckdb.DuckDBPyConnection, chunk: pa.Table) -> None:
    """Insert rows, whose values the tables' own types and constraints check, and commit: before, they are in memory."""
    has_names = "name" in chunk.column_names
    connection.register("chunk", chunk)
    # In the order of time, so that a slice of time is found without looking at all rows.
    readings = f"SELECT {_READING} FROM chunk {'WHERE name IS NULL' if has_names else ''} ORDER BY occurred_at"
    connection.execute(f"INSERT INTO heart_rate {readings}")
    if has_names:
        connection.execute(f"INSERT INTO member_events SELECT {_EVENT} FROM chunk WHERE name IS NOT NULL")
    connection.unregister("chunk")


def _chunks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Join batches to tables of some `CHUNK_ROWS` rows."""
    gathered: list[pa.RecordBatch] = []
    for batch in batches:
        gathered.append(batch)
        if sum(map(len, gathered)) >= CHUNK_ROWS:
            yield pa.Table.from_batches(gathered)
            gathered.clear()
    if gathered:
        yield pa.Table.from_batches(gathered)
