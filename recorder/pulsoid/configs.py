"""What a config says. Pulsoid documents no more than that it is a JSON object, so it may say anything."""

import json
import re
from typing import Any

# What DuckDB's `trim` takes for a space: a name is the same whether it is taken out here or by SQL, in older files.
_SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_HALF_EMOJI = re.compile("[\ud800-\udfff]")  # an escape without the one that belongs to it


def name_of(config: str, most_chars: int) -> str | None:
    """Return the text `name` of a room's or member's config, cut to so many characters; it never raises.

    Spaces around it are left out, and half an emoji is replaced by U+FFFD. None if there is no name, it is blank or not
    a text, or the config is not a JSON object.
    """
    try:
        content = json.loads(config, object_pairs_hook=_first_of_each, parse_int=float)  # an int has a longest length
    except (ValueError, RecursionError):
        return None
    name = content.get("name") if isinstance(content, dict) else None
    if not isinstance(name, str):
        return None
    return _HALF_EMOJI.sub("\ufffd", name).strip(_SPACES)[:most_chars] or None


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; of keys that are there twice the first counts, as in DuckDB."""
    return dict(reversed(pairs))
