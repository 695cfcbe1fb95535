"""The fields of a credentials file: read, replaced as a whole, removed.

Those of a login with `--keyring` are in the system's keyring, and its file has only the name of the entry, of which
there are two: new fields go to the one that is not in use, then the file names it, and then the older one is removed.
So at every instant the file leads to a whole entry, also where a keyring removes an entry before it adds the new one.
"""

import codecs
import errno
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.disk.replace import open_replacement, remove_leftovers
from pulsoid_rec.recorder.disk.sync import sync_folder
from pulsoid_rec.recorder.pulsoid import system_keyring

HINT = "Log in with `pulsoid-rec login`, or get a token at https://pulsoid.net/ui/keys and "
"""How to get a token; what to do with it follows."""

FORMAT_HINT = "Write the token there and nothing else, or a JSON object with `access_token` and `refresh_token`."
_READ_HINT = f"{HINT}give its file with --token-file."


def read_fields(path: Path) -> dict[str, Any]:
    """Read a credentials file; one that is no JSON object has only `access_token`, which is all of its text.

    Raises `UsageError` if it, or the entry of the keyring, cannot be read; no part of what was read is in the message.
    """
    text = _read_text(path)
    if not text.lstrip().startswith("{"):
        return {"access_token": text}
    fields = _parse_json(text, str(path))
    entry = _entry_of(fields)
    if entry is None:
        return fields
    # All of it comes from there, also the server that it is for: a file cannot send an entry elsewhere.
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError:  # removed just now
        changed_ns = 0
    return _parse_json(system_keyring.read(entry, changed_ns), system_keyring.NAME)


def is_in_keyring(path: Path) -> bool:
    """Return whether a file names an entry of the system's keyring; False if it cannot be read."""
    return _find_entry(path) is not None


def write_fields(path: Path, fields: dict[str, Any], *, in_keyring: bool) -> None:
    """Replace all fields; on return they are on the disk, readable only by their owner, and no older ones are left.

    Only one process at a time may do so. Raises `UsageError` if the file is a link, `OSError` if it, or the entry,
    cannot be written; what was there before is unchanged then.
    """
    require_no_link(path)
    before = _find_entry(path)
    if in_keyring:
        entry = system_keyring.other_entry(str(fields["server"]), before)
        if is_new := not path.exists():  # so that `logout` finds the entry, if this process is killed once it is there
            _replace(path, {"server": fields["server"], "keyring": entry})
        try:
            system_keyring.write(entry, msgspec.json.encode(fields).decode())
        except (OSError, UsageError):
            if is_new:
                path.unlink(missing_ok=True)
            raise
        fields = {"server": fields["server"], "keyring": entry}
    _replace(path, fields)
    if before is not None:
        with suppress(OSError):  # the next change writes over it
            system_keyring.remove(before)


def require_no_link(path: Path) -> None:
    """Raise `UsageError` if a file is a link."""
    if path.is_symlink():
        raise UsageError(
            f"{path} is a symbolic link, and no token is written through one",
            "Remove it, or give the file itself: --token-file.",
        )


def change_fields(path: Path, changes: dict[str, Any]) -> None:
    """Change fields of a JSON file, remove those that become None, and keep the others; raise as `write_fields`."""
    if not (text := _read_text(path)).lstrip().startswith("{"):
        _parse_json(text, str(path))  # which raises: it is JSON no longer
    in_keyring = is_in_keyring(path)
    try:
        changed = read_fields(path) | changes
    except UsageError as error:
        if in_keyring:  # it may be unlocked again, so that whoever has new tokens tries again
            raise OSError(errno.EIO, error.message, str(path)) from None
        raise
    fields = {name: value for name, value in changed.items() if value is not None or name not in changes}
    write_fields(path, fields, in_keyring=in_keyring)


def remove_fields(path: Path) -> None:
    """Remove a file, its entries in the keyring, and what a process that was killed left of either; `OSError`.

    It may be gone already.
    """
    entry = _find_entry(path)
    if entry is not None:
        for each in system_keyring.entries_beside(entry):
            system_keyring.remove(each)
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        remove_leftovers(path)
        sync_folder(path.parent)


def _replace(path: Path, fields: dict[str, Any]) -> None:
    with open_replacement(path, sync=True) as new:
        new.write_bytes(msgspec.json.format(msgspec.json.encode(fields)) + b"\n")
    with suppress(OSError):  # what was written is there
        remove_leftovers(path)


def _find_entry(path: Path) -> str | None:
    try:
        text = _read_text(path)
        return _entry_of(_parse_json(text, str(path)))
    except UsageError:
        return None


def _entry_of(fields: dict[str, Any]) -> str | None:
    entry = fields.get("keyring")
    return entry if isinstance(entry, str) else None


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
        is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"There is no token file {path}", _READ_HINT) from None
    except UnicodeDecodeError:
        raise UsageError(f"The token file {path} is not text in UTF-8 or UTF-16", FORMAT_HINT) from None
    except OSError as error:
        raise UsageError(f"Cannot read the token file {path}: {error.strerror}", _READ_HINT) from None


def _parse_json(text: str, source: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        # msgspec's own message may quote the token.
        raise UsageError(f"{source} begins like JSON but is not valid JSON", FORMAT_HINT) from None
