"""The marks that a running recorder has: those that its page and its API make, and those that others made.

What is made here goes to the journal at once, stamped by the clock of receipt, so that it is on the disk like any
message; see `Journal`. Marks of other processes are read back from the database as rows of its own are ingested.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from pulsoid_rec.recorder.clock import ReceiptClock
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.ids import new_id
from pulsoid_rec.recorder.journal.rows import AnyRow, MarkRow
from pulsoid_rec.recorder.marking.mark import Source, find_in_rooms, make_marks, make_undo, not_undone

MOST = 1_000
"""Rows that are kept in memory: the latest."""


class MarkBoard:
    """The marks of the `rooms` that a run records.

    `names_of` returns the members of a room, names, or None, by profile id; `append` puts a row into the journal.
    """

    def __init__(
        self,
        rooms: Sequence[str],
        names_of: Callable[[str], Mapping[str, str | None]],
        append: Callable[[AnyRow], None],
        clock: ReceiptClock,
    ) -> None:
        self._rooms = tuple(rooms)
        self._names_of = names_of
        self._append = append
        self._clock = clock
        self._rows: dict[tuple[str, str, bool], MarkRow] = {}
        self._shown: tuple[int, list[MarkRow]] = (0, [])
        self.changes = 0
        """How often something was added: whoever shows the marks looks anew when it has changed."""

    @property
    def marks(self) -> list[MarkRow]:
        """The marks that were not undone, in the order of time."""
        if self._shown[0] != self.changes:
            self._shown = self.changes, not_undone(self._rows.values())
        return self._shown[1]

    @property
    def latest(self) -> MarkRow | None:
        """The latest mark that was not undone; None if there is none."""
        return self.marks[-1] if self.marks else None

    def mark(
        self,
        label: str,
        *,
        kind: str = "mark",
        room: str | None = None,
        member: str | None = None,
        ago_us: int = 0,
        source: Source,
    ) -> list[MarkRow]:
        """Mark this instant, or one some microseconds ago, in one room or all, perhaps of one member: an id or name.

        Returns the rows, one for each room; they share a `mark_id`. Raises `UsageError` if something of it cannot be;
        then nothing was marked.
        """
        rooms, profile_id = self._choose(room, member)
        marked_at = self._clock.next_us() - ago_us
        rows = make_marks(
            label, kind=kind, rooms=rooms, profile_id=profile_id, marked_at=marked_at, mark_id=new_id(), source=source
        )
        return self._add(rows)

    def undo_mark(self, mark_id: str, *, source: Source) -> list[MarkRow]:
        """Undo a mark by adding a row for each of its rooms; return those. Raises `UsageError` if there is none."""
        if not (rows := [row for row in self.marks if row.mark_id == mark_id]):
            raise UsageError("There is no such mark", "Nothing was changed.")
        return self._add(make_undo(rows, marked_at=self._clock.next_us(), source=source))

    def merge(self, rows: Iterable[MarkRow]) -> None:
        """Add rows that are in the database, in the order in which they were written, unless they are here already."""
        for row in rows:
            key = _key(row)
            if row.room_id in self._rooms and key not in self._rows:
                self._rows[key] = row
                self.changes += 1
        self._trim()

    def _add(self, rows: list[MarkRow]) -> list[MarkRow]:
        for row in rows:
            self._append(row)
            self._rows[_key(row)] = row
            self.changes += 1
        self._trim()
        return rows

    def _trim(self) -> None:
        while len(self._rows) > MOST:
            del self._rows[next(iter(self._rows))]

    def _choose(self, room: str | None, member: str | None) -> tuple[tuple[str, ...], str | None]:
        if room is not None and room not in self._rooms:
            raise UsageError("That room is not recorded here", f"Rooms: {', '.join(self._rooms)}.")
        rooms = self._rooms if room is None else (room,)
        if member is None:
            return rooms, None
        found, profile_id = find_in_rooms(member, rooms, self._names_of)
        return (found,), profile_id


def _key(row: MarkRow) -> tuple[str, str, bool]:
    return row.room_id, row.mark_id, row.kind == "undo"
