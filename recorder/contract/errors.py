"""Errors for the user: what happened, what to do about it, and the exit code."""

import re
from enum import IntEnum

from pulsoid_rec.recorder.contract.display import plain


class ExitCode(IntEnum):
    """Exit codes of the commands."""

    DONE = 0
    FAULT = 1
    USAGE = 2
    REFUSED = 3
    STORAGE = 4


class PulsoidRecError(Exception):
    """An error that the user can do something about.

    `message` is what happened, without a full stop; `hint` is what to do about it, as a sentence.
    """

    exit_code = ExitCode.FAULT

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return plain(f"{self.message}. {self.hint}")


class UsageError(PulsoidRecError):
    """An argument or option is wrong."""

    exit_code = ExitCode.USAGE


class RefusedError(PulsoidRecError):
    """The server refused the token or the room."""

    exit_code = ExitCode.REFUSED


class StorageError(PulsoidRecError):
    """The database, the journal or the disk cannot be used."""

    exit_code = ExitCode.STORAGE


class DatabaseBusyError(StorageError):
    """Another process has the database file open."""


MEMORY_HINT = "Close other programs, or choose less with --session, --since or --room. What was recorded is safe."
"""What to do where there is not enough memory."""

_NO_MEMORY = re.compile(
    "out of memory|cannot allocate memory|failed to map segment|can't start new thread", re.IGNORECASE
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error, or one that led to it, says that there is not enough memory, whoever raised it.

    Python, DuckDB, pyarrow and the system each have an error of their own for that; polars ends the process.
    """
    if isinstance(error, BaseExceptionGroup):
        return any(map(is_out_of_memory, error.exceptions))
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)
