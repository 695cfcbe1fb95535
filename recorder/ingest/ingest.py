"""Ingest segments: each exactly once, in one transaction that also records its name.

Lines were parsed when they were received, so this is one pass of DuckDB's JSON reader, outside Python. Only if a
segment is damaged (by a crash or a disk) is a repaired copy made first, with the damaged lines as rows of
`rejected_messages`. After a crash the same code runs as at any other time.
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

from pulsoid_rec.recorder.contract.journal_files import segment_name
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.paths import duckdb_pattern
from pulsoid_rec.recorder.contract.tables import HEART_RATE, INGESTED_SEGMENTS, REJECTED_MESSAGES, TABLES, Column, Table
from pulsoid_rec.recorder.contract.version_1 import value_in_version_1
from pulsoid_rec.recorder.contract.wording import format_count
from pulsoid_rec.recorder.disk.replace import open_replacement
from pulsoid_rec.recorder.ingest.database import open_database, stop_engines, translate_errors
from pulsoid_rec.recorder.journal.rows import RejectedMessageRow
from pulsoid_rec.recorder.journal.segment import FORMAT_VERSION, HEADER, Scan, encode_line, read_lines, scan

_MANY_ROWS = 20_000
_MANY_BYTES = 4 * 2**20
"""Rows, or bytes of segments, at once after which DuckDB would keep 100 MB and more."""

DAMAGED = "a line of the journal that a crash cut off, or a disk damaged"

log = logging.getLogger(__name__)
# A segment that raises one of these must not block the others.
_INVALID_SEGMENT = (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.ConstraintException)
# Only one thread can have the file open; waiting is better than retrying.
_ingesting = threading.Lock()


@dataclass
class Ingested:
    """What was ingested, in rows by table; and the segments that were skipped."""

    rows: dict[str, int] = field(default_factory=lambda: {table.name: 0 for table in TABLES})
    segments: int = 0
    skipped: list[Path] = field(default_factory=list)

    def add(self, rows: dict[str, int]) -> None:
        """Count a segment."""
        self.segments += 1
        for table, count in rows.items():
            self.rows[table] += count

    @property
    def count(self) -> int:
        """Rows of all tables."""
        return sum(self.rows.values())

    @property
    def readings(self) -> int:
        """Rows of `heart_rate`."""
        return self.rows[HEART_RATE.name]

    @property
    def rejected(self) -> int:
        """Rows of `rejected_messages`."""
        return self.rows[REJECTED_MESSAGES.name]


def next_batch(segments: Sequence[Path], most_bytes: int = DEFAULT_LIMITS.batch_bytes) -> list[Path]:
    """Return the first segments, up to some size: readers may open the database after them."""
    size = 0
    for count, segment in enumerate(segments, 1):
        with contextlib.suppress(FileNotFoundError):  # another recorder has ingested it
            size += segment.stat().st_size
        if size >= most_bytes:
            return list(segments[:count])
    return list(segments)


def ingest(
    database: Path,
    segments: Sequence[Path],
    total: Ingested,
    *,
    keep: bool = False,
    check_cancelled: Callable[[], object] = bool,
) -> None:
    """Ingest segments into the database, then remove their files.

    Parameters
    ----------
    database
        The DuckDB file; made if it does not exist.
    segments
        Segments that are no longer written; see `next_batch`.
    total
        Counts what is committed, even if something fails later. Segments that were in the database already count
        nothing; those of a newer version are skipped.
    keep
        Keep them, compressed, in the journal's folder `kept`, instead of removing them.
    check_cancelled
        Called before each segment; raises to stop.

    Raises
    ------
    DatabaseBusyError
        Another process has the database open: try again.
    StorageError
        The database cannot be used. Whatever is raised, each segment is either ingested or unchanged.
    """
    with _ingesting:
        before = total.count
        with open_database(database) as connection:
            done = []
            for segment in segments:
                check_cancelled()
                if _ingest_once(connection, segment, total):
                    done.append(segment)
        if total.count - before > _MANY_ROWS or _size_of(done) > _MANY_BYTES:
            stop_engines()
        with translate_errors(database):
            for segment in done:
                _delete_or_archive(segment, keep=keep)


def _size_of(segments: Sequence[Path]) -> int:
    size = 0
    for segment in segments:
        with contextlib.suppress(FileNotFoundError):  # another recorder has ingested it
            size += segment.stat().st_size
    return size


def _delete_or_archive(segment: Path, *, keep: bool) -> None:
    """Remove an ingested segment; another recorder may be doing the same."""
    segment.with_suffix(".repaired").unlink(missing_ok=True)
    if keep:
        kept = segment.parent / "kept" / f"{segment_name(segment)}.jsonl.gz"
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            with segment.open("rb") as source, open_replacement(kept, sync=False) as new, gzip.open(new, "wb", 6) as to:
                shutil.copyfileobj(source, to)
        except FileNotFoundError:
            return
    segment.unlink(missing_ok=True)


def _ingest_once(connection: duckdb.DuckDBPyConnection, segment: Path, total: Ingested) -> bool:
    """Ingest a segment unless that has happened already; return whether its file can be removed."""
    name = segment_name(segment)
    if connection.execute(f"SELECT 1 FROM {INGESTED_SEGMENTS.name} WHERE segment = ?", [name]).fetchall():
        return True
    try:
        found = scan(segment)
    except FileNotFoundError:
        log.error("%s was removed before it was in the database: its content is lost.", segment)
        return True
    if found.version > FORMAT_VERSION:
        return _skip(segment, total, "was written by a newer pulsoid-rec; it is kept until you install that.")
    try:
        if found.damaged or not found.has_header:
            total.add(_insert_repaired(connection, segment))
        else:
            total.add(_insert(connection, name, segment, found))
    except _INVALID_SEGMENT as error:
        return _skip(segment, total, f"cannot be ingested; it is kept. Please report this: {error}")
    return True


def _skip(segment: Path, total: Ingested, why: str) -> bool:
    if segment not in total.skipped:
        log.error("%s %s", segment, why)
        total.skipped.append(segment)
    return False


def _insert_repaired(connection: duckdb.DuckDBPyConnection, segment: Path) -> dict[str, int]:
    """Ingest the valid lines of a damaged segment, and the others as rejected messages."""
    repaired = segment.with_suffix(".repaired")
    damaged = 0
    with repaired.open("wb") as file:
        file.write(HEADER)
        for line, is_valid in read_lines(segment):
            file.write(line if is_valid else encode_line(_rejected(line)))
            damaged += not is_valid
    rows = _insert(connection, segment_name(segment), repaired, scan(repaired))
    repaired.unlink()
    if damaged:
        lines = format_count(damaged, "damaged line")
        log.warning("%s: %s stored in %s.", segment.name, lines, REJECTED_MESSAGES.name)
    return rows


def _rejected(line: bytes) -> RejectedMessageRow:
    raw = line.removesuffix(b"\n").decode(errors="backslashreplace")
    return RejectedMessageRow(None, None, time_ns() // 1000, DAMAGED, raw)


def _insert(connection: duckdb.DuckDBPyConnection, name: str, path: Path, found: Scan) -> dict[str, int]:
    """Insert a file's rows and the segment's name in one transaction: all of its lines, or none."""
    connection.execute("BEGIN")
    try:
        connection.execute(_LOAD, [duckdb_pattern(path), max(2**20, found.longest_bytes + 1)])
        # Most segments hold only readings, and each statement costs a millisecond even without a row.
        present = {name for (name,) in connection.execute('SELECT DISTINCT "table" FROM segment_lines').fetchall()}
        rows = {name: _count(connection.execute(insert)) for name, insert in _INSERTS.items() if name in present}
        if sum(rows.values()) < found.rows:
            rejected = _count(connection.execute(_INSERT_INVALID))
            rows[REJECTED_MESSAGES.name] = rows.get(REJECTED_MESSAGES.name, 0) + rejected
        inserted = sum(rows.values())
        if inserted != found.rows:
            message = f"{found.rows} rows, of which {inserted} can be inserted"
            raise duckdb.InvalidInputException(message)  # noqa: TRY301 - to be rolled back below
        connection.execute(f"INSERT INTO {INGESTED_SEGMENTS.name} VALUES (?, ?, now())", [name, found.rows])
        connection.execute("DROP TABLE segment_lines")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(duckdb.Error):  # the error may have ended the transaction already
            connection.execute("ROLLBACK")
        raise
    return rows


def _count(changed: duckdb.DuckDBPyConnection) -> int:
    return int(changed.fetchall()[0][0])


def _load_statement() -> str:
    """Return the statement that reads a segment's lines into a temporary table."""
    json_types = {"TIMESTAMPTZ": "BIGINT", "JSON": "VARCHAR"}
    types = {column.name: json_types.get(column.type, column.type) for table in TABLES for column in table.columns}
    types |= {"table": "VARCHAR", "raw": "VARCHAR", "at": "BIGINT"}  # `at`: of version 1
    columns = ", ".join(f"'{name}': '{type_}'" for name, type_ in types.items())
    return (
        "CREATE TEMP TABLE segment_lines AS FROM "
        f"read_json(?, format = 'newline_delimited', maximum_object_size = ?, columns = {{{columns}}})"
    )


def _insert_statement(table: Table) -> str:
    columns = ", ".join(_value(table, column) for column in table.columns)
    return f"INSERT INTO {table.name} SELECT {columns} FROM segment_lines WHERE \"table\" = '{table.name}' AND {_VALID}"


def _value(table: Table, column: Column) -> str:
    """Return the SQL of a column's value, also of lines of version 1, which lack some."""
    value, older = f'"{column.name}"', value_in_version_1(table, column)
    if older != value:
        value = f"coalesce({value}, {older})"
    return f"make_timestamptz({value})" if column.type == "TIMESTAMPTZ" else value


# JSON that msgspec accepts and DuckDB does not (a number that is too large) is kept as a rejected message.
_VALID = "(config IS NULL OR json_valid(config))"
_INSERT_INVALID = (
    f"INSERT INTO {REJECTED_MESSAGES.name} SELECT room_id, connection_id, make_timestamptz(received_at), "
    f"'DuckDB cannot parse `config` as JSON', raw FROM segment_lines WHERE NOT {_VALID}"
)
_LOAD = _load_statement()
_INSERTS = {table.name: _insert_statement(table) for table in TABLES}
