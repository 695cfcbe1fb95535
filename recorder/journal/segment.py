"""The journal's files: their format, and which of them are to be ingested.

A segment is a text file of JSON lines: a header with the version of the format, then one row a line (`rows`). Each line
ends with a checksum of itself. A recorder that is killed leaves its last segment open, perhaps with an incomplete last
line. `contract.journal_files` has the files' names.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec

from pulsoid_rec.recorder.contract.journal_files import LOCK_SUFFIX, STATUS_SUFFIX, lock_path, run_id_of, segment_paths
from pulsoid_rec.recorder.contract.owned_files import require_own_folder
from pulsoid_rec.recorder.disk.lock_file import is_locked, remove_stale_lock
from pulsoid_rec.recorder.journal.rows import AnyRow

FORMAT_VERSION = 2  # of rows: version 1 had `at` for `changed_at`, and no `name`; ingest takes both
_encode = msgspec.json.Encoder().encode


class Header(msgspec.Struct, tag_field="table", tag="journal"):
    """The first line of a segment."""

    version: int


def encode_line(content: AnyRow | Header | dict[str, Any]) -> bytes:
    """Encode a row as a line: JSON, with the checksum of everything before it as the last field."""
    text = _encode(content)[:-1]  # without the brace
    return b'%b,"crc32":%d}\n' % (text, crc32(text))


def has_valid_checksum(line: bytes) -> bool:
    """Return whether a line is exactly what `encode_line` wrote."""
    text, found, checksum = line.rpartition(b',"crc32":')
    return bool(found) and checksum == b"%d}\n" % crc32(text)


_HEADERS = [encode_line(Header(version)) for version in range(1, FORMAT_VERSION + 1)]
HEADER = _HEADERS[-1]
_TAG_AT = len(b'{"table":"')  # each line begins with its table


@dataclass(frozen=True)
class Scan:
    """What a segment's file holds: valid lines without the header, damaged lines, and the longest line's length.

    `tables` are those that the valid lines are for.
    """

    version: int
    rows: int
    tables: frozenset[str]
    damaged: int
    longest_bytes: int
    has_header: bool


def scan(path: Path) -> Scan:
    """Check each line of a segment's file, in little memory; without a header the version is the current one."""
    version, rows, damaged, longest_bytes, has_header = FORMAT_VERSION, 0, 0, 0, False
    tags: set[bytes] = set()
    with path.open("rb") as file:
        for number, line in enumerate(file):
            longest_bytes = max(longest_bytes, len(line))
            if number == 0 and (header := _decode_header(line)):
                version, has_header = header.version, True
            elif has_valid_checksum(line):
                rows += 1
                tags.add(line[_TAG_AT : line.find(b'"', _TAG_AT)])
            elif not _is_blank(line):
                damaged += 1
    tables = frozenset(tag.decode(errors="replace") for tag in tags)
    return Scan(version, rows, tables, damaged, longest_bytes, has_header)


def read_lines(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Yield each line of a segment's file but the header and blank ones, and whether its checksum is valid."""
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if not (_is_blank(line) or (number == 0 and _decode_header(line))):
                yield line, has_valid_checksum(line)


def _decode_header(line: bytes) -> Header | None:
    with contextlib.suppress(msgspec.MsgspecError):
        if has_valid_checksum(line):
            return msgspec.json.decode(line, type=Header)
    return None


def _is_blank(line: bytes) -> bool:
    """Return whether a line is empty, or the beginning of a header that a crash cut off."""
    return not line.strip() or any(header.startswith(line) for header in _HEADERS)


def find_segments(folder: Path) -> list[Path]:
    """List the segments of recorders that have ended, oldest first; none if there is no such folder.

    Raises `PermissionError` if others may have put some there: see `require_own_folder`.
    """
    require_own_folder(folder)
    runs = {run_id_of(path) for path in segment_paths(folder)}
    dead = {run for run in runs if not is_locked(lock_path(folder, run))}
    # Listed again: a run that has ended since may have closed a segment, and so renamed it.
    return [path for path in segment_paths(folder) if run_id_of(path) in dead]


def remove_stale_locks(folder: Path) -> None:
    """Remove the lock files of recorders that crashed."""
    for path in folder.glob(f"*{LOCK_SUFFIX}"):
        with contextlib.suppress(OSError):
            remove_stale_lock(path)


def remove_stale_statuses(folder: Path) -> None:
    """Remove the status files of recorders that crashed, and what was left when one was being replaced."""
    for path in (*folder.glob(f"*{STATUS_SUFFIX}"), *folder.glob(f".*{STATUS_SUFFIX}.*.part")):
        run_id = path.name.lstrip(".").partition(".")[0]
        with contextlib.suppress(OSError):
            if not is_locked(lock_path(folder, run_id)):
                path.unlink(missing_ok=True)


def is_recording(folder: Path) -> bool:
    """Return whether a recorder is at work whose journal is in the folder; False if there is no such folder."""
    return any(is_locked(path) for path in folder.glob(f"*{LOCK_SUFFIX}"))
