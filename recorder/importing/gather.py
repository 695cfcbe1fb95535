"""Gather a whole file: its readings, to be taken in the order of time, and its lines that cannot be read.

They are in tables of a DuckDB instance without a file, which goes to temporary files beyond some memory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa

from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.importing.instants import NoZoneError
from pulsoid_rec.recorder.importing.parse import Member, ParseRow
from pulsoid_rec.recorder.importing.source import Source
from pulsoid_rec.recorder.ingest.database import CONFIG
from pulsoid_rec.recorder.journal.rows import reject

_MEMORY = "48MB"
_BATCH = 20_000
_FAULTS_BATCH = 1_000  # they may be long
_READINGS = {"member": pa.int32(), "bpm": pa.int32(), "occurred_at": pa.int64(), "received_at": pa.string()}
_FAULTS = {"line": pa.int64(), "reason": pa.string(), "raw": pa.string()}
_TABLES = (
    "CREATE TABLE readings (member INTEGER, bpm INTEGER, occurred_at BIGINT, received_at TIMESTAMPTZ)",
    "CREATE TABLE faults (line BIGINT, reason VARCHAR, raw VARCHAR)",
    "SET enable_progress_bar = false",
)
_IN_ORDER = (
    "SELECT member, bpm, occurred_at FROM readings"
    " ORDER BY occurred_at, received_at, CASE WHEN received_at IS NOT NULL THEN bpm END, rowid"  # as analysis has it
)
_Row = tuple[Any, ...]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Fault:
    """A line that cannot be read, why, and its text."""

    line: int
    reason: str
    raw: str


class Gathered:
    """What a file holds; made by `open_gathered`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._members: dict[Member, int] = {}
        self.readings = 0
        self.faults = 0
        self.holes = 0
        """Rows without a bpm."""
        for statement in _TABLES:
            connection.execute(statement)

    def fill(self, source: Source, parse_row: ParseRow) -> None:
        """Read a file to its end; raise `NoZoneError` at the first time that needs a zone."""
        readings: list[_Row] = []
        faults: list[_Row] = []
        members = self._members
        for cells in source.rows(lambda cells: _is_reading(cells, parse_row)):
            try:
                if source.fault:
                    raise ValueError(source.fault)  # noqa: TRY301 - as faults that the parser finds
                if not any(cells):
                    continue
                if (reading := parse_row(cells)) is None:
                    self.holes += 1
                    continue
            except NoZoneError as error:
                raise NoZoneError(f"line {source.line}: {error}") from None
            except ValueError as error:
                row = reject(None, None, 0, str(error), _valid(source.text))
                faults.append((source.line, row.reason, row.raw))
                if len(faults) >= _FAULTS_BATCH:
                    self._add_faults(faults)
                continue
            member, bpm, occurred_at, received = reading
            readings.append((members.setdefault(member, len(members)), bpm, occurred_at, received))
            if len(readings) >= _BATCH:
                self._add_readings(readings)
        self._add_readings(readings)
        self._add_faults(faults)

    def members(self) -> Iterator[tuple[Member, int]]:
        """Yield each member, and when their first reading occurred, in microseconds since 1970."""
        first = "SELECT member, min(occurred_at) FROM readings GROUP BY ALL ORDER BY ALL"
        for member, (_, at) in zip(self._members, self._connection.execute(first).fetchall(), strict=True):
            yield member, at

    def range(self) -> tuple[datetime, datetime]:
        """Return when the first and the last reading occurred (UTC)."""
        ends = self._connection.execute("SELECT min(occurred_at), max(occurred_at) FROM readings").fetchall()[0]
        first, last = (_EPOCH + timedelta(microseconds=end) for end in ends)
        return first, last

    def first_faults(self, most: int) -> list[Fault]:
        """Return the first lines that cannot be read."""
        return [Fault(*row) for row in self._connection.execute(f"FROM faults LIMIT {most:d}").fetchall()]

    def all_faults(self) -> Iterator[Fault]:
        """Yield every line that cannot be read, in order."""
        return (Fault(*row) for rows in self._batches("FROM faults", _FAULTS_BATCH) for row in rows)

    def in_order(self) -> Iterator[tuple[Member, int, int]]:
        """Yield every reading, in the order of time: member, bpm, and when it occurred, in microseconds since 1970.

        Those of one instant come as they were received if the file says so, or else as in the file.
        """
        members = list(self._members)
        for rows in self._batches(_IN_ORDER, _BATCH):
            for member, bpm, occurred_at in rows:
                yield members[member], bpm, occurred_at

    def _batches(self, query: str, rows: int) -> Iterator[Iterator[_Row]]:
        for batch in self._connection.sql(query).to_arrow_reader(rows):
            yield zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def _add_readings(self, rows: list[_Row]) -> None:
        # The receipt only orders readings of one instant, so it is no fault if it cannot be read.
        values = "member, bpm, occurred_at, try_cast(received_at AS TIMESTAMPTZ)"
        self._insert(f"readings SELECT {values}", _READINGS, rows)
        self.readings += len(rows)
        rows.clear()

    def _add_faults(self, rows: list[_Row]) -> None:
        self._insert("faults", _FAULTS, rows)
        self.faults += len(rows)
        rows.clear()

    def _insert(self, table: str, columns: dict[str, pa.DataType], rows: list[_Row]) -> None:
        values = list(zip(*rows, strict=True)) or [()] * len(columns)
        batch = {name: pa.array(column, kind) for (name, kind), column in zip(columns.items(), values, strict=True)}
        self._connection.register("batch", pa.table(batch))
        self._connection.execute(f"INSERT INTO {table} FROM batch")
        self._connection.unregister("batch")


@contextmanager
def open_gathered() -> Iterator[Gathered]:
    """Yield an empty one, and remove its temporary files at the end; raise `StorageError` if they have no space."""
    with (
        TemporaryDirectory(prefix="pulsoid-rec-") as folder,
        duckdb.connect(config={**CONFIG, "memory_limit": _MEMORY, "temp_directory": folder}) as connection,
    ):
        try:
            yield Gathered(connection)
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            reason = str(error).splitlines()[0]
            raise StorageError(
                f"Cannot keep the file's rows in {folder}: {reason}",
                "Free some space there, or set TMPDIR to another folder.",
            ) from error


def _is_reading(cells: list[str], parse_row: ParseRow) -> bool:
    try:
        return parse_row(cells) is not None
    except (ValueError, IndexError):
        return False


def _valid(text: str) -> str:
    """Return a text with the bytes that are not UTF-8 written in hexadecimal."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
