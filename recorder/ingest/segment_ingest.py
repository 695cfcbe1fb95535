"""Ingest one segment: as a whole if possible, else in pieces, so that no row keeps out the others.

Of a damaged segment a repaired copy is ingested, with the damaged lines as rejected messages. A segment that DuckDB
does not store as a whole is ingested in pieces, each in a transaction that notes how far it reaches. Pieces that are
not stored get smaller; a line that is not stored even alone becomes a rejected message.
"""

import errno
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.duckdb_errors import is_about_rows
from pulsoid_rec.recorder.contract.forgotten import Forgotten
from pulsoid_rec.recorder.contract.journal_files import segment_name
from pulsoid_rec.recorder.contract.tables import HEART_RATE, INGESTED_SEGMENTS, REJECTED_MESSAGES, TABLES
from pulsoid_rec.recorder.contract.wording import format_count
from pulsoid_rec.recorder.ingest.forgotten_lines import has_forgotten, has_older_rows, is_forgotten
from pulsoid_rec.recorder.ingest.rejected_lines import reject_damaged, reject_refused
from pulsoid_rec.recorder.ingest.segment_rows import insert_file
from pulsoid_rec.recorder.journal.segment import FORMAT_VERSION, Header, Scan, encode_line, read_lines, scan

PIECE = "@"
"""In `ingested_segments`, between a segment's name and how many of its lines are ingested while not all are."""

KEY_MISSING = "the file DATABASE.forgotten.key is put back"
"""What has to be done where it cannot be seen who was forgotten."""

# On Windows a file may be denied for a moment.
_UNREADABLE = {errno.EIO, errno.EACCES, errno.EPERM} if os.name == "posix" else {errno.EIO}
_PLACE = re.compile(r' in file ".*", in line \d+')
_REASON_CHARACTERS = 300

log = logging.getLogger(__name__)


@dataclass
class Ingested:
    """What was ingested, in rows by table; and the segments that were skipped: unreadable, or of a newer version.

    `forgotten` are rows that were left out, since they came of a member before they were forgotten.
    """

    rows: dict[str, int] = field(default_factory=lambda: {table.name: 0 for table in TABLES})
    segments: int = 0
    skipped: list[Path] = field(default_factory=list)
    forgotten: int = 0

    def add(self, rows: dict[str, int]) -> None:
        """Count rows."""
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


class NotStoredError(Exception):
    """DuckDB did not store some lines: open the database anew, and ingest the segment again."""


@dataclass
class _Pieces:
    """How a segment is ingested that does not go in as a whole."""

    lines: int
    """Lines in a piece."""
    why: str = ""
    """Why a piece of one line is not stored, if so."""


class SegmentIngest:
    """Ingests segments, and counts in `total` what is committed."""

    def __init__(self, total: Ingested) -> None:
        self._total = total
        self.forgotten = Forgotten()
        """Of whom older rows are left out."""
        self._pieces: dict[Path, _Pieces] = {}

    def ingest(self, connection: duckdb.DuckDBPyConnection, segment: Path, notes: list[str]) -> bool:
        """Ingest a segment of which `notes` are in the database; return False if it can only be skipped.

        Raises `NotStoredError` if some lines were not stored: call it again, with another connection; `duckdb.Error` if
        the database cannot be used.
        """
        try:
            found = scan(segment)
        except OSError as error:
            if error.errno not in _UNREADABLE:
                raise
            return self._skip(segment, f"cannot be read ({os.strerror(error.errno)}); it is kept as it is")
        if found.version > FORMAT_VERSION:
            return self._skip(segment, "was written by a newer pulsoid-rec; it is kept until you install that")
        if self.forgotten and self.forgotten.key is None and has_older_rows(segment, self.forgotten):
            return self._skip(segment, f"is from before a member was forgotten; it is kept until {KEY_MISSING}")
        name = segment_name(segment)
        try:
            if notes or segment in self._pieces:
                self._ingest_pieces(connection, segment, found, notes)
            elif found.damaged or not found.has_header or has_forgotten(segment, self.forgotten):
                lines = list(_storable_lines(segment))
                left = self._left_of(lines)
                self._total.add(_insert_lines(connection, name, segment, found, left))
                self._total.forgotten += len(lines) - len(left)
            else:
                self._total.add(insert_file(connection, name, segment, found))
        except duckdb.Error as error:
            self._make_smaller(segment, found.rows, error)
            raise NotStoredError from error
        self._total.segments += 1
        if found.damaged:
            damaged = format_count(found.damaged, "damaged line")
            log.warning("%s: %s stored in %s.", segment.name, damaged, REJECTED_MESSAGES.name)
        return True

    def _skip(self, segment: Path, why: str) -> bool:
        if segment not in self._total.skipped:
            log.error("%s %s.", segment, why)
            self._total.skipped.append(segment)
        return False

    def _ingest_pieces(
        self, connection: duckdb.DuckDBPyConnection, segment: Path, found: Scan, notes: list[str]
    ) -> None:
        name = segment_name(segment)
        done = max((int(note.rpartition(PIECE)[2]) for note in notes), default=0)
        lines = islice(_storable_lines(segment), done, None)
        pieces = self._pieces.setdefault(segment, _Pieces(1))
        while piece := list(islice(lines, pieces.lines)):
            pieces.lines = len(piece)
            done += len(piece)
            left = self._left_of(piece)
            if pieces.why:
                left = [encode_line(reject_refused(line, pieces.why)) for line in left]
            self._total.add(_insert_lines(connection, f"{name}{PIECE}{done}", segment, found, left))
            self._total.forgotten += len(piece) - len(left)
            pieces.lines, pieces.why = 2 * pieces.lines, ""
        connection.execute(f"INSERT INTO {INGESTED_SEGMENTS.name} VALUES (?, ?, now())", [name, done])

    def _left_of(self, lines: Iterable[bytes]) -> list[bytes]:
        return [line for line in lines if not is_forgotten(line, self.forgotten)]

    def _make_smaller(self, segment: Path, rows: int, error: duckdb.Error) -> None:
        """Choose the next piece after an error; raise it if the rows are not at fault."""
        if not is_about_rows(error):
            raise error
        pieces = self._pieces.get(segment)
        why = _explain(error)
        if pieces is None:
            log.warning("%s is ingested in pieces, since DuckDB does not store it as a whole: %s", segment.name, why)
            self._pieces[segment] = _Pieces(max(1, rows // 2))
        elif pieces.why:
            raise error
        elif pieces.lines == 1:
            pieces.why = why
        else:
            pieces.lines //= 2


def _explain(error: duckdb.Error) -> str:
    """Return an error's first line, without the name of our file."""
    first_line = str(error).partition("\n")[0]
    return _PLACE.sub("", first_line)[:_REASON_CHARACTERS] or type(error).__name__


def _storable_lines(segment: Path) -> Iterable[bytes]:
    """Yield a segment's lines, the damaged ones as rejected messages."""
    for line, is_valid in read_lines(segment):
        yield line if is_valid else encode_line(reject_damaged(line))


def _insert_lines(
    connection: duckdb.DuckDBPyConnection, note: str, segment: Path, found: Scan, lines: Iterable[bytes]
) -> dict[str, int]:
    """Insert lines by way of a copy of the segment."""
    copy = segment.with_suffix(".repaired")
    version = found.version if found.has_header else 1  # which takes lines of all
    with copy.open("wb") as file:
        file.write(encode_line(Header(version)))
        file.writelines(lines)
    rows = insert_file(connection, note, copy, scan(copy))
    copy.unlink()
    return rows
