"""Names of files and labels made of what members call themselves, valid on every system and all different."""

import re
import unicodedata

_MOST_BYTES = 80  # of a part; a whole name may have 255
_MOST_LETTERS = 32  # of a label, which is in a path four times
_KEPT = {"L", "M", "N"}  # categories of Unicode: letters, marks on them, digits


def portable(text: str) -> str:
    """Return a text as part of a file's name on any system: letters and digits of any script, and `_`, all else as `-`.

    It is empty if there are none.
    """
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(letter if unicodedata.category(letter)[0] in _KEPT or letter == "_" else "-" for letter in composed)
    short = kept.encode("utf-8", "ignore")[:_MOST_BYTES].decode("utf-8", "ignore")
    return re.sub("-+", "-", short).strip("-")


def alphanumeric(text: str) -> str:
    """Return the ASCII letters and digits of a text, as of a label in BIDS; accents are left out. It may be empty."""
    return re.sub("[^0-9A-Za-z]", "", unicodedata.normalize("NFKD", text))[:_MOST_LETTERS]


class FileNames:
    """Makes names that are all different, also to systems that take upper and lower case for the same."""

    def __init__(self) -> None:
        self._made = set[str]()

    def reserve(self, name: str, before_number: str) -> str:
        """Return a name as it is, or with a number if there is one like it already."""
        unique, number = name, 1
        while unique.casefold() in self._made:
            number += 1
            unique = f"{name}{before_number}{number}"
        self._made.add(unique.casefold())
        return unique
