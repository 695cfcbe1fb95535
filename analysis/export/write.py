"""Writes a table or the summary to CSV or Parquet, as a stream, by DuckDB."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import duckdb
import polars as pl

from pulsoid_rec.analysis.export.query import (
    MEMBER_KEY,
    NAME,
    csv_query,
    excel_query,
    exported_columns,
    session_ranges,
    table_query,
)
from pulsoid_rec.analysis.metrics.columns import PHASE, SUMMARY
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter, select_sessions
from pulsoid_rec.analysis.metrics.members import NAME as MEMBER_NAME
from pulsoid_rec.analysis.reading.archive import show
from pulsoid_rec.analysis.reading.database import read_frame, write_temporary
from pulsoid_rec.analysis.reading.marks import read_summary_by_phase
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.paths import sql_literal
from pulsoid_rec.recorder.contract.tables import TABLES as ALL_TABLES
from pulsoid_rec.recorder.contract.tables import Table

Format = Literal["csv", "excel", "parquet"]
TABLES = {table.name: table for table in ALL_TABLES}

_CSV_OPTIONS = ("FORMAT csv", "HEADER", "NEW_LINE '\\r\\n'")
_POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What to export."""

    table: str  # a key of `TABLES`, or `summary`
    wanted: Filter
    definitions: Definitions
    members: pl.DataFrame  # what is known of them: `members.SCHEMA`
    by_phase: bool = False  # of the summary: a row for each phase


def write_export(
    recording: Recording,
    export: Export,
    path: Path,
    format_: Format,
    show_progress: Callable[[float], None] | None = None,
) -> int:
    """Write an export to a file, an existing one too, and return the number of rows.

    CSV is by RFC 4180, instants as ISO 8601 with `Z`; CSV for Excel as of `excel_query`; Parquet has zstd, timestamps,
    and the columns' meanings in the file's metadata. The recording stays open, and recorders wait, until everything is
    written. `show_progress` is called about ten times a second with the share that is written, 0 to 1.

    Raises `StorageError` if the recording cannot be read, or the file cannot be written.
    """
    if export.table == "summary":
        read = read_summary_by_phase if export.by_phase else Recording.summary
        summary = read(recording, export.wanted, export.definitions, export.members)
        return write_summary(summary, export, recording.path.name, path, format_, show_progress=show_progress)
    options = _options(export, recording.path.name, format_)
    with recording.snapshot(path) as snapshot, snapshot.connect() as connection:
        query = _for_format(_query(snapshot, export), format_, connection)
        return _copy(connection, query, path, options, show_progress)


def write_summary(
    summary: pl.DataFrame,
    export: Export,
    source: str,
    path: Path,
    format_: Format,
    *,
    show_progress: Callable[[float], None] | None = None,
) -> int:
    """Write a summary that was computed of `source`, as `write_export` does."""
    with duckdb.connect() as connection:
        connection.register("summary", summary.to_arrow())
        query = _for_format("FROM summary", format_, connection)
        return _copy(connection, query, path, _options(export, source, format_), show_progress)


def _query(recording: Recording, export: Export) -> str:
    """Return the SQL of a table's export."""
    table, wanted, ranges = TABLES[export.table], export.wanted, None
    bounds = [(wanted.since_us, wanted.until_us)]
    if wanted.session != "all":
        sessions = recording.sessions(Filter(rooms=wanted.rooms), export.definitions)
        ranges = session_ranges(select_sessions(sessions, wanted), sessions, table)
        bounds = [(range_.from_us, range_.until_us) for range_ in ranges] or [(0, 0)]
    config_names = recording.config_names()
    with recording.connect() as connection:
        firsts, ends = zip(*bounds, strict=True)
        show(connection, table, None if None in firsts else min(firsts), None if None in ends else max(ends))
        if NAME in exported_columns(table):
            _set_names(connection, table, config_names, export.members)
    return table_query(table, wanted, ranges)


def _set_names(
    connection: duckdb.DuckDBPyConnection, table: Table, config_names: pl.DataFrame, members: pl.DataFrame
) -> None:
    """Create what `table_query` looks up names by."""
    ids = f"SELECT DISTINCT room_id, profile_id, {MEMBER_KEY} AS key FROM {table.name} WHERE profile_id IS NOT NULL"
    known = read_frame(connection, ids).join(config_names, on=["room_id", "profile_id"], how="left")
    names = known.join(members, on="profile_id", how="left").select("key", name=MEMBER_NAME)
    write_temporary(connection, "named", "key VARCHAR, name VARCHAR", names)
    connection.execute("CREATE TEMP TYPE member AS ENUM (SELECT key FROM named ORDER BY key)")
    connection.execute("SET VARIABLE names = (SELECT list(name ORDER BY key) FROM named)")


def _for_format(query: str, format_: Format, connection: duckdb.DuckDBPyConnection) -> str:
    """Return a query with its values as the format has them."""
    if format_ == "parquet":
        return query
    columns = [(name, kind) for name, kind, *_ in connection.sql(f"DESCRIBE {query}").fetchall()]
    return excel_query(query, columns) if format_ == "excel" else csv_query(query, columns)


def _copy(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    path: Path,
    options: Sequence[str],
    show_progress: Callable[[float], None] | None,
) -> int:
    """Write a query's rows to a file in a thread, so that progress is shown and Ctrl-C ends it; return their number."""
    connection.execute("SET TimeZone = 'UTC'; SET memory_limit = '1GB'")  # with less, the Parquet writer waits
    if show_progress is not None:
        connection.execute("SET enable_progress_bar_print = false; SET enable_progress_bar = true")
    # Into the existing file, which only its owner can read; by default DuckDB would replace it.
    copy = f"COPY ({query}) TO {sql_literal(str(path.absolute()))} (USE_TMP_FILE false, {', '.join(options)})"
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
            reason = str(error).splitlines()[0]
            raise StorageError(
                f"The export failed: {reason}", "Free disk space, or choose another file with -o."
            ) from error


def _options(export: Export, source: str, format_: Format) -> Sequence[str]:
    """Return the options of SQL's COPY."""
    if format_ != "parquet":
        return _CSV_OPTIONS
    table = TABLES.get(export.table)
    of_summary = (*PHASE, *SUMMARY) if export.by_phase else SUMMARY
    columns = of_summary if table is None else exported_columns(table)
    metadata = {
        "pulsoid_rec.table": export.table,
        "pulsoid_rec.source": source,
        "pulsoid_rec.filter": str(export.wanted),
        "pulsoid_rec.columns": json.dumps({column.name: column.meaning for column in columns}, ensure_ascii=False),
        "pulsoid_rec.definitions": json.dumps(asdict(export.definitions)),
    }
    pairs = ", ".join(f'"{key}": {sql_literal(value)}' for key, value in metadata.items())
    return ["FORMAT parquet", "PARQUET_VERSION v2", "COMPRESSION zstd", f"KV_METADATA {{{pairs}}}"]
