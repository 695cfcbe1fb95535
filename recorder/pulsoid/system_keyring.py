"""Entries of the system's keyring, such as the macOS Keychain or the Secret Service, by the extra `keyring`."""

import errno
from functools import lru_cache
from types import ModuleType

from pulsoid_rec.recorder.contract.errors import UsageError

NAME = "the system's keyring"
_SERVICE = "pulsoid-rec"
_LAST = (" 1", " 2")  # of the two entries of a login
_PROBE = " test"


class NoEntryError(UsageError):
    """The keyring has no such entry."""


def other_entry(server: str, entry: str | None) -> str:
    """Return the entry for a server that is not `entry`."""
    return server + _LAST[entry == server + _LAST[0]]


def entries_beside(entry: str) -> list[str]:
    """Return all entries of the login that one of them belongs to."""
    return [entry.removesuffix(_LAST[0]).removesuffix(_LAST[1]) + last for last in (*_LAST, _PROBE)]


def require_usable(server: str) -> None:
    """Raise `UsageError` unless an entry can be written, read and removed; the system may ask the user to unlock it."""
    try:
        write(server + _PROBE, "test")
        read(server + _PROBE, 0)
        remove(server + _PROBE)
    except NoEntryError:  # some keyrings store nothing, and have no error for it
        raise UsageError(f"{NAME[0].upper()}{NAME[1:]} stores nothing", _HINT) from None
    except OSError as error:
        raise UsageError(str(error.strerror), _HINT) from None


@lru_cache(maxsize=4)
def read(entry: str, _changed_ns: int) -> str:
    """Return an entry, read once for each change of its file; `UsageError` if there is none, or it cannot be read.

    The system may ask the user to unlock the keyring, which takes as long as the user does.
    """
    try:
        text = _load().get_password(_SERVICE, entry)
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - each keyring has errors of its own
        raise UsageError(_failure(error), _HINT) from None
    if text is None:
        raise NoEntryError(f"There is no login {entry!r} in {NAME}", "Log in again with `pulsoid-rec login`.")
    return str(text)


def write(entry: str, text: str) -> None:
    """Write an entry; `UsageError` without the extra, `OSError` if it cannot be written, without the text."""
    read.cache_clear()
    try:
        _load().set_password(_SERVICE, entry, text)
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        raise OSError(errno.EIO, _failure(error)) from None


def remove(entry: str) -> None:
    """Remove an entry; that there is none is no error. `OSError` if it cannot be removed."""
    keyring = _load()
    read.cache_clear()
    try:
        if keyring.get_password(_SERVICE, entry) is not None:
            keyring.delete_password(_SERVICE, entry)
    except Exception as error:  # noqa: BLE001 - as above
        raise OSError(errno.EIO, _failure(error)) from None


_HINT = "Unlock it, or log in without --keyring."


def _failure(error: Exception) -> str:
    """Return why the keyring cannot be used: only the kind of error, whose text may have anything in it."""
    kind = type(error).__name__
    reasons = {
        "NoKeyringError": "this system has none",
        "KeyringLocked": "it is locked",
        "InitError": "it is not available",
        "PasswordSetError": "it refused to store the login",
        "PasswordDeleteError": "it refused to remove the login",
    }
    return f"{NAME[0].upper()}{NAME[1:]} cannot be used: {reasons.get(kind, kind)}"


def _load() -> ModuleType:
    try:
        import keyring  # noqa: PLC0415 - it takes a third of a second, and few use it
    except ImportError:
        raise UsageError(
            f"For {NAME}, the package keyring is needed", "Install it with `pip install pulsoid-rec[keyring]`."
        ) from None
    return keyring
