"""`POST /marks`: a mark that is made on the page, by a Stream Deck, a game, a program of an experiment."""

from http import HTTPStatus
from typing import Annotated, Literal

import msgspec

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.journal.journal import Journal
from pulsoid_rec.recorder.live.access import Refusal
from pulsoid_rec.recorder.live.state import LiveState
from pulsoid_rec.recorder.marking.board import MarkBoard

_LONGEST_AGO_MS = 3_600_000


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    label: str | None = None
    kind: Literal["mark", "phase", "undo"] = "mark"
    room: int | str | None = None
    member: int | str | None = None
    ago_ms: Annotated[int, msgspec.Meta(ge=0, le=_LONGEST_AGO_MS)] = 0
    id: str | None = None


class Made(msgspec.Struct):
    """A mark that was made: its id, and when it is, in milliseconds on the room's clock."""

    id: str
    at: int


_decode = msgspec.json.Decoder(_Request).decode


class Marking:
    """Makes and undoes marks as requests say."""

    def __init__(self, board: MarkBoard, state: LiveState, journal: Journal) -> None:
        self._board = board
        self._journal = journal
        self._state = state

    def mark(self, body: bytes, *, is_from_page: bool) -> Made | Refusal:
        """Make or undo a mark; what cannot be made is refused with a sentence."""
        source: Literal["page", "api"] = "page" if is_from_page else "api"
        if self._journal.is_full:  # what is received waits, too: memory is bounded
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "The journal is full until it can be written again.")
        try:
            request = _decode(body)
            if request.kind == "undo":
                if request.id is None:
                    return _unusable("An undo needs the id of the mark.")
                rows = self._board.undo_mark(request.id, source=source)
            elif request.label is None:
                return _unusable("A mark needs a label.")
            else:
                room = self._find_room(request.room)
                rows = self._board.mark(
                    request.label,
                    kind=request.kind,
                    room=room,
                    member=self._find_member(request.member),
                    ago_us=request.ago_ms * 1000,
                    source=source,
                )
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Refusal(HTTPStatus.BAD_REQUEST, f"That is not a mark as JSON: {error}.")
        except UsageError as error:
            return _unusable(str(error))
        return Made(rows[0].mark_id, self._state.clock.to_ms(rows[0].marked_at))

    def _find_room(self, room: int | str | None) -> str | None:
        """Return a room's id, from that or its number."""
        if not isinstance(room, int):
            return room
        if room not in range(len(self._state.rooms)):
            raise UsageError(f"There is no room {room}", f"The last one is {len(self._state.rooms) - 1}.")
        return self._state.rooms[room].room_id

    def _find_member(self, member: int | str | None) -> str | None:
        """Return a member's profile id, from its number; a name or id as it is."""
        if not isinstance(member, int):
            return member
        for each in self._state.members:
            if each.number == member:
                return each.profile_id
        raise UsageError(f"There is no member {member}", "Numbers are those that the page has.")


def _unusable(why: str) -> Refusal:
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, why)
