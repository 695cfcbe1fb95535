"""From the journal into the tables: each segment exactly once, in one transaction with the note that it is in.

The lines were understood when they were received, so this is one pass of DuckDB's JSON reader, outside Python. Only if
that finds something amiss (a line that a crash cut off, a damaged disk) is the segment gone through line by line; what
cannot be read is then kept in `rejected_messages`. It is the same code after a crash as at any other second.
"""

import contextlib
import gzip
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import time_ns

import duckdb
import msgspec

from recorder.database import faults_in_words, open_database
from recorder.errors import StorageError
from recorder.rows import AnyRow, RejectedMessageRow
from recorder.segment import FORMAT_VERSION, HEADER, KEPT, Segment
from recorder.tables import HEART_RATE, INGESTED_SEGMENTS, REJECTED_MESSAGES, TABLES, Column, Table

LARGEST_BATCH_BYTES = 64 * 2**20

log = logging.getLogger(__name__)


@dataclass
class Ingested:
    """What was brought in, in rows by table; and the segments that were left where they are."""

    rows: dict[str, int] = field(default_factory=lambda: {table.name: 0 for table in TABLES})
    left: list[Segment] = field(default_factory=list)

    def add(self, other: "Ingested") -> None:
        """Add what another call brought in."""
        for table, count in other.rows.items():
            self.rows[table] += count
        self.left += other.left

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


def ingest(database: Path, segments: Sequence[Segment], *, keep: bool = False) -> Ingested:
    """Bring segments into the database, then remove their files.

    Parameters
    ----------
    database
        The DuckDB file; made where there is none.
    segments
        Segments that nobody writes any more; see `next_batch`.
    keep
        Keep them, compressed, in a folder of the journal, instead of removing them.

    Returns
    -------
    Ingested
        What this call brought in. Segments that were in already count nothing; those of a newer version are left.

    Raises
    ------
    DatabaseBusyError
        Another process has the database open: try again.
    StorageError
        The database cannot be used. Whatever is raised, each segment is in, or as it was.
    """
    total = Ingested()
    there = [segment for segment in segments if segment.path.exists()]
    with open_database(database) as connection:
        for segment in there:
            total.add(_ingest_once(connection, segment))
    with faults_in_words(database):
        for segment in there:
            if segment not in total.left:
                _put_away(segment, keep=keep)
    return total


def _put_away(segment: Segment, *, keep: bool) -> None:
    if keep:
        kept = segment.path.parent / KEPT / f"{segment.name}.jsonl.gz"
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        partial = kept.with_suffix(".part")
        with segment.path.open("rb") as source, gzip.open(partial, "wb") as target:
            shutil.copyfileobj(source, target)
        partial.replace(kept)
    segment.path.unlink(missing_ok=True)


def _ingest_once(connection: duckdb.DuckDBPyConnection, segment: Segment) -> Ingested:
    known = connection.execute(f"SELECT 1 FROM {INGESTED_SEGMENTS.name} WHERE segment = ?", [segment.name]).fetchall()
    if known:
        return Ingested()
    survey = _survey(segment.path)
    if survey.version > FORMAT_VERSION:
        log.error("%s was written by a newer pulsoid-rec; it waits there until you install that.", segment.path)
        return Ingested(left=[segment])
    if survey.is_whole:
        try:
            return _insert(connection, segment.name, segment.path, survey)
        except _AmissError as error:
            log.debug("%s: %s", segment.path, error)
    return _ingest_line_by_line(connection, segment)


@dataclass(frozen=True)
class _Survey:
    """What can be told of a segment's file without understanding its lines."""

    version: int
    lines: int
    longest_bytes: int
    is_whole: bool


class _Header(msgspec.Struct, tag_field="table", tag="journal"):
    version: int


def _survey(path: Path) -> _Survey:
    lines = path.read_bytes().split(b"\n")
    rest = lines.pop()
    try:
        version = msgspec.json.decode(lines[0], type=_Header).version if lines else FORMAT_VERSION
        has_header = bool(lines)
    except msgspec.MsgspecError:
        version, has_header = FORMAT_VERSION, False
    return _Survey(version, len(lines), max(map(len, lines), default=0), is_whole=has_header and not rest)


class _AmissError(Exception):
    """A segment is not, line by line, what a recorder writes."""


_OBJECT_BYTES = 2**20


def _insert(connection: duckdb.DuckDBPyConnection, name: str, path: Path, survey: _Survey) -> Ingested:
    """Bring in a file of rows and the note of it, in one transaction: all of its lines, or none."""
    result = Ingested()
    connection.execute("BEGIN")
    try:
        connection.execute(_LOAD, [str(path), max(_OBJECT_BYTES, survey.longest_bytes + 1)])
        for table, statement in _INSERTS:
            result.rows[table.name] += _count(connection.execute(statement))
        rows = sum(result.rows.values())
        if rows != survey.lines - 1:
            raise duckdb.InvalidInputException(f"{rows} rows in {survey.lines} lines")
        connection.execute(f"INSERT INTO {INGESTED_SEGMENTS.name} VALUES (?, ?, now())", [name, rows])
        connection.execute("DROP TABLE segment_lines")
        connection.execute("COMMIT")
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.ConstraintException) as error:
        connection.execute("ROLLBACK")
        raise _AmissError(str(error)) from error
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return result


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
_INSERTS = (*((table, _insert_statement(table)) for table in TABLES), (REJECTED_MESSAGES, _INSERT_INVALID))


def _ingest_line_by_line(connection: duckdb.DuckDBPyConnection, segment: Segment) -> Ingested:
    """Bring in what can be read of a damaged segment, and what cannot as rejected messages."""
    decode_row = msgspec.json.Decoder(AnyRow).decode
    encode = msgspec.json.Encoder().encode
    mended = [HEADER.rstrip()]
    damaged = 0
    for line in segment.path.read_bytes().split(b"\n"):
        if HEADER.startswith(line):  # or what a crash left of it
            continue
        try:
            row = decode_row(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            damaged += 1
            raw = line.decode(errors="backslashreplace")
            reason = "a line of the journal that a crash cut off, or a disk damaged"
            mended.append(encode(RejectedMessageRow(None, None, time_ns() // 1000, reason, raw)))
        else:
            mended.append(encode(row))
    path = segment.path.with_name(f"{segment.name}.mended")
    path.write_bytes(b"\n".join(mended) + b"\n")
    try:
        result = _insert(connection, segment.name, path, _survey(path))
    except _AmissError as error:
        raise StorageError(
            f"{segment.path} cannot be brought in ({error})", "It stays where it is; please report this."
        ) from error
    finally:
        path.unlink()
    if damaged:
        log.warning(
            "%s: %d damaged %s kept in %s.",
            segment.path.name,
            damaged,
            "line was" if damaged == 1 else "lines were",
            REJECTED_MESSAGES.name,
        )
    return result
