"""Where the files of an archive are, and what their metadata say: for who writes one and who reads it.

    ARCHIVE/v1/<table>/day=YYYY-MM-DD/<recorder>-<batch>.parquet

The day is that of a row's time column, in UTC. It alone is in the path, since engines decode other values there in
their own way: they turn a room `007` into `7`, and read an escaped `/` differently. A file whose name does not end in
`.parquet`, or begins with a dot or an underscore, is none of the archive's: engines skip these.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pulsoid_rec.recorder.contract.tables import TABLES, Table

VERSION = 1
"""Version of the layout. Within it, tables may only gain columns that may be NULL."""

VERSION_FOLDER = f"v{VERSION}"
SUFFIX = ".parquet"

METADATA_PREFIX = "pulsoid_rec."
"""Of the keys of a file's metadata: `table`, `day`, `recorder`, `batch`, `version`, and `meaning.<column>`."""

_FILE = re.compile(
    rf"{VERSION_FOLDER}/(?P<table>[a-z_]+)/day=(?P<day>\d{{4}}-\d\d-\d\d)/"
    r"(?P<recorder>[0-9a-f]+)-(?P<batch>[0-9A-Za-z]+)\.parquet"
)
_TABLES = {table.name: table for table in TABLES}


@dataclass(frozen=True, order=True)
class ArchiveFile:
    """A file of an archive, by what its path says."""

    table: str
    day: date
    recorder: str
    batch: str

    @property
    def folder(self) -> str:
        """Its folder, relative to the archive's, with `/` between the parts."""
        return f"{table_folder(self.table)}/{day_folder(self.day)}"

    @property
    def path(self) -> str:
        """Its path, relative to the archive's folder, with `/` between the parts."""
        return f"{self.folder}/{self.recorder}-{self.batch}{SUFFIX}"


def table_folder(table: str) -> str:
    """Return the folder of a table's files, relative to the archive's."""
    return f"{VERSION_FOLDER}/{table}"


def day_folder(day: date) -> str:
    """Return the name of a day's folder in that of its table."""
    return f"day={day.isoformat()}"


def parse_archive_path(path: str) -> ArchiveFile | None:
    """Parse a path relative to the archive's folder; return None if it is not that of an archive's file."""
    match = _FILE.fullmatch(path)
    if match is None or match["table"] not in _TABLES:
        return None
    try:
        day = date.fromisoformat(match["day"])
    except ValueError:
        return None
    return ArchiveFile(match["table"], day, match["recorder"], match["batch"])


def rows_sql(table: Table, literals: str) -> str:
    """Return the SQL for the rows of a table's files, with the columns of today; `literals` are their paths, as SQL."""
    columns = ", ".join(
        f'"{column.name}"::JSON AS "{column.name}"' if column.type == "JSON" else f'"{column.name}"'
        for column in table.columns
    )
    return f"SELECT {columns} FROM read_parquet([{literals}], hive_partitioning = false, union_by_name = false)"


def table_of(file: ArchiveFile) -> Table:
    """Return the table that a file holds rows of."""
    return _TABLES[file.table]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
