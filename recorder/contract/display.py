"""Text that somebody else wrote, such as a name, as it may be displayed: on a terminal, in a page or in a chart.

Members choose their names, and Unicode has characters that control a terminal, turn the direction of what follows, or
draw nothing. What is stored and exported is what was sent; this is for what people look at.
"""

import codecs
import re
import sys
import unicodedata

_CONTROLS = "\x01-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"  # and those of the direction of text
# Default_Ignorable_Code_Point of Unicode 16 (DerivedCoreProperties.txt): those that shape their neighbours, and others.
_SHAPING = "\u180b-\u180d\u180f\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef"
_IGNORED = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
_FLAG = "\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"  # of a region, which is spelled in ignored letters
_BLANK = "\u2800"  # the braille pattern without a dot
_UNSEEN = {"Cc", "Cf", "Cs", "Mc", "Me", "Mn", "Zl", "Zp", "Zs"}  # categories that draw nothing by themselves

CONTROLS = re.compile(f"[{_CONTROLS}]")
"""Characters that a terminal or a browser obeys, or takes for the end of a line."""

_REMOVED = re.compile(f"({_FLAG})|[\0{_IGNORED}]")
_UNDRAWN = re.compile(f"[\0{_CONTROLS}{_SHAPING}{_IGNORED}{_BLANK}]")
_SUBSTITUTES = str.maketrans("\u2014\u2013\u2018\u2019\u201c\u201d\u2026\u2500\u2501\u00d7", "--''\"\".--x")


def plain(text: str) -> str:
    """Return a text without what a terminal or a browser would obey.

    Controls are replaced by U+FFFD. What draws nothing is removed, unless it shapes its neighbours: joiners, variation
    selectors, the region of a flag.
    """
    return _REMOVED.sub(r"\1", CONTROLS.sub("\ufffd", text))


def print_lines(text: str) -> None:
    """Print a text of one or more lines, which is not data, to stderr."""
    print("\n".join(map(plain, text.split("\n"))), file=sys.stderr, flush=True)  # noqa: T201 - for all commands


def is_visible(text: str) -> bool:
    """Return whether a text has a character that is drawn by itself, unlike a space or a combining mark."""
    return any(unicodedata.category(character) not in _UNSEEN for character in _UNDRAWN.sub("", text))


def look_of(text: str) -> str:
    """Return a text that is the same for all that look the same, such as with a soft hyphen and without."""
    return _UNDRAWN.sub("", unicodedata.normalize("NFKC", plain(text)))


FIT_ENCODING = "pulsoid_rec.fit_encoding"
"""An error handler of `str.encode` and of text streams: what an encoding lacks becomes `?`, as wide as it is drawn."""


def _fit_encoding(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    from rich.cells import cell_len  # noqa: PLC0415 - seldom needed, and loading it takes time

    text = error.object[error.start : error.end].translate(_SUBSTITUTES)
    return re.sub("[^\0-\x7f]+", lambda lacking: "?" * cell_len(lacking[0]), text), error.end


codecs.register_error(FIT_ENCODING, _fit_encoding)
