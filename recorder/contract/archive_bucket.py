"""An archive in an object store that speaks S3, through fsspec and s3fs, which are an extra."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import duckdb

from pulsoid_rec.recorder.contract.archive_files import ArchiveFile
from pulsoid_rec.recorder.contract.archive_place import ArchivePlace
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError

try:
    from botocore.exceptions import BotoCoreError, ClientError
    from s3fs import S3FileSystem
except ImportError as missing:
    raise UsageError(
        "To archive in a bucket, s3fs is needed", "Install it with `pip install pulsoid-rec[s3]`."
    ) from missing

_FAULTS = (OSError, BotoCoreError, ClientError)


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
        self.files = S3FileSystem(use_listings_cache=False, skip_instance_cache=True)

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
        except _FAULTS as error:
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
