"""Writing a file whole or not at all: under a temporary name, which then takes the place of the real one."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pulsoid_rec.recorder.disk.sync import sync_file, sync_folder

OWNER_ONLY = 0o600
"""Heart rates are health data and a token is a key: what is written is for its owner's eyes."""


def temporary_path(path: Path) -> Path:
    """Return a name in the same folder that no other file has."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


@contextmanager
def open_replacement(path: Path, *, sync: bool) -> Iterator[Path]:
    """Yield the path of an empty file, readable by its owner alone, which replaces `path` when the block ends.

    If the block raises, the temporary file is removed, and what was at `path` is as it was.

    Parameters
    ----------
    path
        The file to write or to replace.
    sync
        True if the new content must survive a power failure from then on.

    Raises
    ------
    OSError
        The file cannot be made, synced or replaced.
    """
    temporary = temporary_path(path)
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
        yield temporary
        if sync:
            file = os.open(temporary, os.O_RDWR)  # Windows syncs no file that is open for reading alone
            try:
                sync_file(file)
            finally:
                os.close(file)
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    if sync:
        sync_folder(path.parent)
