"""Archives for tests: rows on days of the past, and every row of a database and its archive together."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from journal_rows import SELECT, stored_in, write_segment

from pulsoid_rec.recorder.archiving.access import only_run, spill_folder
from pulsoid_rec.recorder.archiving.archive import Archived, archive
from pulsoid_rec.recorder.archiving.store import open_store
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile
from pulsoid_rec.recorder.contract.archive_place import open_place
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.ingest.recover import recover
from pulsoid_rec.recorder.journal.rows import (
    AnyRow,
    ConnectionEventRow,
    HeartRateRow,
    MemberEventRow,
    RejectedMessageRow,
    RoomEventRow,
)

DAY_US = 86_400_000_000
FIRST_US, LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The first and the last instant there is: of the years 1 and 9999."""


def some_rows(first: int = 0, count: int = 12) -> list[AnyRow]:
    """Make rows of all kinds, each told from all others by its number, on three days of 1970 and in the year 1."""
    rows: list[AnyRow] = []
    for number in range(first, first + count):
        at = number % 3 * DAY_US + number
        config = f'{{"name":"N{number}","zero":"\\u0000"}}'
        rows += [
            HeartRateRow("007", "c", f"p{number % 2}", number, at, at + 1, "raw"),
            MemberEventRow("007", "c", "p1", "updated", f"N{number}", config, at, at + 1, "raw"),
        ]
    rows.append(HeartRateRow("a/b 'ü'", "c", "p", first, FIRST_US, FIRST_US + 7, "raw"))
    rows.append(RoomEventRow("7", "c", None, "{}", DAY_US - 1, first, "raw"))
    rows.append(ConnectionEventRow("7", "c", "opened", DAY_US, first, None))
    rows.append(RejectedMessageRow(None, None, first, "odd", "\x00"))
    return rows


def append_rows(database: Path, rows: Iterable[AnyRow], name: str = "a-0") -> None:
    """Bring rows into a database by the journal, as a recorder does."""
    write_segment(database.with_name(f"{database.name}.journal"), name, rows)
    recover(database)


def archive_all(database: Path, folder: Path | str, *, new_identity: bool = False) -> Archived:
    """Archive all days before today."""
    with only_run(database):
        return archive(
            database,
            open_store(open_place(folder), database, spill_folder(database)),
            datetime.now(UTC).date(),
            new_identity=new_identity,
            timings=Timings(readers_turn_s=0, longest_busy_retry_s=0),
        )


def files_of(folder: Path) -> list[ArchiveFile]:
    """List the files of an archive; none if it is not there."""
    return sorted(open_place(folder).list_files()) if folder.exists() else []


def archived_rows(folder: Path, files: Iterable[ArchiveFile]) -> Counter[tuple[Any, ...]]:
    """Count every row of these files."""
    with duckdb.connect() as connection:
        return _rows_of(connection, folder, files)


def noted_files(database: Path) -> list[ArchiveFile]:
    """List the files that a database has noted."""
    with duckdb.connect(database, read_only=True) as connection:
        return _noted_in(connection)


def all_rows(database: Path, folder: Path) -> Counter[tuple[Any, ...]]:
    """Count every row that is in a database or in a file that it has noted."""
    with duckdb.connect(database, read_only=True) as connection:
        return stored_in(connection) + _rows_of(connection, folder, _noted_in(connection))


def _rows_of(
    connection: duckdb.DuckDBPyConnection, folder: Path, files: Iterable[ArchiveFile]
) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter()
    connection.execute("SET TimeZone = 'UTC'")
    for file in files:
        source = f"read_parquet($${open_place(folder).duckdb_path(file)}$$, hive_partitioning = false)"
        rows = connection.execute(f"SELECT {SELECT[file.table]} FROM {source}").fetchall()
        found.update((file.table, *row) for row in rows)
    return found


def _noted_in(connection: duckdb.DuckDBPyConnection) -> list[ArchiveFile]:
    noted = "SELECT table_name, day, recorder, batch FROM archive_batches WHERE noted_at IS NOT NULL"
    return [ArchiveFile(*row) for row in connection.execute(noted).fetchall()]
