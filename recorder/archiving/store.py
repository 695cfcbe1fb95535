"""Puts files into an archive: each as a whole or not at all."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.archive_files import ArchiveFile, sha256_of
from pulsoid_rec.recorder.contract.archive_place import ArchiveFolder, ArchivePlace
from pulsoid_rec.recorder.contract.duckdb_errors import storage_error
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.disk.replace import open_replacement, remove_leftovers
from pulsoid_rec.recorder.disk.sync import sync_folder


class ArchiveStore(ABC):
    """An archive, to be written to."""

    def __init__(self, place: ArchivePlace) -> None:
        self.place = place

    @abstractmethod
    def make(self) -> None:
        """Make the place, readable only by its owner, if it is not there."""

    @abstractmethod
    def put(self, file: ArchiveFile, write: Callable[[Path], object]) -> tuple[int, str]:
        """Write a file, and then give it its name; return its size in bytes, and its SHA-256.

        It replaces an earlier file of that name. `write` writes it to a path, and reads it back; if it raises, the
        archive is as before. Raises `StorageError` if the place has gone, has no space left, or cannot be written to.
        """

    @abstractmethod
    def sha256_of(self, file: ArchiveFile) -> str:
        """Return the SHA-256 of a file; raise `OSError` or `StorageError` if it cannot be read."""

    @abstractmethod
    def remove(self, file: ArchiveFile) -> None:
        """Remove a file."""


class FolderStore(ArchiveStore):
    """An archive that is a folder, to be written to."""

    def __init__(self, place: ArchiveFolder) -> None:
        super().__init__(place)
        self._folder = place.folder
        self._path_of = place.path_of

    def make(self) -> None:
        """Make the folder, readable only by its owner, if it is not there."""
        with self._translate_errors():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(self._folder.parent)

    def put(self, file: ArchiveFile, write: Callable[[Path], object]) -> tuple[int, str]:
        """Write a file under a temporary name, sync it, and rename it."""
        path = self._path_of(file)
        with self._translate_errors():
            self._make_folders(path.parent)
            remove_leftovers(path)
            with open_replacement(path, sync=True) as temporary:
                write(temporary)
                stored = temporary.stat().st_size, sha256_of(temporary)
        return stored

    def sha256_of(self, file: ArchiveFile) -> str:
        """Return the SHA-256 of a file."""
        return sha256_of(self._path_of(file))

    def remove(self, file: ArchiveFile) -> None:
        """Remove a file."""
        with self._translate_errors():
            self._path_of(file).unlink(missing_ok=True)

    def _make_folders(self, day: Path) -> None:
        """Make the folders of a day, but not the archive's own: without it another disk would be filled."""
        for folder in (day.parents[1], day.parent, day):
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
                sync_folder(folder.parent)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Raise errors about the archive as a `StorageError`; those about the database pass."""
        folder = self._folder
        try:
            yield
        except (OSError, duckdb.Error) as error:
            if isinstance(error, duckdb.Error) and str(folder) not in str(error):
                raise
            is_gone = not isinstance(error, FileExistsError | NotADirectoryError) and not folder.is_dir()
            raise StorageError(
                f"The archive {folder} is not there" if is_gone else storage_error(error, folder, writing=True).message,
                "What was not archived is safe in the database: run this again when that is settled.",
            ) from error


def open_store(place: ArchivePlace, database: Path, spill: Path) -> ArchiveStore:
    """Return what puts files into a place; raise `StorageError` if a database cannot have its archive there.

    `spill` is a folder for temporary files, which is there when a file is put.
    """
    if not isinstance(place, ArchiveFolder):
        from pulsoid_rec.recorder.archiving.bucket_store import BucketStore  # noqa: PLC0415 - an extra
        from pulsoid_rec.recorder.contract.archive_bucket import ArchiveBucket  # noqa: PLC0415 - an extra, too

        assert isinstance(place, ArchiveBucket)
        return BucketStore(place, spill)
    folder, journal = place.folder.resolve(), journal_folder(database).resolve()
    if folder.is_relative_to(journal):
        raise StorageError(f"{place.text} is in the journal of {database}", "Name another folder for the archive.")
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{place.text} is not a folder", "Name a folder for the archive.")
    return FolderStore(place)
