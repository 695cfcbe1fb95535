"""Who is shown: the members heard in each room, and those expected; their numbers and names."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from pulsoid_rec.recorder.contract.member_labels import ID_CHARACTERS, label_members
from pulsoid_rec.recorder.contract.members_file import WITHDRAWN, Member
from pulsoid_rec.recorder.live.member import LiveMember

NOBODY = Member()


class LiveMembers:
    """The members by room and profile id, numbered as they come, at most `most`; those of the members file come first.

    Parameters
    ----------
    rooms
        The ids of the rooms.
    described
        The members file.
    most
        How many are shown; of others only that they are there is noted.
    """

    def __init__(self, rooms: Sequence[str], described: Mapping[str, Member], most: int) -> None:
        self._described = described
        self._most = most
        self._year = datetime.now(UTC).year
        self._config_names: dict[str, str] = {}
        self._left_out: set[tuple[int, str]] = set()
        self._by_place: dict[tuple[int | None, str], LiveMember] = {}
        self._are_named = True
        room = 0 if len(rooms) == 1 else None
        for profile_id, member in described.items():
            if member.consent != WITHDRAWN:
                self._find(room, profile_id)

    def __iter__(self) -> Iterator[LiveMember]:
        """Yield the members, in no order."""
        return iter(tuple(self._by_place.values()))

    @property
    def more(self) -> int:
        """How many are not shown."""
        return len(self._left_out)

    def find(self, room: int, profile_id: str) -> LiveMember | None:
        """Return a member of a room; None if there are too many to show."""
        return self._by_place.get((room, profile_id)) or self._find(room, profile_id)

    def set_name(self, profile_id: str, name: str | None, *, is_earlier: bool = False) -> None:
        """Note the name in a member's config; one from before this run only if there is none yet."""
        if name is None or (is_earlier and profile_id in self._config_names):
            return
        if len(self._config_names) < self._most or profile_id in self._config_names:
            self._config_names[profile_id] = name
            self._are_named = False

    def update_names(self) -> set[LiveMember]:
        """Name all members if something of it changed; return those whose name is another now."""
        if self._are_named:
            return set()
        self._are_named = True
        labels = label_members({member.profile_id: self._name_of(member.profile_id) for member in self})
        renamed = {member for member in self if member.name != labels[member.profile_id]}
        for member in renamed:
            member.name = labels[member.profile_id]
        return renamed

    def _name_of(self, profile_id: str) -> str:
        described = self._described.get(profile_id, NOBODY).name
        return described or self._config_names.get(profile_id) or profile_id[:ID_CHARACTERS]

    def _find(self, room: int | None, profile_id: str) -> LiveMember | None:
        if (expected := self._by_place.pop((None, profile_id), None)) is not None:
            expected.room = room
            member = expected
        elif len(self._by_place) >= self._most:
            if room is not None and len(self._left_out) < 10 * self._most:
                self._left_out.add((room, profile_id))
            return None
        else:
            described = self._described.get(profile_id)
            hr_max = (described or NOBODY).hr_max_in(self._year)
            number = len(self._by_place)
            member = LiveMember(number, profile_id, room, hr_max, expected=described is not None)
            self._are_named = False
        self._by_place[room, profile_id] = member
        return member
