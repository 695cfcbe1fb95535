"""The key of pseudonyms: a file of its own, for its owner alone."""

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.owned_files import open_file, open_own

FILE_NAME = "pseudonyms.key"
"""Its name, beside the database."""

_KEY_BYTES = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_or_make_key(path: Path, announce: Callable[[str], None]) -> bytes:
    """Read a key, or make it if there is none; `announce` is then called with a sentence, without a full stop.

    Raises `UsageError` if the file cannot be read or made, holds no key, or others can read it.
    """
    try:
        with suppress(FileNotFoundError):
            return _read(path)
        _make(path)
        key = _read(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"Cannot use the key {path}: {reason}", "Choose another file with --pseudonym-key.") from error
    announce(
        f"Made {path}, the key of these pseudonyms. Keep it: another key makes other pseudonyms. Do not share it:"
        " with it, whoever knows an id finds the person"
    )
    return key


def _read(path: Path) -> bytes:
    file = open_file(path, os.O_RDONLY)
    with os.fdopen(file, "rb") as opened:
        if os.name == "posix" and os.fstat(file).st_mode & _OTHERS:
            raise UsageError(f"Others can read the key {path}", f"Run `chmod 600 {path}`, or choose another key.")
        text = opened.read(1024).strip()
    with suppress(ValueError):  # what is not ASCII, too
        key = bytes.fromhex(text.decode())
        if len(key) == _KEY_BYTES:
            return key
    raise UsageError(f"{path} is no key of pseudonyms", "Choose another file with --pseudonym-key: it is then made.")


def _make(path: Path) -> None:
    """Make a key; if there is one by then, that one stays. The file is there as a whole, or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with os.fdopen(open_own(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(secrets.token_hex(_KEY_BYTES).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError as error:  # a file system without links
        if error.errno == errno.ENOSPC:
            raise
        if not path.exists():
            temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
