"""Gather a whole file: its readings, to be taken in the order of time, and its lines that cannot be read.

They are in tables of a DuckDB instance without a file, which goes to temporary files beyond some memory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.importing.instants import NoZoneError
from pulsoid_rec.recorder.importing.parse import Member, ParseRow
from pulsoid_rec.recorder.importing.source import CsvSource, ParquetSource
from pulsoid_rec.recorder.ingest.database import CONFIG
from pulsoid_rec.recorder.journal.rows import reject

_MEMORY = "48MB"
_BATCH = 20_000
_FAULTS_BATCH = 1_000  # they may be long
_READINGS = {"member": pa.int32(), "bpm": pa.int32(), "occurred_at": pa.int64(), "received_at": pa.string()}
_FAULTS = {"line": pa.int64(), "reason": pa.string(), "raw": pa.string()}
_SETUP = """
    CREATE TABLE readings (member INTEGER, bpm INTEGER, occurred_at BIGINT, received_at TIMESTAMPTZ);
    CREATE TABLE faults (line BIGINT, reason VARCHAR, raw VARCHAR);
    SET enable_progress_bar = false;
"""
_IN_ORDER = (
    "SELECT member, bpm, occurred_at FROM readings"
    " ORDER BY occurred_at, received_at, CASE WHEN received_at IS NOT NULL THEN bpm END, rowid"  # as analysis has it
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Fault(NamedTuple):
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
        connection.execute(_SETUP)

    def fill(self, source: CsvSource | ParquetSource, parse_row: ParseRow) -> None:
        """Read a file to its end; raise `NoZoneError` at the first time that needs a zone."""
        numbers = self._members
        readings: list[list[Any]] = [[] for _ in _READINGS]
        faults: list[list[Any]] = [[] for _ in _FAULTS]
        members, bpms, instants, receipts = readings
        for cells in source.rows(lambda cells: _is_reading(cells, parse_row)):
            try:
                if source.fault:
                    raise ValueError(source.fault)  # noqa: TRY301 - as faults that the parser finds
                reading = parse_row(cells) if any(cells) else None
            except NoZoneError as error:
                raise NoZoneError(f"line {source.line}: {error}") from None
            except ValueError as error:
                row = reject(None, None, 0, str(error), _valid(source.text))
                for column, value in zip(faults, (source.line, row.reason, row.raw), strict=True):
                    column.append(value)
                if len(faults[0]) >= _FAULTS_BATCH:
                    self._add_faults(faults)
                continue
            if reading is None:
                self.holes += any(cells)
                continue
            member, bpm, occurred_at, received = reading
            members.append(numbers.setdefault(member, len(numbers)))
            bpms.append(bpm)
            instants.append(occurred_at)
            receipts.append(received or None)
            if len(bpms) >= _BATCH:
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

    def read_faults(self, most: int | None = None) -> Iterator[Fault]:
        """Yield the lines that cannot be read, in order; with `most`, the first of them."""
        limit = "" if most is None else f" LIMIT {most:d}"
        return (Fault(*row) for row in self._rows(f"FROM faults{limit}", _FAULTS_BATCH))

    def in_order(self) -> Iterator[tuple[Member, int, int]]:
        """Yield every reading, in the order of time: member, bpm, and when it occurred, in microseconds since 1970.

        Those of one instant come as they were received if the file says so, or else as in the file.
        """
        members = list(self._members)
        return ((members[member], bpm, at) for member, bpm, at in self._rows(_IN_ORDER, _BATCH))

    def _rows(self, query: str, batch_rows: int) -> Iterator[tuple[Any, ...]]:
        for batch in self._connection.sql(query).to_arrow_reader(batch_rows):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def _add_readings(self, columns: list[list[Any]]) -> None:
        # The receipt only orders readings of one instant, so it is no fault if it cannot be read.
        values = "member, bpm, occurred_at, try_cast(received_at AS TIMESTAMPTZ)"
        self.readings += self._insert(f"readings SELECT {values}", _READINGS, columns)

    def _add_faults(self, columns: list[list[Any]]) -> None:
        self.faults += self._insert("faults", _FAULTS, columns)

    def _insert(self, table: str, schema: dict[str, pa.DataType], columns: list[list[Any]]) -> int:
        """Move rows, given as columns, to a table; return how many."""
        rows = len(columns[0])
        self._connection.register("batch", pa.table(columns, schema=pa.schema(schema)))
        self._connection.execute(f"INSERT INTO {table} FROM batch")
        self._connection.unregister("batch")
        for column in columns:
            column.clear()
        return rows


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
