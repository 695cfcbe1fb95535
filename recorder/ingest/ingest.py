"""From the journal into the tables: each segment exactly once, in one transaction with the note that it is in.

The lines were understood when they were received, so this is one pass of DuckDB's JSON reader, outside Python. Only if
a segment is not as it was written (a line that a crash cut off, a damaged disk) is a copy without the damaged lines
made first; those are kept in `rejected_messages`. It is the same code after a crash as at any other second.
"""

import contextlib
import gzip
import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import time_ns

import duckdb

from pulsoid_rec.recorder.contract.tables import HEART_RATE, INGESTED_SEGMENTS, REJECTED_MESSAGES, TABLES, Column, Table
from pulsoid_rec.recorder.ingest.database import open_database, stop_engines, translate_errors
from pulsoid_rec.recorder.journal.rows import RejectedMessageRow
from pulsoid_rec.recorder.journal.segment import (
    FORMAT_VERSION,
    HEADER,
    KEPT,
    Scan,
    Segment,
    encode_line,
    read_lines,
    scan,
)

LARGEST_BATCH_BYTES = 64 * 2**20
_MANY_ROWS = 20_000
"""Rows at once after which DuckDB would keep some 100 MB."""

DAMAGED = "a line of the journal that a crash cut off, or a disk damaged"

log = logging.getLogger(__name__)
# A segment of which DuckDB says one of these must not keep the others out.
_NOT_UNDERSTOOD = (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.ConstraintException)
# The file is for one of them at a time anyway: to wait for it is better than to try again.
_one_at_a_time = threading.Lock()


@dataclass
class Ingested:
    """What was brought in, in rows by table; and the segments that were left where they are."""

    rows: dict[str, int] = field(default_factory=lambda: {table.name: 0 for table in TABLES})
    segments: int = 0
    left: list[Segment] = field(default_factory=list)

    def add(self, rows: dict[str, int]) -> None:
        """Count a segment that was brought in."""
        self.segments += 1
        for table, count in rows.items():
            self.rows[table] += count

    @property
    def count(self) -> int:
        """All rows together."""
        return sum(self.rows.values())

    @property
    def readings(self) -> int:
        """Readings among them."""
        return self.rows[HEART_RATE.name]


def next_batch(segments: Sequence[Segment]) -> list[Segment]:
    """Take from the front what is brought in before the database is let go of, so that readers get their turn."""
    size = 0
    for count, segment in enumerate(segments, 1):
        with contextlib.suppress(FileNotFoundError):  # another recorder brought it in
            size += segment.path.stat().st_size
        if size >= LARGEST_BATCH_BYTES:
            return list(segments[:count])
    return list(segments)


def ingest(
    database: Path,
    segments: Sequence[Segment],
    total: Ingested,
    *,
    keep: bool = False,
    may_go_on: Callable[[], object] = bool,
) -> None:
    """Bring segments into the database, then remove their files.

    Parameters
    ----------
    database
        The DuckDB file; made where there is none.
    segments
        Segments that nobody writes any more; see `next_batch`.
    total
        What is brought in is counted here as soon as it is committed, whatever comes after. Segments that were in
        already count nothing; those of a newer version are left where they are.
    keep
        Keep them, compressed, in a folder of the journal, instead of removing them.
    may_go_on
        Called before each segment; it raises to break off.

    Raises
    ------
    DatabaseBusyError
        Another process has the database open: try again.
    StorageError
        The database cannot be used. Whatever is raised, each segment is in, or as it was.
    """
    with _one_at_a_time:
        before = total.count
        with open_database(database) as connection:
            done = []
            for segment in segments:
                may_go_on()
                if _ingest_once(connection, segment, total):
                    done.append(segment)
        if total.count - before > _MANY_ROWS:
            stop_engines()
        with translate_errors(database):
            for segment in done:
                _delete_or_archive(segment, keep=keep)


def _delete_or_archive(segment: Segment, *, keep: bool) -> None:
    """Remove a segment that is in; another recorder may be doing so too."""
    _repaired_path(segment).unlink(missing_ok=True)
    if not keep:
        segment.path.unlink(missing_ok=True)
        return
    kept = segment.path.parent / KEPT / f"{segment.name}.jsonl"
    kept.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        segment.path.rename(kept)
    except FileNotFoundError:
        return
    partial = kept.with_suffix(".part")
    with kept.open("rb") as source, gzip.open(partial, "wb", compresslevel=6) as target:
        shutil.copyfileobj(source, target)
    partial.replace(kept.with_suffix(".jsonl.gz"))
    kept.unlink()


