"""Lines of the journal that came of a member before they were forgotten: these are not stored again."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pulsoid_rec.recorder.contract.forgotten import Forgotten, came_at
from pulsoid_rec.recorder.contract.tables import REJECTED_MESSAGES
from pulsoid_rec.recorder.journal.segment import has_valid_checksum, read_lines

_RECEIVED = re.compile(r'"received_at":(\d+)')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_WORD = re.compile(r"[^\s\"'\\,:;{}\[\]()<>=]+")


class _Line(msgspec.Struct):
    table: str
    received_at: int | None = None
    marked_at: int | None = None
    occurred_at: int | None = None
    connection_id: str | None = None
    profile_id: str | None = None
    reason: str | None = None
    raw: str | None = None


_decode = msgspec.json.Decoder(_Line).decode


def is_forgotten(line: bytes, forgotten: Forgotten) -> bool:
    """Return whether a line came of somebody before they were forgotten.

    Of a message that was rejected, or a damaged line, whether it has their id in it.
    """
    if not forgotten:
        return False
    row = _decode_row(line)
    if row is None:
        return _is_forgotten_text(line.decode(errors="replace"), forgotten)
    if row.table == REJECTED_MESSAGES.name and row.connection_id is None:
        return _is_forgotten_text(str(row.raw), forgotten)
    received_at = row.marked_at if row.received_at is None else row.received_at
    at = None if received_at is None else came_at(row.connection_id, row.occurred_at, received_at)
    if at is None or at > forgotten.latest_us:
        return False
    if row.table == REJECTED_MESSAGES.name:
        return forgotten.has_any(_words(f"{row.reason} {row.raw}"), at)
    return row.profile_id is not None and forgotten.has_any([row.profile_id], at)


def has_forgotten(segment: Path, forgotten: Forgotten) -> bool:
    """Return whether a segment has such lines."""
    return bool(forgotten) and any(is_forgotten(line, forgotten) for line, _ in read_lines(segment))


def has_older_rows(segment: Path, forgotten: Forgotten) -> bool:
    """Return whether a segment has rows from before the last member was forgotten."""
    return any(
        int(received[1]) <= forgotten.latest_us
        for line, _ in read_lines(segment)
        for received in _RECEIVED.finditer(line.decode(errors="replace"))
    )


def without_forgotten(segment: Path, forgotten: Forgotten) -> bytes | None:
    """Return what is left of a segment's file; None if that is all of it."""
    if not forgotten:
        return None
    with segment.open("rb") as file:
        lines = list(file)
    left = [line for number, line in enumerate(lines) if number == 0 or not is_forgotten(line, forgotten)]
    return b"".join(left) if len(left) < len(lines) else None


def _decode_row(line: bytes) -> _Line | None:
    """Return a line's content; None if it is damaged, or has other fields than ours."""
    with contextlib.suppress(msgspec.MsgspecError):
        if has_valid_checksum(line):
            return _decode(line)
    return None


def _is_forgotten_text(damaged: str, forgotten: Forgotten) -> bool:
    """Return the same for a damaged line, in which its receipt may be."""
    received = _RECEIVED.search(damaged)
    return forgotten.has_any(_words(damaged), int(received[1]) if received else None)


def _words(text: str) -> Iterator[str]:
    """Yield what may be an id in a text: what is quoted, also as JSON in JSON, and each word."""
    for unquoted in (text, text.replace('\\"', '"')):
        for quoted in _QUOTED.findall(unquoted):
            yield quoted
            with contextlib.suppress(msgspec.MsgspecError):
                yield str(msgspec.json.decode(f'"{quoted}"'))
        yield from _WORD.findall(unquoted)
