"""Open a CSV or Parquet file, and yield its rows as texts.

The first line that has a column for the time and one for the bpm is the header, and the separator is the one under
which it has them. So a file may begin with lines of its own, as Polar's do.
"""

import csv
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TextIO

import duckdb

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.owned_files import open_file
from pulsoid_rec.recorder.contract.paths import duckdb_pattern
from pulsoid_rec.recorder.contract.table_check import quote_name
from pulsoid_rec.recorder.importing.columns import Columns, find_columns, no_columns_error
from pulsoid_rec.recorder.ingest.database import CONFIG

_HEADER_LINES = 30
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_PARQUET = b"PAR1"
_BATCH = 10_000

IsReading = Callable[[list[str]], bool]  # whether the cells of a line are those of a reading


@contextmanager
def open_source(path: Path, named: Mapping[str, str]) -> "Iterator[CsvSource | ParquetSource]":
    """Open a file; `named` are the columns that the user named, by meaning.

    Raises `UsageError` if it cannot be read, or has no column for the time or the bpm.
    """
    try:
        with open(path, "rb", opener=open_file) as file:
            start = file.read(len(_PARQUET))
        if not start:
            raise UsageError(f"{path} is empty", "Name a CSV or Parquet file.")
        if start == _PARQUET:
            with duckdb.connect(config={**CONFIG, "memory_limit": "128MB"}) as connection:
                connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
                yield ParquetSource(connection, path, named)
            return
        encoding = _encoding(start)
        errors = "surrogateescape" if encoding == "utf-8-sig" else "replace"
        with path.open(encoding=encoding, errors=errors, newline="") as lines:
            yield _open_csv(lines, path, named)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"Cannot read {path}: {reason}", "Name a CSV or Parquet file.") from error


def _encoding(start: bytes) -> str:
    if start[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    if start[:2].count(0) == 1:
        return "utf-16-be" if start[0] == 0 else "utf-16-le"
    return "utf-8-sig"


def _open_csv(file: TextIO, path: Path, named: Mapping[str, str]) -> "CsvSource":
    likeliest: list[str] = []
    for number, line in enumerate(islice(file, _HEADER_LINES), 1):
        for separator in _SEPARATORS:
            header = next(csv.reader([line], delimiter=separator), [])
            if columns := find_columns(header, named):
                return CsvSource(file, number, separator, columns)
            likeliest = max(likeliest, header, key=len)
    raise no_columns_error(path.name, likeliest, named)


class CsvSource:
    """A CSV file that was read as far as its header, in line `header_line`."""

    def __init__(self, file: TextIO, header_line: int, separator: str, columns: Columns) -> None:
        encoding = file.encoding.removesuffix("-sig").upper()
        self.kind = f"CSV in {encoding}, separated by {_SEPARATORS[separator]}, with its header in line {header_line}"
        self.columns = columns
        self.fault = ""
        """Why the current row is not one, if so."""
        self.line = header_line
        """The number of the current row's first line."""
        self._file = file
        self._separator = separator
        self._again: deque[str] = deque()  # lines to be read again
        self._current: list[str] = []  # lines of the current row

    @property
    def text(self) -> str:
        """The current row as it is in the file."""
        return "".join(self._current).rstrip("\r\n")

    def rows(self, is_reading: IsReading) -> Iterator[list[str]]:
        """Yield the cells of each row; a quote that is left open takes only its own line with it."""
        width, current = len(self.columns.header), self._current
        reader = self._reader()
        self.line += 1
        while True:
            current.clear()
            self.fault = ""
            cells: list[str] = []
            try:
                cells = next(reader)
                is_open = len(current) > 1 and any(
                    _is_whole(line) and is_reading(self._split(line)) for line in current[1:]
                )
            except StopIteration:
                return
            except csv.Error:  # a cell is longer than 128 KiB
                is_open = True
            if is_open:
                self.fault = "it has a quote that is not closed"
                self._again.extendleft(reversed(current[1:]))
                del current[1:]
                reader = self._reader()
            elif len(cells) != width and (any(cells[width:]) or len(cells) < width) and any(cells):
                self.fault = f"it has {len(cells)} cells, and the header {width}"
            yield cells
            self.line += len(current)

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._read(), delimiter=self._separator)

    def _read(self) -> Iterator[str]:
        append, again = self._current.append, self._again
        while again:
            append(line := again.popleft())
            yield line
        for line in self._file:
            append(line)
            yield line

    def _split(self, line: str) -> list[str]:
        try:
            return next(csv.reader([line], delimiter=self._separator), [])
        except csv.Error:
            return []


def _is_whole(line: str) -> bool:
    """Return whether a line has no end or beginning of a quoted cell that goes over several lines."""
    return line.count('"') % 2 == 0


class ParquetSource:
    """A Parquet file, with the attributes of a `CsvSource`; values are what DuckDB writes for them."""

    kind = "Parquet"
    fault = ""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, named: Mapping[str, str]) -> None:
        try:
            self._table = connection.read_parquet(duckdb_pattern(path))
        except duckdb.Error as error:
            raise UsageError(f"{path} is not a whole Parquet file", "Write it again, or name another one.") from error
        columns = find_columns(self._table.columns, named)
        if columns is None:
            raise no_columns_error(path.name, self._table.columns, named)
        self.columns = columns
        self.line = 0
        """The number of the current row."""
        self.text = ""

    def rows(self, _is_reading: IsReading) -> Iterator[list[str]]:
        """Yield the cells of each row; those of columns that are not used are empty."""
        used = set(self.columns.places.values())
        values = (
            f"coalesce({quote_name(name)}::VARCHAR, '')" if place in used else "''"
            for place, name in enumerate(self.columns.header)
        )
        for batch in self._table.project(", ".join(values)).to_arrow_reader(_BATCH):
            for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                self.line += 1
                self.text = ",".join(cells)
                yield list(cells)
