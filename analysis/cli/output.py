"""The output of commands: files, complete or not at all, overwritten only with --force; and messages on stderr."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.disk.replace import open_replacement

if TYPE_CHECKING:
    from pulsoid_rec.analysis.metrics.definitions import Definitions
    from pulsoid_rec.analysis.metrics.filters import Filter
    from pulsoid_rec.analysis.reading.recording import Recording


@contextmanager
def open_new_file(path: Path, *, force: bool) -> Iterator[Path]:
    """Yield a temporary file name in the same folder, and rename the file to `path` when the block is done.

    If the block raises, the temporary file is removed, and an existing file at `path` is unchanged.

    Raises
    ------
    UsageError
        The file exists, and `force` is not set; or its folder does not exist.
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
    """Raise `UsageError` unless a file may be written at `path`."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "Choose a file with -o.")
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent}", "Create it, or choose another file with -o.")
    if path.exists() and not force:
        raise UsageError(f"{path} already exists", "Choose another file with -o, or add --force to overwrite it.")


def write_text(text: str, output: Path | None, *, force: bool = False) -> None:
    """Write a text to a new file, or to stdout if `output` is None."""
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())  # UTF-8 even where the system's encoding lacks letters of a name
        sys.stdout.buffer.flush()
        return
    with open_new_file(output, force=force) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def output_encoding(output: Path | None) -> str:
    """Return the encoding that a text is read in: the terminal's if it goes there, else UTF-8."""
    return sys.stdout.encoding if output is None and sys.stdout.isatty() else "utf-8"


def print_message(text: str) -> None:
    """Print a message, which is not data, to stderr."""
    print(f"pulsoid-rec: {plain(text)}", file=sys.stderr, flush=True)


def print_no_match(recording: "Recording", wanted: "Filter", definitions: "Definitions") -> None:
    """Print why a filter matches nothing, and what the recording holds. This is not an error."""
    from pulsoid_rec.analysis.findings.what_exists import no_match_error

    rooms = {room: name or room for room, name in recording.rooms().iter_rows()}
    sessions = recording.sessions(definitions=definitions)
    print_message(str(no_match_error(wanted, rooms, sessions, str(recording.path))))
