"""Which files of an archive belong to a recording, and what is wrong with them by their names and sizes alone."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import duckdb

from pulsoid_rec.analysis.reading.database import NEWEST_IDENTITY
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile
from pulsoid_rec.recorder.contract.archive_place import ArchivePlace
from pulsoid_rec.recorder.contract.defaults import ARCHIVE_VARIABLE
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.tables import ARCHIVE_BATCHES
from pulsoid_rec.recorder.contract.wording import format_count

PUT_BACK = (
    "Put it back from a backup, or name the place where the archive is; `pulsoid-rec archive --check` finds all that"
    " differ."
)
_MARGIN = timedelta(hours=1)  # what is just beside a range of time is read, too


class Listed(NamedTuple):
    """A file, by the parts of its path, and what is known of it."""

    table_name: str
    day: date
    recorder: str
    batch: str
    is_noted: bool  # whether the database has notes of it
    is_checked: bool  # whether its content is known to be what its path says
    sha256: str = ""  # of its content, if it is noted
    fault: str | None = None  # what is wrong with it, as the message of an error; None if nothing is
    remedy: str | None = None  # what to do then, as the hint of an error

    @property
    def file(self) -> ArchiveFile:
        """Which one it is."""
        return ArchiveFile(*self[:4])


COLUMNS = (
    "table_name VARCHAR, day DATE, recorder VARCHAR, batch VARCHAR, is_noted BOOLEAN, is_checked BOOLEAN,"
    " sha256 VARCHAR, fault VARCHAR, remedy VARCHAR"
)
"""The fields of `Listed`, as the columns of a table."""


def list_files(
    connection: duckdb.DuckDBPyConnection, place: ArchivePlace, *, is_named: bool, warn: Callable[[str], None]
) -> list[Listed]:
    """List the files with rows that are in a recording but not in its database.

    Those are the files that the database has noted, and those of other recorders. Files of its own name that it does
    not know are among these: it is then a copy, or an older state. Parameters and errors are those of
    `archive.attach_archive`.
    """
    names = connection.execute(NEWEST_IDENTITY.format("recorder")).fetchall()
    noted = {
        ArchiveFile(table, day, recorder, batch): (size, sha256)
        for table, day, recorder, batch, size, sha256 in connection.execute(
            'SELECT table_name, "day", recorder, batch, CASE WHEN noted_at IS NOT NULL THEN "bytes" END, sha256'
            f" FROM {ARCHIVE_BATCHES.name}"
        ).fetchall()
    }
    gone: StorageError | None = None
    there: dict[ArchiveFile, int] = {}
    try:
        there = _list_trusted(place, {name for (name,) in names} | {file.recorder for file in noted}, is_named=is_named)
    except StorageError as error:
        if is_named:
            raise
        gone = error
    others = [file for file in there if file not in noted]
    if unknown := sum((file.recorder,) in names for file in others):
        warn(
            f"{format_count(unknown, 'file')} of the archive {place.text} {'is' if unknown == 1 else 'are'} under this"
            " database's name, but not noted in it: the database is a copy, or an older state. Their rows are included"
        )
    files = [
        Listed(each.table, each.day, each.recorder, each.batch, is_noted=False, is_checked=False) for each in others
    ]
    for each, (size, sha256) in noted.items():
        if size is not None:  # else it is only intended: its rows are still in the database
            fault, remedy = _find_fault(each, size, place, there, gone)
            names_ = each.table, each.day, each.recorder, each.batch
            files.append(Listed(*names_, is_noted=True, is_checked=False, sha256=sha256, fault=fault, remedy=remedy))
    return files


def _list_trusted(place: ArchivePlace, recorders: set[str], *, is_named: bool) -> dict[ArchiveFile, int]:
    """List the files of an archive, unless a recording from somebody else may have noted it to get at what is there.

    A bucket would see requests that are signed with the user's keys. A folder may be the archive of the user's own
    recordings; that it is this recording's shows in the names of its files, which nobody can guess.
    """
    remedy = f"If it is this recording's, name it: --archive {place.text}"
    if not (is_named or place.is_trusted):
        remedy += f", or for good {ARCHIVE_VARIABLE}={place.text}"
        raise StorageError(f"The archive {place.text} is on another machine, and only the file names it", f"{remedy}.")
    there = place.list_files()
    if not is_named and there and not any(file.recorder in recorders for file in there):
        raise StorageError(f"The archive {place.text} has nothing of this recording", f"{remedy}.")
    return there


def _find_fault(
    file: ArchiveFile, size: int, place: ArchivePlace, there: Mapping[ArchiveFile, int], gone: StorageError | None
) -> tuple[str | None, str]:
    """Return what is wrong with a noted file, or None, and what to do."""
    if gone is not None:
        return gone.message, gone.hint
    if file not in there:
        return f"{file.path} is missing in the archive {place.text}", PUT_BACK
    if there[file] != size:
        return f"{file.path} in the archive {place.text} has {there[file]:,} bytes, and had {size:,}", PUT_BACK
    return None, PUT_BACK


def require_sound(files: Sequence[Listed]) -> None:
    """Raise `StorageError` for the first of these files that has a fault, with what can be read without it."""
    faulty = [file for file in files if file.fault]
    if not faulty:
        return
    first, last = faulty[0], faulty[-1]
    options = ["--session"]
    with suppress(OverflowError):
        options.append(f"--since {(_midnight(last.day) + timedelta(days=1) + _MARGIN).isoformat()[:16]}Z")
    with suppress(OverflowError):
        options.append(f"--until {(_midnight(first.day) - _MARGIN).isoformat()[:16]}Z")
    days = str(first.day) if first.day == last.day else f"{first.day} to {last.day}"
    raise StorageError(
        str(first.fault),
        f"{first.remedy} All but {days} can be read: choose it with {' or '.join(options)}.",
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
