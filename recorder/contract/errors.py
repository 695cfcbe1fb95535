"""Errors for the user: what happened, what to do about it, and the exit code."""

from enum import IntEnum


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
        return f"{self.message}. {self.hint}"


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
