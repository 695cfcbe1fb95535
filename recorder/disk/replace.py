"""Write a file as a whole or not at all: under a temporary name, which is then renamed."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pulsoid_rec.recorder.disk.sync import sync_file, sync_folder

OWNER_ONLY = 0o600  # heart rates are health data and tokens are secret: only their owner may read the files


@contextmanager
def open_replacement(path: Path, *, sync: bool, overwrite: bool = True) -> Iterator[Path]:
    """Yield the path of an empty file, readable only by its owner, which replaces `path` when the block ends.

    If the block raises, or the file cannot be made, synced or renamed (`OSError`), `path` is unchanged. With `sync` the
    new content survives a power failure from then on; without `overwrite`, `FileExistsError` is raised if there is a
    file at `path` by then.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
        yield temporary
        if sync:
            file = os.open(temporary, os.O_RDWR)  # Windows does not sync a file that is open only for reading
            try:
                sync_file(file)
            finally:
                os.close(file)
        if overwrite:
            temporary.replace(path)
        else:
            _rename_to_new(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    if sync:
        sync_folder(path.parent)


def remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed left as they replaced a file, or DuckDB beside it."""
    for each in path.absolute().parent.iterdir():
        if each.name.startswith(f".{path.name}.") and each.name.endswith((".part", ".part.wal")):
            each.unlink(missing_ok=True)


def _rename_to_new(path: Path, target: Path) -> None:
    """Rename a file; raise `FileExistsError` if there is one of that name."""
    try:
        os.link(path, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        path.rename(target)
