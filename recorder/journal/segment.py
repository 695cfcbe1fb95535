"""The journal's files: what a segment is called, what its lines look like, and which ones wait to be brought in.

A segment is a text file of JSON lines: one that names the format, then one row a line (`rows`). Each line ends with a
checksum of itself, so that not one digit changes unnoticed. A recorder that is killed leaves its last segment open,
with a last line that may be cut off. `contract.journal_files` says what the files are called.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import msgspec

from pulsoid_rec.recorder.contract.journal_files import LOCK_SUFFIX, lock_path, run_id_of, segment_name, segment_paths
from pulsoid_rec.recorder.disk.lock_file import is_locked, remove_dead_lock
from pulsoid_rec.recorder.journal.rows import AnyRow

FORMAT_VERSION = 1
KEPT = "kept"
"""The folder, inside the journal, for segments kept although they are in the database."""

_encode = msgspec.json.Encoder().encode


class Header(msgspec.Struct, tag_field="table", tag="journal"):
    """The first line of a segment."""

    version: int


def encode_line(content: AnyRow | Header) -> bytes:
    """Write a row as a line: JSON, and the checksum of all that stands before it."""
    text = _encode(content)[:-1]  # without the brace: the checksum goes in as one more field
    return b'%b,"crc32":%d}\n' % (text, crc32(text))


def has_valid_checksum(line: bytes) -> bool:
    """Tell whether a line is what `encode_line` wrote, to the last bit."""
    text, found, checksum = line.rpartition(b',"crc32":')
    return bool(found) and checksum == b"%d}\n" % crc32(text)


HEADER = encode_line(Header(FORMAT_VERSION))


@dataclass(frozen=True)
class Segment:
    """A segment that nobody writes any more."""

    path: Path

    @property
    def name(self) -> str:
        """What `ingested_segments` notes, whether it was closed or left open."""
        return segment_name(self.path)


@dataclass(frozen=True)
class Scan:
    """What can be told of a segment's file without understanding its rows.

    Parameters
    ----------
    version
        Of the format; today's, where no header tells.
    rows
        Sound lines, the header not counted.
    damaged
        Lines that are not as they were written; a torn header is none.
    longest_bytes
        Length of the longest line.
    """

    version: int
    rows: int
    damaged: int
    longest_bytes: int
    has_header: bool


def scan(path: Path) -> Scan:
    """Check each line of a segment's file; in little memory, whatever its size."""
    version, rows, damaged, longest_bytes, has_header = FORMAT_VERSION, 0, 0, 0, False
    with path.open("rb") as file:
        for number, line in enumerate(file):
            longest_bytes = max(longest_bytes, len(line))
            if number == 0 and (header := _read_header(line)):
                version, has_header = header.version, True
            elif has_valid_checksum(line):
                rows += 1
            elif not _says_nothing(line):
                damaged += 1
    return Scan(version, rows, damaged, longest_bytes, has_header)


def read_lines(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Yield each line of a segment's file that says something, and whether it is sound; the header is left out."""
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if not (_says_nothing(line) or (number == 0 and _read_header(line))):
                yield line, has_valid_checksum(line)


def _read_header(line: bytes) -> Header | None:
    with contextlib.suppress(msgspec.MsgspecError):
        if has_valid_checksum(line):
            return msgspec.json.decode(line, type=Header)
    return None


def _says_nothing(line: bytes) -> bool:
    """Tell an empty line, or the beginning of a header that a crash cut off."""
    return not line.strip() or HEADER.startswith(line)


def find_segments(folder: Path) -> list[Segment]:
    """List the segments of recorders that are no more, oldest first; a folder that is not there has none."""
    runs = {run_id_of(path) for path in segment_paths(folder)}
    dead = {run for run in runs if not is_locked(lock_path(folder, run))}
    # Listed anew: whoever is dead now may have closed a segment, which renames it, since the first look.
    return [Segment(path) for path in segment_paths(folder) if run_id_of(path) in dead]


def clear_dead_locks(folder: Path) -> None:
    """Remove the lock files that crashes left behind."""
    for path in folder.glob(f"*{LOCK_SUFFIX}"):
        with contextlib.suppress(OSError):
            remove_dead_lock(path)
