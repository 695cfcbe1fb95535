"""Exports: a table or the summary, written to CSV or Parquet by DuckDB, as a stream."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import duckdb
import polars as pl

from pulsoid_rec.analysis.export.query import as_csv, exported_columns, quoted, session_ranges, table_query
from pulsoid_rec.analysis.metrics.columns import SUMMARY
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter, select_sessions
from pulsoid_rec.analysis.metrics.members import NAME
from pulsoid_rec.analysis.metrics.sessions import list_sessions
from pulsoid_rec.analysis.reading.buckets import read_buckets
from pulsoid_rec.analysis.reading.config_names import read_config_names
from pulsoid_rec.analysis.reading.database import read_frame
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.tables import CONNECTION_EVENTS, HEART_RATE, MEMBER_EVENTS, ROOM_EVENTS

Format = Literal["csv", "parquet"]
TABLES = {table.name: table for table in (HEART_RATE, MEMBER_EVENTS, ROOM_EVENTS, CONNECTION_EVENTS)}

_POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What to export.

    Parameters
    ----------
    table
        A key of `TABLES`, or `summary`.
    wanted
        Rooms, sessions and range of time.
    definitions
        What counts as plausible, held and one session.
    members
        What is known of the members, as `members.read_members` gives it.
    """

    table: str
    wanted: Filter
    definitions: Definitions
    members: pl.DataFrame


def write_export(
    recording: Recording,
    export: Export,
    path: Path,
    format_: Format,
    show_progress: Callable[[float], None] | None = None,
) -> int:
    """Write an export to a file.

    Parameters
    ----------
    recording
        What to read; it stays open, and recorders wait, until all is written.
    export
        What to write.
    path
        Where to; a file there is written over.
    format_
        CSV as RFC 4180 has it, instants as ISO 8601 with `Z`; or Parquet with zstd, real timestamps, and the columns'
        meanings in the file's metadata.
    show_progress
        Called some ten times a second with the share that is written, 0 to 1; None where nobody looks, as to keep
        count takes DuckDB a little longer.

    Returns
    -------
    How many rows were written.

    Raises
    ------
    StorageError
        The recording cannot be read, or the file not be written.
    """
    if export.table == "summary":
        summary = recording.summary(export.wanted, export.definitions, export.members)
        with duckdb.connect() as connection:
            connection.register("summary", summary.to_arrow())
            return _copy(connection, "FROM summary", path, _options(export, recording, format_), show_progress)
    with recording.open_() as connection:
        query = _query(connection, export)
        return _copy(connection, query, path, _options(export, recording, format_), show_progress)


def _query(connection: duckdb.DuckDBPyConnection, export: Export) -> str:
    """Say in SQL what is exported of a table."""
    table, ranges = TABLES[export.table], None
    if export.wanted.session != "all":
        sessions = list_sessions(read_buckets(connection, export.definitions, export.wanted.rooms))
        ranges = session_ranges(select_sessions(sessions, export.wanted), sessions, table)
    names = pl.DataFrame(schema={"room_id": pl.String, "profile_id": pl.String, "name": pl.String})
    if any(column.name == "profile_id" for column in table.columns):
        ids = read_frame(connection, f"SELECT DISTINCT room_id, profile_id FROM {table.name}")
        known = ids.join(read_config_names(connection), on=["room_id", "profile_id"], how="left")
        names = known.join(export.members, on="profile_id", how="left").select("room_id", "profile_id", name=NAME)
    return table_query(table, export.wanted, ranges, names)


def _copy(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    path: Path,
    options: Sequence[str],
    show_progress: Callable[[float], None] | None,
) -> int:
    """Write a query's rows to a file, in a thread, so that its progress can be shown and Ctrl-C ends it."""
    connection.execute("SET TimeZone = 'UTC'; SET memory_limit = '1GB'")  # less makes Parquet's writer wait for it
    if show_progress is not None:
        connection.execute("SET enable_progress_bar_print = false; SET enable_progress_bar = true")
    columns = connection.sql(f"DESCRIBE {query}").fetchall()
    if "FORMAT csv" in options:
        query = as_csv(query, [(name, kind) for name, kind, *_ in columns])
    # Into the file as it is, which its owner alone can read; by itself DuckDB puts another one in its place.
    copy = f"COPY ({query}) TO {quoted(str(path))} (USE_TMP_FILE false, {', '.join(options)})"
    with ThreadPoolExecutor(1) as thread:
        work = thread.submit(lambda: connection.execute(copy).fetchall())
        try:
            while not wait([work], _POLL_S).done:
                if show_progress is not None:
                    show_progress(max(0.0, connection.query_progress()) / 100)
        except BaseException:
            connection.interrupt()
            raise
        try:
            return int(work.result()[0][0])
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            what = str(error).splitlines()[0]
            raise StorageError(f"The export broke off: {what}", "Free space, or name another file with -o.") from error


def _options(export: Export, recording: Recording, format_: Format) -> list[str]:
    """Give the options of SQL's COPY."""
    if format_ == "csv":
        return ["FORMAT csv", "HEADER", "NEW_LINE '\\r\\n'"]
    table = TABLES.get(export.table)
    meanings = SUMMARY if table is None else {column.name: column.meaning for column in exported_columns(table)}
    metadata = {
        "pulsoid_rec.table": export.table,
        "pulsoid_rec.source": recording.path.name,
        "pulsoid_rec.filter": str(export.wanted),
        "pulsoid_rec.columns": json.dumps(meanings, ensure_ascii=False),
        "pulsoid_rec.definitions": json.dumps(asdict(export.definitions)),
    }
    pairs = ", ".join(f'"{key}": {quoted(value)}' for key, value in metadata.items())
    return ["FORMAT parquet", "PARQUET_VERSION v2", "COMPRESSION zstd", f"KV_METADATA {{{pairs}}}"]
