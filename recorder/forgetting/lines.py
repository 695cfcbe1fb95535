"""Files that hold members' messages line by line: segments, the kept journal, logs; and the members file.

With `dry` each function only counts.
"""

import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import tomlkit
from tomlkit.exceptions import TOMLKitError

from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.paths import follow_link
from pulsoid_rec.recorder.contract.tables import REJECTED_MESSAGES
from pulsoid_rec.recorder.disk.replace import open_replacement
from pulsoid_rec.recorder.disk.sync import sync_file
from pulsoid_rec.recorder.forgetting.texts import Texts
from pulsoid_rec.recorder.ingest.kept import filter_kept
from pulsoid_rec.recorder.journal.segment import encode_line, has_valid_checksum

_UNCHANGED = {"table", "room_id", "connection_id", "event"}


def clean_line(line: bytes, texts: Texts) -> bytes | None:
    """Return a line of the journal as it may stay: None if it is a member's own, without their ids if it is not.

    A rejected message with an id or a name in it is theirs, and so is a damaged line.
    """
    has_text = bool(texts.regex.search(line.decode(errors="replace")))
    if not has_valid_checksum(line):
        return None if has_text else line
    row = msgspec.json.decode(line, type=dict[str, Any])
    if row.get("profile_id") in texts.ids or (has_text and row["table"] == REJECTED_MESSAGES.name):
        return None
    if not has_text:
        return line
    masked = {key: value if key in _UNCHANGED else _mask(value, texts) for key, value in row.items()}
    if masked == row:
        return line
    del masked["crc32"]
    return encode_line(masked)


def _mask(value: Any, texts: Texts) -> Any:
    return texts.mask(value) if isinstance(value, str) else value


def clean_segment(path: Path, texts: Texts, *, dry: bool = False) -> int:
    """Take members out of a segment that nobody writes; return how many lines are not as they were."""
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [clean_line(line, texts) for line in lines]
    if kept != lines and not dry:
        with open_replacement(path, sync=True) as new:
            new.write_bytes(b"".join(line for line in kept if line is not None))
    return sum(new != line for new, line in zip(kept, lines, strict=True))


def clean_kept(path: Path, texts: Texts, *, dry: bool = False) -> int:
    """Take members out of a kept file, while nobody else has the database open; return as `clean_segment`."""
    with path.open("rb") as source:
        with Path(os.devnull).open("wb") as nowhere:
            changed = filter_kept(source, nowhere, lambda line: clean_line(line, texts))
        if changed and not dry:
            with open_replacement(path, sync=True) as new, new.open("wb") as target:
                filter_kept(source, target, lambda line: clean_line(line, texts))
    return changed


def clean_log(path: Path, texts: Texts, *, dry: bool = False) -> int:
    """Put asterisks in the place of ids and names in a log, to which a recorder may append; return how many."""
    with path.open("rb" if dry else "r+b") as file:
        text = file.read().decode(errors="surrogateescape")
        found = list(texts.regex.finditer(text))
        for match in found if not dry else ():
            file.seek(len(text[: match.start()].encode(errors="surrogateescape")))
            file.write(b"*" * len(match[0].encode(errors="surrogateescape")))
        if found and not dry:
            file.flush()
            sync_file(file.fileno())
    return len(found)


def clean_members_file(path: Path, texts: Texts, *, dry: bool = False) -> int:
    """Take members' tables out of the members file, and comments that name them; return how many tables.

    Everything else stays as it is written. Raises `StorageError` if that cannot be done.
    """
    path = follow_link(path)
    text = path.read_bytes().decode("utf-8")
    mark, text = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
    before, left = tomllib.loads(text), text
    gone = [each for each in texts.ids if each in before]
    try:
        for each in gone:
            left = _without_table(left, each)
    except TOMLKitError as error:
        raise StorageError(f"{path} cannot be changed: {error}", "Take the member out by hand.") from error
    lines = left.splitlines(keepends=True)
    left = "".join(line for line in lines if not (line.lstrip().startswith("#") and texts.regex.search(line)))
    if left == text:
        return 0
    if tomllib.loads(left) != {key: value for key, value in before.items() if key not in gone}:
        raise StorageError(f"{path} cannot be changed without changing more", "Take the member out by hand.")
    if not dry:
        with open_replacement(path, sync=True) as new:
            new.write_bytes((mark + left).encode())
    return max(len(gone), 1)


def _without_table(text: str, key: str) -> str:
    """Return a document without a table, but with the comments behind its last line: these are about the next one."""
    document = tomlkit.parse(text)
    body = getattr(document[key].value, "body", [])
    behind = ""
    for name, item in reversed(body):
        if name is not None:
            break
        behind = item.as_string() + behind
    document.remove(key)
    left = tomlkit.dumps(document)
    same = next((at for at, (one, other) in enumerate(zip(text, left, strict=False)) if one != other), len(left))
    at = left.rfind("\n", 0, same) + 1  # where its header began
    return left[:at] + (behind.lstrip("\r\n") if "#" in behind else "") + left[at:]
