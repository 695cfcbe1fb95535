"""What becomes of a line of the journal that cannot be stored as what it is: a rejected message, with the reason."""

from time import time_ns
from typing import Annotated

import msgspec

from pulsoid_rec.recorder.ingest.segment_rows import RAW_CHARACTERS
from pulsoid_rec.recorder.journal.rows import RejectedMessageRow

DAMAGED = "a line of the journal that a crash cut off, or a disk damaged"

_YEAR_10000 = 253_402_300_800_000_000  # in microseconds since 1970


class _Line(msgspec.Struct):
    """What a rejected message keeps of a line."""

    raw: str
    room_id: str | None = None
    connection_id: str | None = None
    received_at: Annotated[int, msgspec.Meta(ge=0, lt=_YEAR_10000)] | None = None


def reject_damaged(line: bytes) -> RejectedMessageRow:
    """Return the row for a line whose checksum is wrong."""
    return _reject(_Line(line.removesuffix(b"\n").decode(errors="backslashreplace")), DAMAGED)


def reject_refused(line: bytes, why: str) -> RejectedMessageRow:
    """Return the row for a line that DuckDB does not store, with the message as it was received."""
    try:
        content = msgspec.json.decode(line, type=_Line)
    except msgspec.MsgspecError:  # it came from no message, or is like none of ours
        content = _Line(line.removesuffix(b"\n").decode(errors="backslashreplace"))
    return _reject(content, f"DuckDB cannot store it: {why}")


def _reject(line: _Line, reason: str) -> RejectedMessageRow:
    if len(line.raw) > RAW_CHARACTERS:
        reason += f" (the first {RAW_CHARACTERS:,} of {len(line.raw):,} characters are kept)"
    received_at = time_ns() // 1000 if line.received_at is None else line.received_at
    return RejectedMessageRow(line.room_id, line.connection_id, received_at, reason, line.raw[:RAW_CHARACTERS])
