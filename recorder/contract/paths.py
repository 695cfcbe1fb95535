"""Paths of files: what a user writes, and as DuckDB has to be given them."""

import os
import re
from pathlib import Path

from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.owned_files import is_foreign_link, is_special

_WILDCARD = re.compile(r"[*?[]")


def parse_path(text: str | Path) -> Path:
    """Return the path that a user wrote; `~` and `~user` at its beginning are home folders, as in a shell.

    A `Path` is returned as it is. So is a text that begins with `./~`, or with a `~` and no user's name.
    """
    if isinstance(text, Path):
        return text
    return Path(os.path.expanduser(text))  # noqa: PTH111 - a Path takes `./~` for `~`


def require_valid_path(path: Path) -> None:
    """Raise `StorageError` if DuckDB cannot have a database there.

    It takes a question mark for the end of a path, on every system a backslash for a slash, and a name with `.wal` at
    its end for the newest rows of another database.
    """
    absolute = str(path.absolute())
    if path.suffix.lower() == ".wal":
        raise StorageError(
            f"{path} is where DuckDB keeps the newest rows of {path.stem}", "Choose another file with --db."
        )
    for character, name in (("?", "question mark"), ("\\", "backslash")):
        if character in absolute and character != os.sep:
            raise StorageError(
                f"{absolute} has a {name} in it, which DuckDB does not support in a path",
                "Choose another file with --db.",
            )


def duckdb_path(path: Path) -> str:
    """Return a database's path for DuckDB, which takes only an absolute one literally; raise as `require_valid_path`.

    In others it expands `~`, and `md:x`, `:memory:` or `sqlite:x` are no files to it. A link is followed, as DuckDB
    looks for the newest rows, in the WAL, beside the name it is given; but none that another user made, and of the WAL
    none at all.
    """
    is_foreign = is_foreign_link(path)
    path = follow_link(path)
    require_valid_path(path)
    wal = path.with_name(f"{path.name}.wal")
    for file, is_bad in ((path, is_foreign or is_special(path)), (wal, wal.is_symlink() or is_special(wal))):
        if is_bad:
            raise StorageError(
                f"{file} is no file, or behind a link that another user made", "Name the file itself with --db."
            )
    return str(path.absolute())


def sql_literal(text: str) -> str:
    """Return a text, such as a path, as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def follow_link(path: Path) -> Path:
    """Return the file that a link leads to; any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def duckdb_pattern(path: Path) -> str:
    """Return a pattern that matches this file alone: DuckDB reads all files that match what it is given."""
    return _WILDCARD.sub(r"[\g<0>]", str(path.absolute()))
