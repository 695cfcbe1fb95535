"""An archive in an object store that speaks S3, through fsspec and s3fs, which are an extra."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

import duckdb

from pulsoid_rec.recorder.contract.archive_files import ArchiveFile
from pulsoid_rec.recorder.contract.archive_place import ArchivePlace
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError

if TYPE_CHECKING:
    from s3fs import S3FileSystem

_TIMEOUTS = {"connect_timeout": 10, "read_timeout": 20, "retries": {"max_attempts": 1}}
_ATTEMPTS = 2  # of s3fs, each with the retries above: a bucket that does not answer is given up after two minutes


class ArchiveBucket(ArchivePlace):
    """An archive in a bucket, `s3://BUCKET/FOLDER`.

    Keys, region and endpoint are those of the environment or of the AWS configuration, as of any AWS tool
    (`AWS_ACCESS_KEY_ID`, `AWS_PROFILE`, `AWS_ENDPOINT_URL` and so on).
    """

    def __init__(self, url: str) -> None:
        scheme, _, path = url.partition("://")
        super().__init__(f"{scheme.lower()}://{path.rstrip('/')}")
        self.is_remote = True
        self.bucket = path.partition("/")[0]
        if not self.bucket or any(character in path for character in "*?["):
            raise UsageError(
                f"{url} is no place for an archive", "Name a bucket as s3://BUCKET/FOLDER, without *, ? or [."
            )

    @cached_property
    def files(self) -> "S3FileSystem":
        """The files of the object store. Loaded when they are needed: a report of the latest session needs none."""
        try:
            from s3fs import S3FileSystem  # noqa: PLC0415 - an extra, and slow to load
        except ImportError as missing:
            raise UsageError(
                f"To use the archive {self.text}, s3fs is needed", "Install it with `pip install pulsoid-rec[s3]`."
            ) from missing
        files = S3FileSystem(use_listings_cache=False, skip_instance_cache=True, config_kwargs=_TIMEOUTS)
        files.retries = _ATTEMPTS
        return files

    def list_files(self, table: str | None = None, day: date | None = None) -> dict[ArchiveFile, int]:
        """List its files, as any place does."""
        with self.translate_errors():
            return super().list_files(table, day)

    def duckdb_path(self, file: ArchiveFile) -> str:
        """Return its URL, which has no wildcards."""
        return self.name_of(file)

    def duckdb_folders(self) -> list[str]:
        """Return its URL."""
        return [f"{self.text}/"]

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let the connection read from buckets."""
        if not connection.filesystem_is_registered("s3"):
            connection.register_filesystem(self.files)

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Raise errors of the store as a `StorageError`."""
        try:
            yield
        except Exception as error:
            if not isinstance(error, OSError) and not type(error).__module__.startswith("botocore."):
                raise
            reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            raise StorageError(
                f"The archive {self.text} cannot be reached: {reason}",
                "See that the bucket exists, and that AWS_ACCESS_KEY_ID and the like are set. Nothing is lost: what was"
                " not archived is in the database.",
            ) from error

    def _names(self) -> list[str]:
        try:
            found = self.files.ls(self.text, detail=False)
        except FileNotFoundError:
            self.files.ls(self.bucket, detail=False)  # which raises it if there is no bucket
            return []  # a folder comes into being with its first file
        return [name.rpartition("/")[2] for name in found]

    def _walk(self, folder: str) -> Iterator[tuple[str, int]]:
        root = self.text.partition("://")[2]
        for name, about in self.files.find(f"{root}/{folder}", detail=True).items():
            yield name[len(root) + 1 :], about["size"]