def _ingest_once(connection: duckdb.DuckDBPyConnection, segment: Segment, total: Ingested) -> bool:
    """Bring a segment in, unless it is; tell whether its file is needed no more."""
    known = connection.execute(f"SELECT 1 FROM {INGESTED_SEGMENTS.name} WHERE segment = ?", [segment.name]).fetchall()
    if known:
        return True
    try:
        found = scan(segment.path)
    except FileNotFoundError:
        log.error("Somebody removed %s before it was in the database: what it held is lost.", segment.path)
        return True
    if found.version > FORMAT_VERSION:
        return _leave(segment, total, "was written by a newer pulsoid-rec; it waits there until you install that.")
    try:
        if found.damaged or not found.has_header:
            total.add(_insert_repaired(connection, segment))
        else:
            total.add(_insert(connection, segment.name, segment.path, found))
    except _NOT_UNDERSTOOD as error:
        return _leave(segment, total, f"cannot be brought in; it waits there. Please report this: {error}")
    return True


def _leave(segment: Segment, total: Ingested, why: str) -> bool:
    if segment not in total.left:
        log.error("%s %s", segment.path, why)
        total.left.append(segment)
    return False


def _insert_repaired(connection: duckdb.DuckDBPyConnection, segment: Segment) -> dict[str, int]:
    """Bring in the sound lines of a damaged segment, and the others as rejected messages."""
    repaired = _repaired_path(segment)
    damaged = 0
    with repaired.open("wb") as file:
        file.write(HEADER)
        for line, sound in read_lines(segment.path):
            file.write(line if sound else encode_line(_rejected(line)))
            damaged += not sound
    rows = _insert(connection, segment.name, repaired, scan(repaired))
    repaired.unlink()
    if damaged:
        log.warning(
            "%s: %d damaged %s kept in %s.",
            segment.path.name,
            damaged,
            "line was" if damaged == 1 else "lines were",
            REJECTED_MESSAGES.name,
        )
    return rows


def _repaired_path(segment: Segment) -> Path:
    return segment.path.with_name(f"{segment.name}.repaired")


def _rejected(line: bytes) -> RejectedMessageRow:
    raw = line.removesuffix(b"\n").decode(errors="backslashreplace")
    return RejectedMessageRow(None, None, time_ns() // 1000, DAMAGED, raw)


_OBJECT_BYTES = 2**20


def _insert(connection: duckdb.DuckDBPyConnection, name: str, path: Path, found: Scan) -> dict[str, int]:
    """Bring in a file of rows and the note of it, in one transaction: all of its lines, or none."""
    connection.execute("BEGIN")
    try:
        connection.execute(_LOAD, [str(path), max(_OBJECT_BYTES, found.longest_bytes + 1)])
        # Most segments hold readings alone; each statement costs a millisecond, were there nothing for it.
        present = {name for (name,) in connection.execute('SELECT DISTINCT "table" FROM segment_lines').fetchall()}
        rows = {name: _count(connection.execute(insert)) for name, insert in _INSERTS.items() if name in present}
        if sum(rows.values()) < found.rows:
            rejected = _count(connection.execute(_INSERT_INVALID))
            rows[REJECTED_MESSAGES.name] = rows.get(REJECTED_MESSAGES.name, 0) + rejected
        _require_all(found.rows, sum(rows.values()))
        connection.execute(f"INSERT INTO {INGESTED_SEGMENTS.name} VALUES (?, ?, now())", [name, found.rows])
        connection.execute("DROP TABLE segment_lines")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(duckdb.Error):  # what was wrong may have ended it already
            connection.execute("ROLLBACK")
        raise
    return rows


def _require_all(rows: int, brought: int) -> None:
    if brought != rows:
        raise duckdb.InvalidInputException(f"{rows} rows, of which {brought} were understood")


def _count(changed: duckdb.DuckDBPyConnection) -> int:
    return int(changed.fetchall()[0][0])


def _json_type(column: Column) -> str:
    return {"TIMESTAMPTZ": "BIGINT", "JSON": "VARCHAR"}.get(column.type, column.type)


def _load() -> str:
    """Return the statement that reads a segment's lines into a temporary table."""
    types = {"table": "VARCHAR", "raw": "VARCHAR"}
    types |= {column.name: _json_type(column) for table in TABLES for column in table.columns}
    columns = ", ".join(f"'{name}': '{type_}'" for name, type_ in types.items())
    return (
        "CREATE TEMP TABLE segment_lines AS FROM "
        f"read_json(?, format = 'newline_delimited', maximum_object_size = ?, columns = {{{columns}}})"
    )


def _insert_statement(table: Table) -> str:
    columns = ", ".join(
        f'make_timestamptz("{column.name}")' if column.type == "TIMESTAMPTZ" else f'"{column.name}"'
        for column in table.columns
    )
    return f"INSERT INTO {table.name} SELECT {columns} FROM segment_lines WHERE \"table\" = '{table.name}' AND {_VALID}"


# What msgspec takes for JSON and DuckDB does not (a number beyond all bounds) is kept word for word all the same.
_VALID = "(config IS NULL OR json_valid(config))"
_INSERT_INVALID = (
    f"INSERT INTO {REJECTED_MESSAGES.name} SELECT room_id, connection_id, make_timestamptz(received_at), "
    f"'DuckDB does not take `config` for JSON', raw FROM segment_lines WHERE NOT {_VALID}"
)
_LOAD = _load()
_INSERTS = {table.name: _insert_statement(table) for table in TABLES}
