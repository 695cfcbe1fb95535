"""The rooms that recorders are recording now: each names them in its lock file."""

import contextlib
from pathlib import Path

import msgspec

from pulsoid_rec.recorder.contract.journal_files import LOCK_SUFFIX
from pulsoid_rec.recorder.disk.lock_file import read_locked


def find_recorded_rooms(folder: Path) -> list[str]:
    """Return the rooms that are being recorded by recorders whose journal is in a folder; none without the folder."""
    rooms: dict[str, None] = {}
    for path in sorted(folder.glob(f"*{LOCK_SUFFIX}")):
        with contextlib.suppress(msgspec.MsgspecError):  # it names none: an import, or an older recorder
            content = read_locked(path)
            rooms.update(dict.fromkeys(msgspec.json.decode(content, type=list[str])))
    return list(rooms)
