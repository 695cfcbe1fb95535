"""The place of an archive: which files are there, and how DuckDB is given them."""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.archive_files import (
    VERSION,
    ArchiveFile,
    day_folder,
    parse_archive_path,
    sha256_of,
    table_folder,
)
from pulsoid_rec.recorder.contract.defaults import ARCHIVE_VARIABLE
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.contract.paths import duckdb_pattern, parse_path
from pulsoid_rec.recorder.contract.tables import TABLES

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_VERSION_FOLDER = re.compile(r"v([1-9]\d*)")


class ArchivePlace(ABC):
    """Where an archive is, for those who read it."""

    def __init__(self, text: str) -> None:
        self.text = text
        """The place as it is noted in a database."""
        self.is_remote = text.startswith(("//", "\\\\"))
        """Whether reading it makes requests to another machine, with what tells who the user is."""

    @property
    def is_trusted(self) -> bool:
        """Whether it may be read though only a database names it: on this machine, or named by the user, too."""
        named = os.environ.get(ARCHIVE_VARIABLE)
        return not self.is_remote or (bool(named) and open_place(str(named)).text == self.text)

    def list_files(self, table: str | None = None, day: date | None = None) -> dict[ArchiveFile, int]:
        """List the files of the archive, or of one of its tables or days, each with its size in bytes.

        Anything that is no file of an archive by its name is left out. Raises `StorageError` if the place cannot be
        read; and, if all files are listed, if it is not there, or holds an archive of a newer version.
        """
        for name in self._names() if table is None else ():
            version = _VERSION_FOLDER.fullmatch(name)
            if version and int(version[1]) > VERSION:
                raise StorageError(
                    f"The archive {self.text} was written by a newer pulsoid-rec (it has version {version[1]}, this "
                    f"program reads up to {VERSION})",
                    "Install that newer pulsoid-rec.",
                )
        folders = [table_folder(name) for name in ([table] if table else [each.name for each in TABLES])]
        found = {
            parse_archive_path(path): size
            for folder in folders
            for path, size in self._walk(f"{folder}/{day_folder(day)}" if day else folder)
        }
        return {file: size for file, size in found.items() if file is not None}

    def name_of(self, file: ArchiveFile) -> str:
        """Return how a file is called in messages."""
        return f"{self.text}/{file.path}"

    @abstractmethod
    def duckdb_path(self, file: ArchiveFile) -> str:
        """Return what DuckDB's `read_parquet` has to be given for this file alone."""

    @abstractmethod
    def duckdb_folders(self) -> list[str]:
        """Return the beginnings of what `duckdb_path` returns, and of the files' own paths."""

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:  # noqa: B027 - a folder needs none
        """Make the place known to a connection that is to read from it."""

    @abstractmethod
    def _names(self) -> list[str]:
        """Return the names of what the place itself holds."""

    @abstractmethod
    def _walk(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield the path, relative to the place, and the size of each file in a folder; of none, nothing."""


class ArchiveFolder(ArchivePlace):
    """A folder with an archive."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.folder = folder

    def list_files(self, table: str | None = None, day: date | None = None) -> dict[ArchiveFile, int]:
        """List its files, as any place does."""
        try:
            return super().list_files(table, day)
        except OSError as error:
            raise self._unreadable(error) from error

    def duckdb_path(self, file: ArchiveFile) -> str:
        """Return the pattern that matches this file alone."""
        return duckdb_pattern(self.path_of(file))

    def duckdb_folders(self) -> list[str]:
        """Return the folder, and the pattern that matches it alone."""
        return [str(self.folder), duckdb_pattern(self.folder)]

    def path_of(self, file: ArchiveFile) -> Path:
        """Return where a file is."""
        return self.folder / file.path

    def sha256_of(self, file: ArchiveFile) -> str:
        """Return the SHA-256 of a file, as hexadecimal digits; raise `OSError` if it cannot be read."""
        return sha256_of(self.path_of(file))

    def _names(self) -> list[str]:
        return os.listdir(self.folder)  # noqa: PTH208 - which raises an error for what is no folder

    def _walk(self, folder: str) -> Iterator[tuple[str, int]]:
        try:
            entries = list(os.scandir(self.folder / folder))
        except FileNotFoundError:  # as of a table that never had rows
            return
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if entry.is_dir():
                yield from self._walk(path)
            elif entry.is_file():
                yield path, entry.stat().st_size

    def _unreadable(self, error: OSError) -> StorageError:
        if isinstance(error, FileNotFoundError) and not self.folder.exists():
            return StorageError(
                f"The archive {self.text} is not there",
                "Connect its disk; if it was moved, name the place where it is now.",
            )
        if isinstance(error, NotADirectoryError):
            return StorageError(f"The archive {error.filename} is not a folder", "Name the folder of the archive.")
        reason = (error.strerror or str(error)).lower()
        return StorageError(f"Cannot read the archive {self.text}: {reason}", "Its folders must be readable.")


def open_place(text: str | Path) -> ArchivePlace:
    """Return the place of an archive, by what a user wrote or a database has noted; it is not opened yet.

    Raises `UsageError` if it is empty, a URL of another kind than `s3://`, or what that needs is not installed.
    """
    if text == "":  # as of a variable that is not set: it would be the folder that one is in
        raise UsageError("The archive has no name", "Name a folder, or a bucket as s3://BUCKET/FOLDER.")
    url = _URL.match(text) if isinstance(text, str) else None
    if url is None:
        return ArchiveFolder(parse_path(text).absolute())
    if url[1].lower() != "s3":
        raise UsageError(f"{text} is no place for an archive", "Name a folder, or a bucket as s3://BUCKET/FOLDER.")
    from pulsoid_rec.recorder.contract.archive_bucket import ArchiveBucket  # noqa: PLC0415 - an extra

    return ArchiveBucket(str(text))
