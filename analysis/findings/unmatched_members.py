"""Members of the members file that are nobody in the recording: an id in capitals, a name in its place, a slip."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from pulsoid_rec.recorder.contract.wording import format_list

_MOST = 5
_SIMILAR = 0.85
"""A smaller likeness of two ids is chance: those of one room may have half of their characters in common."""


def describe_unmatched(ids: Iterable[str], names: Mapping[str, str]) -> str | None:
    """Describe which ids of a members file nobody in the recording has; None if all are somebody's.

    `names` are those of all members of the recording by id, also of those without a reading. The sentence, without a
    full stop, says what may be meant.
    """
    unmatched = [id_ for id_ in ids if id_ not in names]
    if not unmatched:
        return None
    named = [f"{id_!r}{_suggest(id_, names)}" for id_ in unmatched[:_MOST]]
    listed = format_list([*named, *unmatched[_MOST:]], _MOST)
    return f"Nobody in this recording has these ids of the members file: {listed}"


def _suggest(text: str, names: Mapping[str, str]) -> str:
    folded = text.casefold()
    by_folded = {id_.casefold(): id_ for id_ in names}
    named = [id_ for id_, name in names.items() if name.casefold() == folded]
    if named and folded not in by_folded:
        return f" (a name; did you mean the id {format_list(named, 2)}?)"
    similar = get_close_matches(folded, by_folded, n=1, cutoff=_SIMILAR)
    return f" (did you mean {by_folded[similar[0]]}?)" if similar else ""
