"""Puts files into an archive in a bucket. There is no rename: an object is there as a whole once it was sent."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from pulsoid_rec.recorder.archiving.store import ArchiveStore
from pulsoid_rec.recorder.contract.archive_bucket import ArchiveBucket
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile, sha256_of
from pulsoid_rec.recorder.contract.errors import StorageError

_PART_BYTES = 16 * 2**20
"""A file of up to twice as many bytes is sent at once; a larger one in parts, two at a time, so that as much is in
memory. The parts become an object together."""


class BucketStore(ArchiveStore):
    """An archive in a bucket, to be written to; files are made in a folder on this machine first."""

    def __init__(self, place: ArchiveBucket, folder: Path) -> None:
        super().__init__(place)
        self._bucket = place
        self._folder = folder

    def make(self) -> None:
        """Do nothing: a bucket has no folders, and its owner makes the bucket."""

    def put(self, file: ArchiveFile, write: Callable[[Path], object]) -> tuple[int, str]:
        """Write a file, and send it under its own name."""
        with TemporaryDirectory(dir=self._folder) as folder:
            path = Path(folder) / "new.parquet"
            write(path)
            size, sha256 = path.stat().st_size, sha256_of(path)
            name = self.place.name_of(file)
            with self._bucket.translate_errors():
                self._bucket.files.put_file(str(path), name, chunksize=_PART_BYTES, max_concurrency=2)
                arrived = self._bucket.files.info(name)["size"]
            if arrived != size:
                raise StorageError(
                    f"{name} has {arrived:,} bytes, and not {size:,}",
                    "Run this again: its rows are still in the database.",
                )
        return size, sha256

    def sha256_of(self, file: ArchiveFile) -> str:
        """Return the SHA-256 of a file, which is fetched for it."""
        with self._bucket.translate_errors(), self._bucket.files.open(self.place.name_of(file), "rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()

    def remove(self, file: ArchiveFile) -> None:
        """Remove a file."""
        with self._bucket.translate_errors():
            self._bucket.files.rm_file(self.place.name_of(file))
