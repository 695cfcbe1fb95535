"""What a run of the recorder writes about itself, `RUN.status` beside its journal, and how others read it.

It is replaced as a whole every two seconds, and never synced: after a power failure nobody needs it. Where that fails,
as on a full disk, the one before is marked with the time, so that others see that the run lives. A run that ends
removes it; one that is there while nobody holds `RUN.lock` is of a run that was killed. It has no heart rates.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec

from pulsoid_rec.recorder.contract.journal_files import (
    LOCK_SUFFIX,
    STATUS_SUFFIX,
    lock_path,
    run_id_of,
    segment_paths,
    status_path,
)
from pulsoid_rec.recorder.contract.owned_files import open_own, require_own_folder
from pulsoid_rec.recorder.disk.lock_file import is_locked, read_locked
from pulsoid_rec.recorder.disk.replace import open_replacement

STORAGE = frozenset({"journal", "database", "disk"})
"""Kinds of trouble with what is on the disk."""
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_MOST_BYTES = 4 * 2**20  # of a note; a larger one is not one of ours


class Trouble(msgspec.Struct, frozen=True):
    """Something that is wrong; it is the same trouble while `kind` and `subject` are the same."""

    kind: str  # journal, database, disk, room, member, token, recorder
    subject: str | None  # the room or the profile id
    text: str  # one sentence


class RoomNote(msgspec.Struct, kw_only=True):
    """A room of a run."""

    room_id: str
    state: str
    since: Instant
    why: str | None  # it is not live
    last_reading_at: Instant | None
    members: int
    reconnects: int
    deaf_s: float  # of the last hour of this run


class MemberNote(msgspec.Struct, kw_only=True):
    """A member in a room; `lag_s` is how much later than it occurred the last reading was received."""

    room_id: str | None  # None: expected, and not heard yet
    profile_id: str
    name: str | None
    last_reading_at: Instant | None  # when it was received
    lag_s: float | None
    expected: bool


class Note(msgspec.Struct, kw_only=True):
    """What a run writes about itself."""

    run_id: str
    pid: int
    started_at: Instant
    written_at: Instant
    is_ending: bool
    rooms: list[RoomNote]
    members: list[MemberNote]
    more_members: int  # who are not listed
    journal_bytes: int
    database_behind_s: float  # for how long the oldest row has waited to be in the database
    database_error: str | None
    token_ends_at: Instant | None
    troubles: list[Trouble]


class Run(msgspec.Struct, kw_only=True):
    """A run as found from outside: `is_alive` if its process holds its lock."""

    run_id: str
    is_alive: bool
    rooms: list[str]
    note: Note | None
    left_bytes: int = 0  # of a run that is over: what is in the journal still
    last_alive_at: datetime | None = None


def write_note(folder: Path, note: Note) -> None:
    """Replace the note of a run; `OSError` if that cannot be done, and the one before is marked with the time then."""
    path = status_path(folder, note.run_id)
    try:
        with open_replacement(path, sync=False) as new:
            new.write_bytes(msgspec.json.encode(note))
    except OSError:
        with suppress(OSError):
            os.utime(path)
        raise


def read_note(path: Path) -> Note | None:
    """Read a note; None if there is none, or it is not one."""
    try:
        with os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
            return msgspec.json.decode(file.read(_MOST_BYTES), type=Note)
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def find_runs(folder: Path) -> list[Run]:
    """Find the runs that record into a journal's folder, and those that were killed since the last one began.

    By the time of their start. Raises `OSError` if the folder cannot be read, or others may have written there.
    """
    require_own_folder(folder)
    names = {path.name.partition(".")[0] for path in folder.glob(f"[!.]*{STATUS_SUFFIX}")}
    names |= {path.name.removesuffix(LOCK_SUFFIX) for path in folder.glob(f"[!.]*{LOCK_SUFFIX}")}
    return [run for name in sorted(names) if (run := _find_run(folder, name)) is not None]


def _find_run(folder: Path, run_id: str) -> Run | None:
    path, lock = status_path(folder, run_id), lock_path(folder, run_id)
    note = read_note(path)
    if is_locked(lock):
        rooms = _rooms_of(read_locked(lock))
        if note is None and not rooms:  # an import, or a mark that is being stored
            return None
        alive_at = None if note is None else _latest(note.written_at, _marked_at(path))
        return Run(run_id=run_id, is_alive=True, rooms=rooms, note=note, last_alive_at=alive_at)
    if note is None or not path.exists():  # it has ended in good order meanwhile
        return None
    left = [segment.stat() for segment in segment_paths(folder) if run_id_of(segment) == run_id]
    return Run(
        run_id=run_id,
        is_alive=False,
        rooms=[room.room_id for room in note.rooms],
        note=note,
        left_bytes=sum(each.st_size for each in left),
        last_alive_at=_latest(note.written_at, [each.st_mtime for each in left]),
    )


def _marked_at(path: Path) -> list[float]:
    with suppress(FileNotFoundError):
        return [path.stat().st_mtime]
    return []


def _rooms_of(content: bytes) -> list[str]:
    try:
        return msgspec.json.decode(content, type=list[str])
    except msgspec.MsgspecError:
        return []


def _latest(at: datetime, times: Sequence[float]) -> datetime:
    return max(at, *(datetime.fromtimestamp(each, UTC) for each in times)) if times else at
