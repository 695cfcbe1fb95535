"""The kept journal: every segment that was ingested, compressed, in one file for each day (UTC).

Each segment is a gzip member of its own, so `zcat` reads a file as a whole. The member's header has the segment's name
and the member's length: so a member that a crash cut off is found and removed, and no segment is kept twice. Only the
process that has the database open writes here.
"""

import gzip
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pulsoid_rec.recorder.contract.journal_files import segment_name
from pulsoid_rec.recorder.disk.replace import OWNER_ONLY
from pulsoid_rec.recorder.disk.sync import sync_file, sync_folder

_HEADER = struct.Struct("<4sIBBH2sHI")
"""Magic with flags, time, hints, system, length of the extra field; in it its id, the value's length, the member's."""

_MAGIC = b"\x1f\x8b\x08\x0c"  # gzip, deflate, with an extra field and a name
_EXTRA = (8, b"PR", 4)
_LEVEL = 6
_NAME_BYTES = 256


@dataclass
class _Known:
    """What this process knows of a file: where its last whole member ends, and whose members are before that."""

    end: int = 0
    names: set[str] = field(default_factory=set)
    inode: int = 0


_known: dict[Path, _Known] = {}


def keep_segment(segment: Path, folder: Path, content: bytes | None = None) -> None:
    """Append a segment to the file of the day it was last written on, and sync it to the disk; or another content.

    Not if it is there already, by a recorder that crashed before it removed the segment.
    """
    name = segment_name(segment)
    day = datetime.fromtimestamp(segment.stat().st_mtime, UTC).date()
    path = folder / f"{day}.jsonl.gz"
    folder.mkdir(mode=0o700, exist_ok=True)
    if is_new := not path.exists():
        path.touch(OWNER_ONLY)
    with path.open("r+b") as file:
        known = _find_members(file, path)
        if name not in known.names:
            file.seek(0, os.SEEK_END)
            file.write(_compress(name, segment.read_bytes() if content is None else content))
            file.flush()
            sync_file(file.fileno())
            known.names.add(name)
            known.end = file.tell()
    if is_new:
        sync_folder(folder)


def filter_kept(source: BinaryIO, target: BinaryIO, keep: Callable[[bytes], bytes | None]) -> int:
    """Copy a kept file, line by line, as `keep` returns each; None leaves it out. Return how many are not as they were.

    What is not ours is copied unchanged, from there to the end.
    """
    changed = 0
    size = source.seek(0, os.SEEK_END)
    at = 0
    while at < size:
        source.seek(at)
        head = source.read(_HEADER.size + _NAME_BYTES)
        length = _HEADER.unpack_from(head)[-1] if len(head) >= _HEADER.size else size
        source.seek(at)
        if not head.startswith(_MAGIC) or at + length > size:
            shutil.copyfileobj(source, target)
            break
        member = source.read(length)
        lines = gzip.decompress(member).splitlines(keepends=True)
        kept = [keep(line) for line in lines]
        if kept != lines:
            changed += sum(new != line for new, line in zip(kept, lines, strict=True))
            name = head[_HEADER.size :].partition(b"\0")[0].decode("latin-1")
            member = _compress(name, b"".join(line for line in kept if line is not None))
        target.write(member)
        at += length
    return changed


def _find_members(file: BinaryIO, path: Path) -> _Known:
    """Read on from where this process stopped; cut off what another left incomplete."""
    size = file.seek(0, os.SEEK_END)
    known = _known.get(path)
    inode = os.fstat(file.fileno()).st_ino
    if known is None or known.inode != inode or known.end > size:
        _known.clear()  # of another day, or the file was moved away or replaced
        known = _known[path] = _Known(inode=inode)
    while known.end < size:
        file.seek(known.end)
        head = file.read(_HEADER.size + _NAME_BYTES)
        length = _HEADER.unpack_from(head)[-1] if len(head) >= _HEADER.size else size
        if not head.startswith(_MAGIC) or known.end + length > size:
            # Its segment is still in the journal. Anything else is not ours.
            if head[: len(_MAGIC)] == _MAGIC[: len(head)] or not head.strip(b"\0"):
                file.truncate(known.end)
            break
        known.end += length
        known.names.add(head[_HEADER.size :].partition(b"\0")[0].decode("latin-1"))
    return known


def _compress(name: str, content: bytes) -> bytes:
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    tail = deflate.compress(content) + deflate.flush() + struct.pack("<II", zlib.crc32(content), len(content))
    file_name = name.encode("latin-1", "replace") + b"\0"
    size = _HEADER.size + len(file_name) + len(tail)
    return _HEADER.pack(_MAGIC, 0, 0, 255, *_EXTRA, size) + file_name + tail
