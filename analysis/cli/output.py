"""Files that commands write: whole or not at all, and never over another unless told to."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.disk.replace import open_replacement


@contextmanager
def open_new_file(path: Path, *, force: bool) -> Iterator[Path]:
    """Give a temporary name in the same folder, and rename it to the one asked for when all is written.

    Whatever ends it early, the temporary file is removed, and what was at `path` is as it was.

    Raises
    ------
    UsageError
        There is a file already, and `force` is not set; or there is no such folder.
    StorageError
        The file cannot be written.
    """
    check_new_file(path, force=force)
    try:
        with open_replacement(path, sync=False) as temporary:
            yield temporary
            check_new_file(path, force=force)
    except OSError as error:
        raise StorageError(
            f"Cannot write {path}: {(error.strerror or str(error)).lower()}", "Choose another file with -o."
        ) from error


def check_new_file(path: Path, *, force: bool) -> None:
    """Raise `UsageError` unless a file may be written there."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "Name a file with -o.")
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent}", "Make it, or name another with -o.")
    if path.exists() and not force:
        raise UsageError(f"{path} is there already", "Name another file with -o, or add --force to write over it.")


def write_text(text: str, output: Path | None, *, force: bool) -> None:
    """Write a text to a new file, or to stdout when none is named."""
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())  # UTF-8 even where the system's own encoding lacks a member's letters
        sys.stdout.buffer.flush()
        return
    with open_new_file(output, force=force) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def say(text: str) -> None:
    """Tell the user something that is not data."""
    print(f"pulsoid-rec: {text}", file=sys.stderr)
