r"""Members' ids and names in texts: how they may be written there, and what finds them in Python and in SQL.

In the columns that are for it, an id is compared as a whole. Elsewhere it counts as a word of its own: `user-1` is not
in `user-12`. What is short, or a short number, may be anything: it counts only where it is quoted, as in JSON.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

MASK = "[forgotten]"
"""What stands in the place of an id in rows that are not the member's own; in the label of a mark also of a name."""

_WORD_CHARS, _NUMBER_CHARS = 4, 8
"""Characters from which on a word with a letter, and any other text, is hardly anything else."""

_BYTES = 6
"""Bytes from which on a text is in no other bytes by chance."""

_DEPTH = 2  # of escapes: a message is JSON, and in a line of the journal that is a text in JSON
_PYTHON = (r"(?<![\w-])", r"(?![\w-])")
_RE2 = (r"^|[^\pL\pN_-]", r"$|[^\pL\pN_-]")  # as DuckDB takes them
_QUOTES = ('"', r'\\*"')


@dataclass(frozen=True)
class Texts:
    """Ids and names of members; each name is of nobody else.

    `others` are ids and names of the others: what is a part of one is not looked for in bytes that are no text. An id
    that is another member's name, as one of an import may be, is only looked for where ids are.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...] = ()
    others: frozenset[str] = frozenset()

    @cached_property
    def _written(self) -> tuple[str, ...]:
        """The ids that in a text mean nobody else."""
        return tuple(each for each in self.ids if each not in self.others)

    def _masked(self, *, names: bool) -> tuple[str, ...]:
        return (*self._written, *self.names) if names else self._written

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """What finds an id or a name."""
        return re.compile(_regex(self._masked(names=True), _PYTHON))

    def mask(self, text: str, *, names: bool = False) -> str:
        """Return a text with `MASK` for each id, and for each name, too, if `names`."""
        for texts, before, after in _groups(self._masked(names=names), _PYTHON):
            text = re.sub(f"({before})(?:{texts})({after})", rf"\1{MASK}\2", text)
        return text

    @cached_property
    def in_bytes(self) -> tuple[bytes, ...]:
        """What is looked for in bytes that are no text, where a short text would be found by chance."""
        forms = {form for text in self._masked(names=True) for form in _forms(text)}
        alone = [form.encode("utf-8", "replace") for form in forms if not any(form in other for other in self.others)]
        return tuple(sorted(form for form in alone if len(form) >= _BYTES))

    def is_own_sql(self, column: str) -> str:
        """Return the SQL condition that a column is one of the ids."""
        return f"coalesce({column} IN ({', '.join(map(_literal, self.ids))}), false)"

    def sql(self, column: str, *, ids_only: bool = False) -> str:
        """Return the SQL condition that a column's text has an id or a name in it."""
        pattern = _regex(self._masked(names=not ids_only), _RE2)
        return f"coalesce(regexp_matches({column}::VARCHAR, {_literal(pattern)}), false)"

    def masked_sql(self, column: str, type_: str, *, names: bool = False) -> str:
        """Return the SQL of a column as `mask` would return it."""
        masked = f"{column}::VARCHAR"
        for texts, before, after in 2 * list(
            _groups(self._masked(names=names), _RE2)
        ):  # of two neighbours, at first one is found
            pattern = _literal(f"({before})(?:{texts})({after})")
            masked = f"regexp_replace({masked}, {pattern}, '\\1{MASK}\\2', 'g')"
        return f"coalesce(try_cast({masked} AS {type_}), {column})"


def is_telling(text: str) -> bool:
    """Return whether a text is hardly anything else where it is a word."""
    return len(text) >= (_WORD_CHARS if any(map(str.isalpha, text)) else _NUMBER_CHARS)


def _regex(texts: Iterable[str], boundaries: tuple[str, str]) -> str:
    parts = [f"(?:{before})(?:{words})(?:{after})" for words, before, after in _groups(texts, boundaries)]
    return "|".join(parts) or r"[^\s\S]"  # which matches nothing


def _groups(texts: Iterable[str], boundaries: tuple[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield a regular expression of texts, and of what has to be before and after them."""
    texts = list(texts)
    for wanted, (before, after) in ((True, boundaries), (False, _QUOTES)):
        forms = [form for text in texts if is_telling(text) == wanted for form in _forms(text)]
        if forms:
            yield "|".join(map(re.escape, sorted(forms, key=len, reverse=True))), before, after


def _forms(text: str) -> Iterable[str]:
    """Return a text as it is, as it is written in JSON, and in JSON in JSON; an empty one is nowhere."""
    forms = [text] if text else []
    for _ in range(_DEPTH):
        forms += [json.dumps(form, ensure_ascii=escaped)[1:-1] for form in forms for escaped in (False, True)]
        forms = list(dict.fromkeys(forms))
    return forms


def _literal(text: str) -> str:
    """Return a text as SQL, whatever characters it has."""
    return f"decode(from_hex('{text.encode('utf-8', 'replace').hex()}'))"
