"""Marks that were noted elsewhere, from a CSV file: all of its lines, or none. Pure, but for reading the file.

A mark's id is made from what it says: so importing a file twice changes nothing, since a mark counts once.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Collection, Sequence
from datetime import tzinfo
from pathlib import Path

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.owned_files import open_file
from pulsoid_rec.recorder.contract.wording import format_list
from pulsoid_rec.recorder.importing.instants import Instants
from pulsoid_rec.recorder.journal.rows import MarkRow
from pulsoid_rec.recorder.marking.mark import make_marks

COLUMNS = {
    "time": ("time", "marked_at"),
    "label": ("label",),
    "member": ("member", "profile_id"),
    "kind": ("kind",),
    "room": ("room", "room_id"),
}
"""Names of the columns, in any case: ours, and those of an export."""

_MOST_BYTES = 16 * 2**20
_SEPARATORS = ",;\t"
_ID_CHARS = 24
_NAMED = 8

FindMember = Callable[[str, Sequence[str]], tuple[str, str]]
"""Finds a member, given by id or name, in rooms: returns the room and the profile id, or raises `UsageError`."""


def read_marks(
    path: Path, zone: tzinfo, rooms: Sequence[str], known: Collection[str], find: FindMember
) -> list[MarkRow]:
    """Read marks from a file with the columns `time` and `label`, and `member`, `kind` and `room` if it has them.

    It is CSV in UTF-8, separated by commas, semicolons or tabs. `zone` is that of times without one, `rooms` are those
    of lines that name none, of all rooms that are `known`. Returns the rows in the order of the file, each once.

    Raises `UsageError` if it cannot be read, lacks a column, or has a line, then named, that is no mark.
    """
    text = _read_text(path)
    separator = max(_SEPARATORS, key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    places = _find_columns(path.name, next(reader))
    instants, found = Instants(zone, None, None), dict[tuple[str, str], MarkRow]()
    while True:
        try:
            if (cells := next(reader, None)) is None:
                break
            if any(cell.strip() for cell in cells):
                for row in _make_rows(cells, places, instants, (rooms, known), find):
                    found[row.room_id, row.mark_id] = row
        except (ValueError, csv.Error) as error:
            raise UsageError(f"{path.name}, line {reader.line_num}: {error}", "Nothing was imported.") from None
        except UsageError as error:
            raise UsageError(f"{path.name}, line {reader.line_num}: {error.message}", error.hint) from None
    if not found:
        raise UsageError(f"{path.name} has no line with a mark", "Nothing was imported.")
    return list(found.values())


def _read_text(path: Path) -> str:
    try:
        with open(path, "rb", opener=open_file) as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise UsageError(f"{path.name} is larger than {_MOST_BYTES // 2**20} MiB", "Is it a file of marks?")
        text = content.decode("utf-8-sig")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"Cannot read {path}: {reason}", "Name a CSV file.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path.name} is not UTF-8 text", "Save it as UTF-8.") from error
    if not text.strip():
        raise UsageError(f"{path.name} is empty", "Name a CSV file with the columns time and label.")
    return text


def _find_columns(file: str, header: Sequence[str]) -> dict[str, int]:
    names = [name.strip().casefold() for name in header]
    places = {
        meaning: names.index(name) for meaning, known in COLUMNS.items() for name in reversed(known) if name in names
    }
    if missing := [meaning for meaning in ("time", "label") if meaning not in places]:
        raise UsageError(
            f"{file} has no column {' and no column '.join(missing)}",
            f"Its first line names the columns: time, label, and member, kind and room if needed. It has {names}.",
        )
    return places


def _make_rows(
    cells: Sequence[str],
    places: dict[str, int],
    instants: Instants,
    rooms: tuple[Sequence[str], Collection[str]],
    find: FindMember,
) -> list[MarkRow]:
    if len(cells) <= max(places.values()):
        raise ValueError("it has fewer cells than the first line")

    def cell(meaning: str) -> str:
        return cells[places[meaning]].strip() if meaning in places else ""

    profile_id, (usual, known) = None, rooms
    chosen = (cell("room"),) if cell("room") else tuple(usual)
    if unknown := set(chosen).difference(known):
        raise UsageError(f"there is no room {min(unknown)!r}", f"Rooms: {format_list(list(known), _NAMED)}.")
    if not chosen:
        raise UsageError("it names no room, and there are several", "Add --room, or a column room.")
    if member := cell("member"):
        room, profile_id = find(member, chosen)
        chosen = (room,)
    at = _parse_time(cell("time"), instants)
    rows = make_marks(
        cell("label"),
        kind=cell("kind").casefold() or "mark",
        rooms=chosen,
        profile_id=profile_id,
        marked_at=at,
        mark_id="",
        source="import",
    )
    for row in rows:
        row.mark_id = _make_id(row)
    return rows


def _parse_time(text: str, instants: Instants) -> int:
    try:
        return instants.parse(text)
    except ValueError as error:
        if "--start" in str(error) or "--time-format" in str(error):  # options of `import` alone
            raise ValueError(f"its time {text[:40]!r} is not understood; write it as 2026-01-31T20:15:00") from None
        raise


def _make_id(row: MarkRow) -> str:
    said = "\0".join((str(row.marked_at), row.label, row.kind, row.profile_id or ""))
    return f"import-{hashlib.sha256(said.encode()).hexdigest()[:_ID_CHARS]}"
