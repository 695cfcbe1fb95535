"""What a mark is made of, checked. Pure: texts in, rows of the journal out.

One press of a key is one `mark_id`, in each room that it is for: what is undone, and what counts once however often a
file was read, is a room's mark of that id.
"""

import contextlib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Literal

from pulsoid_rec.recorder.contract.display import is_visible, plain
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.member_labels import find_named
from pulsoid_rec.recorder.contract.wording import format_list
from pulsoid_rec.recorder.journal.rows import MarkRow

Kind = Literal["mark", "phase", "undo"]
Source = Literal["cli", "page", "api", "import"]
KINDS: tuple[Kind, ...] = ("mark", "phase")
"""Kinds that can be made; an `undo` is made of a mark that is there."""

_NAMED = 8
_EARLIEST_US, _END_US = -62_135_596_800_000_000, 253_402_300_800_000_000  # the years 1 to 9999


def make_marks(
    label: str,
    *,
    kind: str = "mark",
    rooms: Iterable[str],
    profile_id: str | None = None,
    marked_at: int,
    mark_id: str,
    source: Source,
) -> list[MarkRow]:
    """Make a mark of each room, at `marked_at` (microseconds since 1970, UTC, the recorder's clock).

    Raises `UsageError` if the label cannot be one (see `parse_label`), there is no such kind, the time is outside the
    years 1 to 9999, or a phase is to be of a member alone: phases are of a room.
    """
    label = parse_label(label)
    if kind not in KINDS:
        raise UsageError(f"There is no kind {plain(kind)!r} of mark", f"The kinds are {', '.join(KINDS)}.")
    if kind == "phase" and profile_id is not None:
        raise UsageError("A phase is of a whole room", "Leave out the member, or make it a mark.")
    if not _EARLIEST_US <= marked_at < _END_US:
        raise UsageError("The time of a mark is outside the years 1 to 9999", "Correct it.")
    return [MarkRow(room, profile_id, label, kind, marked_at, mark_id, source) for room in rooms]


def parse_label(text: str) -> str:
    """Return a label in one line, without spaces around it.

    Raises `UsageError` if it has nothing that is drawn, has control characters or halves of characters, or is too long.
    """
    label = " ".join(text.split())
    most = DEFAULT_LIMITS.label_chars
    if not is_visible(label):
        raise UsageError("A mark's label is empty", "Write what it is about, such as 'match 1'.")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in label):
        raise UsageError("A mark's label has characters that are no text", "Write it in letters.")
    if len(label) > most:
        raise UsageError(f"A mark's label has more than {most} characters", "Shorten it.")
    return label


def make_undo(marks: Sequence[MarkRow], *, marked_at: int, source: Source) -> list[MarkRow]:
    """Make the rows that undo marks, with the label of each."""
    return [MarkRow(m.room_id, m.profile_id, m.label, "undo", marked_at, m.mark_id, source) for m in marks]


def find_latest(marks: Iterable[MarkRow], label: str | None = None, rooms: Iterable[str] = ()) -> list[MarkRow]:
    """Return the latest mark that counts, or of those with a label: a row for each room; none if there is none.

    `marks` are in any order; `rooms` are those to look at, all when empty.
    """
    wanted = set(rooms)
    chosen = [
        mark
        for mark in not_undone(marks)
        if (not wanted or mark.room_id in wanted) and (label is None or mark.label == label)
    ]
    if not chosen:
        return []
    latest = max(chosen, key=lambda mark: mark.marked_at)
    return [mark for mark in chosen if mark.mark_id == latest.mark_id]


def not_undone(marks: Iterable[MarkRow]) -> list[MarkRow]:
    """Return the marks that were not undone, each once, in the order of time."""
    marks = list(marks)
    undone = {(mark.room_id, mark.mark_id) for mark in marks if mark.kind == "undo"}
    made = {(mark.room_id, mark.mark_id): mark for mark in marks if (mark.room_id, mark.mark_id) not in undone}
    return sorted(made.values(), key=lambda mark: (mark.marked_at, mark.room_id))


def find_in_rooms(
    text: str, rooms: Sequence[str], names_of: Callable[[str], Mapping[str, str | None]]
) -> tuple[str, str]:
    """Return the room and the profile id of a member, given by id or name, of rooms whose members are `names_of`.

    Raises `UsageError` unless it is one member of one room.
    """
    found = []
    for room in rooms:
        with contextlib.suppress(UsageError):
            found.append((room, find_member(text, names_of(room))))
    if len(found) > 1:
        named = format_list([room for room, _ in found], _NAMED)
        raise UsageError(f"The member {plain(text)!r} is in {len(found)} rooms", f"Choose one of them: {named}.")
    everybody = {profile_id: name for room in rooms for profile_id, name in names_of(room).items()}
    return found[0] if found else ("", find_member(text, everybody))


def find_member(text: str, names: Mapping[str, str | None]) -> str:
    """Return the profile id of a member, given by it or by name; `names` are those of all members of the room, by id.

    Names that look the same are the same, in capitals or small letters. Raises `UsageError` unless it is one member.
    """
    if text in names:
        return text
    found = find_named(text, {profile_id: (name,) for profile_id, name in names.items() if name})
    if len(found) == 1:
        return found[0]
    shown = plain(text)
    if found:
        raise UsageError(
            f"{len(found)} members are called {shown!r}", f"Give the profile id: {format_list(sorted(found), _NAMED)}."
        )
    known = [plain(name) for name in sorted({name or profile_id for profile_id, name in names.items()})]
    near = get_close_matches(shown, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Members: {format_list(known, _NAMED)}." if known else ""
    raise UsageError(f"There is no member {shown!r}", hint or "Nobody has sent anything there yet.")
