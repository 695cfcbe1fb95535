"""Notes: what a reader must know before trusting a figure, as text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pulsoid_rec.analysis.findings.session_view import SessionView

Kind = Literal["recorder", "clock", "presence", "silence", "quality", "coverage", "rejected"]

_MOST = 5  # if there are more notes of one sort about one session, they are merged into one


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A remark about a session, or about one member in it."""

    room_id: str
    session: int
    profile_id: str | None  # the member it is about; None when it is about the recorder or the whole session
    kind: Kind  # its subject
    text: str  # plain text that begins with its subject; never escaped
    details: tuple[str, ...] = ()  # the texts of the notes that it was merged from


def make_note(view: SessionView, profile_id: str | None, kind: Kind, text: str) -> Note:
    """Make a note about a session; parameters as of `Note`. A member's note begins with the name."""
    subject = "" if profile_id is None else f"{view.label(profile_id)}: "
    return Note(room_id=view.room_id, session=view.session, profile_id=profile_id, kind=kind, text=subject + text)


def merge_many(notes: Sequence[Note], merged: str) -> list[Note]:
    """Return notes of one sort about one session, or, if they are many, one with the text `merged` and all details."""
    if len(notes) <= _MOST:
        return list(notes)
    return [replace(notes[0], profile_id=None, text=merged, details=tuple(note.text for note in notes))]
