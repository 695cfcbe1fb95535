"""Names of members: how they are displayed, no two looking the same, and who is meant by one that was typed."""

from collections import Counter
from collections.abc import Collection, Mapping

from pulsoid_rec.recorder.contract.display import is_visible, look_of, plain

ID_CHARACTERS = 8
"""Of an id, that stand for the name of a member without one."""


def label_member(profile_id: str, *names: str | None) -> str:
    """Return the first of a member's names that can be displayed, or else the beginning of the id."""
    return plain(next((name for name in names if name and is_visible(name)), profile_id[:ID_CHARACTERS]))


def find_named(text: str, names: Mapping[str, Collection[str]]) -> list[str]:
    """Return the ids of those who have a name, as it is written, or else one of that look, in capitals or small."""
    if exactly := [id_ for id_, own in names.items() if text in own]:
        return exactly
    look = look_of(text).casefold()
    return [id_ for id_, own in names.items() if any(look == look_of(name).casefold() for name in own)]


def label_members(names: Mapping[str, str]) -> dict[str, str]:
    """Return a label for each member, fit to be displayed, no two of which look the same.

    It is the name, with the id's beginning, or all of the id, if others of that look are there. `names` and labels are
    by profile id, in the same order.
    """
    shown = {id_: plain(name) if is_visible(name) else _show_id(id_[:ID_CHARACTERS]) for id_, name in names.items()}
    label = dict(shown)
    for characters in (ID_CHARACTERS, None):
        looks = {id_: look_of(text) for id_, text in label.items()}
        times = Counter(looks.values())
        label |= {id_: f"{shown[id_]} ({_show_id(id_[:characters])})" for id_, look in looks.items() if times[look] > 1}
    return label


def _show_id(id_: str) -> str:
    return id_ if id_ == look_of(id_) else ascii(id_)  # all of what differs is to be seen
