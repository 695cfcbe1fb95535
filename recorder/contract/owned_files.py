"""Files and folders in a place where others may write: no link of theirs is followed, and no pipe waited for."""

import errno
import os
import stat
from pathlib import Path

_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # or opening a pipe would wait for somebody who writes to it
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def open_file(path: str | Path, flags: int, mode: int = 0o600) -> int:
    """Open a file that the user named, as `os.open` does; it may be a link. Also an `opener` of `open`.

    Raises `OSError` unless it is a file.
    """
    file = os.open(path, flags | _NO_WAIT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0), mode)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "not a file", str(path))
    return file


def open_own(path: str | Path, flags: int, mode: int = 0o600) -> int:
    """Open a file that this program has made or makes, as `open_file` does; `OSError` if it is a link."""
    if os.path.islink(path):  # noqa: PTH114 - it may be a text. `O_NOFOLLOW` is for one that is made just now
        raise OSError(errno.ELOOP, "it is a link", str(path))
    return open_file(path, flags | _NO_LINK, mode)


def require_own_folder(path: Path) -> None:
    """Raise `PermissionError` if a folder that this program makes is a link, or somebody else's, or open to them.

    Whoever can write there could have put rows, links and pipes into it. No folder is no error.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(found.st_mode):
        fault = "it is a link"
    elif os.name != "posix":
        return  # there access is not in the mode
    elif found.st_uid != os.geteuid():
        fault = "it belongs to another user"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        fault = "others can write to it, and so may have; if you trust them, run `chmod 700` on it"
    else:
        return
    raise PermissionError(errno.EPERM, fault, str(path))


def is_foreign_link(path: Path) -> bool:
    """Return whether a path is a link that neither this user nor the administrator made."""
    return os.name == "posix" and path.is_symlink() and path.lstat().st_uid not in {0, os.geteuid()}


def is_special(path: Path) -> bool:
    """Return whether a path leads to a pipe, socket or device."""
    return path.exists() and not (path.is_file() or path.is_dir())


def is_shared(path: Path) -> bool:
    """Return whether others on the machine can read a file of this user."""
    if os.name != "posix":
        return False
    found = path.stat()
    return found.st_uid == os.geteuid() and bool(found.st_mode & (stat.S_IRGRP | stat.S_IROTH))
