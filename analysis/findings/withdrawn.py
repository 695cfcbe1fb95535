"""Members whose consent is withdrawn, while rows of theirs are still in the recording."""

import re
import shlex
from collections.abc import Collection, Mapping

from pulsoid_rec.recorder.contract.wording import format_count, format_list

_MOST = 5
_SIMPLE = re.compile(r"[\w .'-]+")


def describe_withdrawn(withdrawn: Mapping[str, str], recorded: Collection[str], *, is_hidden: bool) -> str | None:
    """Describe who of the `withdrawn` (names by id) is among the ids `recorded`; None if nobody is.

    The sentence, without a full stop, has the command that removes them; where ids `is_hidden` it names nobody.
    """
    names = [name for id_, name in withdrawn.items() if id_ in recorded]
    if not names:
        return None
    if is_hidden:
        whose = f"The consent of {format_count(len(names), 'member')} in this recording is withdrawn"
        return f"{whose}: before sharing it, remove them with `pulsoid-rec forget`"
    command = " ".join(["pulsoid-rec forget", *map(_quote, names[:_MOST])])
    whose = f"The consent of {format_list(names, _MOST)} is withdrawn, but this recording has rows of theirs"
    return f"{whose}: `{command}` removes them"


def _quote(name: str) -> str:
    return f'"{name}"' if _SIMPLE.fullmatch(name) else shlex.quote(name)
