"""The place of an archive: which files are there, and how DuckDB is given them."""

import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.archive_files import (
    VERSION,
    ArchiveFile,
    day_folder,
    parse_archive_path,
    table_folder,
)
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.contract.paths import duckdb_pattern, parse_path
from pulsoid_rec.recorder.contract.tables import TABLES

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_VERSION_FOLDER = re.compile(r"v([1-9]\d*)")


class ArchivePlace:
    """A folder with an archive."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.text = str(folder)
        """The place as it is noted in a database."""

    def list_files(self, table: str | None = None, day: date | None = None) -> dict[ArchiveFile, int]:
        """List the files of the archive, or of one of its tables or a day of it, each with its size in bytes.

        Anything that is no file of an archive by its name is left out.

        Raises
        ------
        StorageError
            The place is not there, cannot be read, or holds an archive of a newer version.
        """
        try:
            self._require_version()
            tables = [table] if table else [each.name for each in TABLES]
            return dict(item for name in tables for item in self._files_of(name, day))
        except OSError as error:
            raise self._unreadable(error) from error

    def duckdb_path(self, file: ArchiveFile) -> str:
        """Return what DuckDB's `read_parquet` has to be given for this file alone."""
        return duckdb_pattern(self.path_of(file))

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the place known to a connection that is to read from it; a folder is known to all."""

    def path_of(self, file: ArchiveFile) -> Path:
        """Return where a file is."""
        return self.folder / file.path

    def _require_version(self) -> None:
        """Raise `StorageError` if there is an archive of a newer version, and `OSError` if there is no such folder."""
        for entry in self.folder.iterdir():
            version = _VERSION_FOLDER.fullmatch(entry.name)
            if version and int(version[1]) > VERSION:
                raise StorageError(
                    f"The archive {self.text} was written by a newer pulsoid-rec (it has version {version[1]}, this "
                    f"program reads up to {VERSION})",
                    "Install that newer pulsoid-rec.",
                )

    def _files_of(self, table: str, day: date | None) -> Iterator[tuple[ArchiveFile, int]]:
        folder = self.folder / table_folder(table)
        days = [day_folder(day)] if day else [entry.name for entry in _entries(folder) if entry.is_dir()]
        for name in days:
            for entry in _entries(folder / name):
                file = parse_archive_path(f"{table_folder(table)}/{name}/{entry.name}")
                if file is not None and entry.is_file():
                    yield file, entry.stat().st_size

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


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """List a folder; empty if there is none, as of a table that never had rows."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def open_place(text: str | Path) -> ArchivePlace:
    """Return the place of an archive, by what a user wrote or a database has noted; nothing is looked at yet.

    Raises
    ------
    UsageError
        It is a URL, or no path.
    """
    if isinstance(text, str) and _URL.match(text):
        raise UsageError(f"{text} is not a folder", "Name the folder of the archive.")
    return ArchivePlace(parse_path(text).absolute())
