"""A keyring of the library keyring's own kind, in the file that PULSOID_TEST_KEYRING names; without it, locked."""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

SELECT = {"PYTHON_KEYRING_BACKEND": "file_keyring.FileKeyring"}


class FileKeyring(KeyringBackend):
    """Keeps entries in a file; as macOS does, it removes an entry before it adds the new one."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        return _read().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        entries = _read()
        if entries.pop(f"{service} {username}", None) is not None:
            _write(entries)
        _write(entries | {f"{service} {username}": password})

    def delete_password(self, service: str, username: str) -> None:
        entries = _read()
        if entries.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError(f"no {username}")
        _write(entries)


def _file() -> Path:
    name = os.environ.get("PULSOID_TEST_KEYRING")
    if name is None:
        raise KeyringLocked("it asks for a password, which may be token-in-an-error")
    return Path(name)


def _read() -> dict[str, str]:
    found: dict[str, str] = json.loads(_file().read_text()) if _file().exists() else {}
    return found


def _write(entries: dict[str, str]) -> None:
    new = _file().with_suffix(".new")
    new.write_text(json.dumps(entries))
    new.replace(_file())
