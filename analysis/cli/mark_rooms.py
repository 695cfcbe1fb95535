"""What `mark` looks up in a recording: its rooms, their members, and the marks that are there."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from pulsoid_rec.analysis.cli.options import read_members_beside
from pulsoid_rec.analysis.cli.recording import open_recording
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.tables import MARKS
from pulsoid_rec.recorder.contract.wording import format_list
from pulsoid_rec.recorder.journal.rows import MarkRow
from pulsoid_rec.recorder.marking.mark import find_in_rooms

_NAMED = 8


def choose_rooms(db: Path, named: Sequence[str], recorded: Sequence[str]) -> Sequence[str]:
    """Return the rooms to mark: those `named`, else those being recorded, else the only one of the recording.

    Raises `UsageError` if one is neither recorded nor in the recording, or if none is named and there are several.
    """
    if not named and recorded:
        return recorded
    known = list_rooms(db)
    if unknown := [room for room in named if room not in {*known, *recorded}]:
        raise UsageError(f"There is no room {unknown[0]!r} in {db}", f"There are {format_list(known, _NAMED)}.")
    if not named and len(known) != 1:
        hint = f"Choose with --room: {format_list(known, _NAMED)}." if known else "Record a room first."
        raise UsageError(f"Nothing is being recorded, and {db} has {len(known) or 'no'} rooms", hint)
    return named or known


def list_rooms(db: Path) -> list[str]:
    """Return all rooms of a recording."""
    rooms: list[str] = open_recording(db).rooms()["room_id"].to_list()
    return rooms


class MembersOfRooms:
    """Finds members by id or name: the names of the latest configs, or of the members file."""

    def __init__(self, db: Path) -> None:
        self._recording = open_recording(db)
        self._known = read_members_beside(db, None)
        self._names: dict[str, dict[str, str | None]] = {}

    def find(self, text: str, rooms: Sequence[str]) -> tuple[str, str]:
        """Return the room of a member, of some rooms, and the profile id; see `find_in_rooms`."""
        return find_in_rooms(text, rooms, self._names_of)

    def _names_of(self, room: str) -> dict[str, str | None]:
        if room not in self._names:
            with self._recording.snapshot() as now:
                of_configs = now.config_names().select("room_id", "profile_id", "config_name").rows()
                people = now.members(Filter(rooms=(room,)), members=self._known).select("profile_id", "name").rows()
            given = dict(self._known.select("profile_id", "given_name").iter_rows())
            names = {profile: given.get(profile) or name for at, profile, name in of_configs if at == room}
            self._names[room] = {**names, **dict(people)}
        return self._names[room]


def read_rows(db: Path) -> list[MarkRow]:
    """Read all marks of a recording, archived ones too, undone ones and undoing ones too."""
    rows = open_recording(db).events(MARKS)
    in_us = rows.with_columns(rows["marked_at"].dt.epoch("us"))
    return [MarkRow(**row) for row in in_us.select(c.name for c in MARKS.columns).iter_rows(named=True)]


class LocalZone(tzinfo):
    """The time zone of this computer."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """Return the offset from UTC of a local time."""
        return None if dt is None else dt.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, _dt: datetime | None) -> timedelta | None:
        """Return None: that part of the offset is not known."""

    def tzname(self, _dt: datetime | None) -> str:
        """Return what messages call it."""
        return str(self)

    def __str__(self) -> str:
        return "this computer's time zone"
