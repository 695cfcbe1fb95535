"""What a reader must know before trusting a figure, in words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pulsoid_rec.analysis.findings.session_view import SessionView

Kind = Literal["recorder", "presence", "silence", "quality", "coverage"]
_MANY = 5
"""More notes of one sort about one session than this are told as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A remark about a session, or about one member in it.

    Parameters
    ----------
    room_id, session
        The session it belongs to.
    profile_id
        The member it is about; None when it is about the recorder or the whole session.
    kind
        What it tells of: the recorder, who was there, silences, the sensor, or how much a figure covers.
    text
        The remark, plain text that begins with whom it is about; never escaped.
    details
        When it tells of many members at once, what there is to say of each, for those who want to know.
    """

    room_id: str
    session: int
    profile_id: str | None
    kind: Kind
    text: str
    details: tuple[str, ...] = ()


def note_on(part: SessionView, profile_id: str | None, kind: Kind, text: str) -> Note:
    """Make a note that belongs to a session; parameters as of `Note`."""
    return Note(room_id=part.room_id, session=part.session, profile_id=profile_id, kind=kind, text=text)


def few_or_one(notes: Sequence[Note], together: str) -> list[Note]:
    """Keep a few notes as they are, and put many into one so that they hide no other.

    Parameters
    ----------
    notes
        Notes of one sort about one session.
    together
        What many of them say in common, such as `7 members came late`; each one's text is among its details.

    Returns
    -------
    list of Note
        The notes, or a single one; empty for none.
    """
    if len(notes) <= _MANY:
        return list(notes)
    return [replace(notes[0], profile_id=None, text=together, details=tuple(note.text for note in notes))]
