"""DuckDB's and the system's errors about a database file, translated into one sentence and what to do about it."""

import re
from pathlib import Path
from typing import NamedTuple

import duckdb

from pulsoid_rec.recorder.contract.errors import MEMORY_HINT, DatabaseBusyError, StorageError


def _any_of(*texts: str) -> re.Pattern[str]:
    return re.compile("|".join(texts), re.IGNORECASE)


class _Fault(NamedTuple):
    """A pattern of an error's text, the message for the file {0}, and a hint for a writer and for a reader."""

    pattern: re.Pattern[str]
    message: str
    if_writing: str
    if_reading: str


_OTHER_FILE = "Choose another file with --db."
_SAME_PROCESS = _any_of("unique file handle")
_LOCKED = _any_of("could not set lock", "conflicting lock", "being used by another process", _SAME_PROCESS.pattern)
_HOLDER = re.compile(r"held in (.+?) \(PID (\d+)\)", re.IGNORECASE)
_FAULTS = (
    _Fault(
        _any_of("out of memory", "cannot allocate memory"),
        "There is not enough memory for {0}",
        "Close other programs; nothing recorded is lost.",
        MEMORY_HINT,
    ),
    _Fault(
        _any_of("no space left", "not enough space", "disk.*full", "quota exceeded", "file too large"),
        "There is no space left on the disk for {0}",
        "Free some space; nothing recorded is lost.",
        "Free some space, and try again.",
    ),
    _Fault(
        _any_of("too many open files"),
        "Cannot open {0}: too many files are open",
        "Raise the limit (`ulimit -n`), or record fewer rooms at once.",
        "Raise the limit (`ulimit -n`), and try again.",
    ),
    _Fault(
        _any_of("permission denied", "operation not permitted", "read-only file system", "access is denied"),
        "Cannot open {0}: permission denied",
        f"It must be readable and writable. {_OTHER_FILE}",
        f"It must be readable. {_OTHER_FILE}",
    ),
    _Fault(
        _any_of("wal does not match"),
        "{0}.wal does not belong to {0}",
        "It holds rows of another copy of the database: put that back, or move the .wal file away.",
        "It holds rows of another copy of the database: put that back, or move the .wal file away.",
    ),
    _Fault(_any_of("is a directory"), "{0} is a folder", _OTHER_FILE, _OTHER_FILE),
    _Fault(
        _any_of("not a valid duckdb"), "{0} is not a DuckDB file", f"It was not changed. {_OTHER_FILE}", _OTHER_FILE
    ),
    _Fault(
        _any_of("corrupt", "checksum", "could not read enough bytes"),
        "{0} is damaged",
        "Move it away with its .wal and keep both: DuckDB may read part. The journal beside it is intact.",
        "Keep it: DuckDB may read part of it. Read from a backup; pulsoid-rec never changes what is recorded.",
    ),
)


# Their texts may quote a row, and so say anything.
_ABOUT_ROWS = (duckdb.DataError, duckdb.IntegrityError, duckdb.ProgrammingError, duckdb.OutOfMemoryException)


def is_lock_error(error: Exception) -> bool:
    """Return whether an error says that the file is locked, by another process or in this one."""
    return bool(_LOCKED.search(str(error)))


def is_about_rows(error: duckdb.Error) -> bool:
    """Return whether an error may be due to the rows of a statement, and not to the file, its lock or its disk."""
    if isinstance(error, _ABOUT_ROWS):
        return True
    is_known = any(fault.pattern.search(str(error)) for fault in _FAULTS)
    return not (isinstance(error, duckdb.OperationalError | duckdb.InterruptException) or is_known)


def storage_error(error: Exception, path: Path, *, writing: bool) -> StorageError:
    """Translate an error of DuckDB or the system about a database file; into a `DatabaseBusyError` if it is locked.

    `writing` is True for the recorder, which retries, and False for a command that only reads.
    """
    text = str(error)
    if is_lock_error(error):
        retry = "Retrying until it is released." if writing else "Try again when that process has ended."
        return DatabaseBusyError(f"{path} is locked by {_lock_holder(text)}", retry)
    for fault in _FAULTS:
        if fault.pattern.search(text):
            return StorageError(fault.message.format(path), fault.if_writing if writing else fault.if_reading)
    if isinstance(error, OSError):
        return StorageError(f"Cannot open {path}: {(error.strerror or text).lower()}", _OTHER_FILE)
    first_line = text.splitlines()[0] if text else type(error).__name__
    return StorageError(
        f"Cannot {'write' if writing else 'read'} {path}: {first_line}",
        "If it is damaged, move it away with its .wal and keep both; the journal beside it is intact."
        if writing
        else "If it is damaged, copy it away, and read from a backup; pulsoid-rec never changes what is recorded.",
    )


def _lock_holder(text: str) -> str:
    if _SAME_PROCESS.search(text):
        return "this process"
    holder = _HOLDER.search(text)
    return f"{Path(holder[1]).name} (process {holder[2]})" if holder else "another process"
