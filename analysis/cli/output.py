"""The output of commands: files, complete or not at all, never over what was recorded; and messages on stderr."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pulsoid_rec.recorder.contract.archive_files import parse_archive_path, table_folder
from pulsoid_rec.recorder.contract.display import plain, print_lines
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.contract.paths import follow_link
from pulsoid_rec.recorder.contract.tables import TABLES
from pulsoid_rec.recorder.disk.replace import open_replacement

_ARCHIVE_PARTS = 4  # of the path of an archive's file: version, table, day and name
_ARCHIVE_TABLES = {table_folder(table.name) for table in TABLES}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file that a command writes, beside the `database` and the `members` file that it reads."""

    path: Path  # where
    force: bool  # whether another file there is overwritten; what was recorded never is
    database: Path
    members: Path | None = None  # None: that beside the database
    key: Path | None = None  # of pseudonyms, likewise

    def check(self) -> None:
        """Raise `UsageError` unless a file may be written there."""
        path = self.path
        if path.is_dir():
            raise UsageError(f"{path} is a folder", "Choose a file with -o.")
        if not path.parent.is_dir():
            raise UsageError(f"There is no folder {path.parent}", "Create it, or choose another file with -o.")
        if kept := self.find_recorded():
            raise UsageError(f"{path} is {kept}, which is never overwritten", "Choose another file with -o.")
        if path.exists() and not self.force:
            raise UsageError(f"{path} already exists", "Choose another file with -o, or add --force to overwrite it.")

    @contextmanager
    def open_(self) -> Iterator[Path]:
        """Yield a temporary file name in the same folder, and rename the file when the block is done.

        If the block raises, the temporary file is removed, and an existing file is unchanged. Raises `StorageError` if
        the file cannot be written, and what `check` does.
        """
        self.check()
        try:
            with open_replacement(self.path, sync=False) as temporary:
                yield temporary
                self.check()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StorageError(f"Cannot write {self.path}: {reason}", "Choose another file with -o.") from error

    def within(self) -> "NewFile":
        """Return a file in the folder of this path."""
        return replace(self, path=self.path / "file")

    def find_recorded(self) -> str | None:
        """Return what of the recording is at the path, by whatever name, link or spelling; None if nothing is."""
        from pulsoid_rec.analysis.reading import pseudonym_key
        from pulsoid_rec.recorder.cli.recording_log import logs_folder
        from pulsoid_rec.recorder.contract.forgotten import key_path
        from pulsoid_rec.recorder.contract.members_file import FILE_NAME  # loads msgspec

        database = follow_link(self.database)
        files = {
            database: "the recording itself",
            database.with_name(f"{database.name}.wal"): "the file of the recording's newest rows",
            key_path(database): "the key of those forgotten",
            self.database.with_name(FILE_NAME): "the members file",
            self.members: "the members file",
            self.database.with_name(pseudonym_key.FILE_NAME): "the key of pseudonyms",
            self.key: "the key of pseudonyms",
        }
        for file, what in files.items():
            if file is not None and _is_same_file(self.path, file):
                return what
        if any(parse_archive_path("/".join(path.parts[-_ARCHIVE_PARTS:])) for path in (self.path, _real(self.path))):
            return "a file of an archive"
        # Engines would read whatever lies there as rows of the archive.
        if any("/".join(folder.parts[-2:]) in _ARCHIVE_TABLES for folder in _parents(self.path)):
            raise UsageError(f"{self.path} is in the folder of an archive", "Choose another file with -o.")
        folders = {
            journal_folder(self.database): "in the recording's journal",
            logs_folder(self.database): "among the recording's logs",
        }
        for folder, what in folders.items():
            if any(_is_same(parent, folder) for parent in _parents(self.path)) or (
                self.path.exists() and any(_is_same(self.path, file) for file in folder.rglob("*"))
            ):
                return what
        return None


def _is_same_file(path: Path, file: Path) -> bool:
    """Return whether two paths lead to one file, or would: names in any case, as file systems may ignore it."""
    has_its_name = path.name.casefold() == file.name.casefold() and _is_same(path.parent, file.parent)
    return has_its_name or _is_same(path, file)


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one of them is not there
        return False


def _real(path: Path) -> Path:
    """Return an absolute path without links."""
    return Path(os.path.realpath(path))


def _parents(path: Path) -> set[Path]:
    """Return all folders that a path is in, itself and what it is a link to."""
    places = (_real(path.parent), _real(path).parent)
    return {folder for place in places for folder in (place, *place.parents)}


def write_text(text: str, output: NewFile | None) -> None:
    """Write a text to a new file, or to stdout if `output` is None."""
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())  # UTF-8 even where the system's encoding lacks letters of a name
        sys.stdout.buffer.flush()
        return
    with output.open_() as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def output_encoding(output: NewFile | None) -> str:
    """Return the encoding that a text is read in: the terminal's if it goes there, else UTF-8."""
    return sys.stdout.encoding if output is None and sys.stdout.isatty() else "utf-8"


def print_message(text: str) -> None:
    """Print a message, which is not data, to stderr."""
    print_lines(f"pulsoid-rec: {plain(text)}")
