"""Whom the user means: members by their ids, or the names that they have or had."""

from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.archiving.parquet import parquet_sql
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile
from pulsoid_rec.recorder.contract.archive_place import ArchivePlace
from pulsoid_rec.recorder.contract.display import look_of
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.forgotten import Forgotten
from pulsoid_rec.recorder.contract.member_labels import ID_CHARACTERS, find_named
from pulsoid_rec.recorder.contract.members_file import read_members_file
from pulsoid_rec.recorder.contract.tables import ARCHIVED_NAMES, BOOKKEEPING, MARKS, MEMBER_EVENTS, TABLES
from pulsoid_rec.recorder.contract.wording import format_list
from pulsoid_rec.recorder.forgetting.rows import WITH_MEMBERS
from pulsoid_rec.recorder.forgetting.texts import Texts

_MOST_LISTED = 20

Names = dict[str, set[str]]
"""Every name that a member has or had, by id."""


def read_names(
    connection: duckdb.DuckDBPyConnection,
    place: ArchivePlace | None,
    files: Iterable[ArchiveFile],
    members_file: Path | None,
) -> Names:
    """Read all members and their names: of the database, of the archive's member events, and of the members file.

    What others wrote into the archive may be damaged, and is then left out: the search lists it.
    """
    found: Names = {}
    for table in WITH_MEMBERS:
        name = "name" if table in (MEMBER_EVENTS, ARCHIVED_NAMES) else "NULL"
        _add_names(connection, f"SELECT profile_id, {name} FROM {table.name}", found)
    if place is not None:
        place.register(connection)
        for file in files:
            if file.table in {MEMBER_EVENTS.name, MARKS.name}:
                name = "name" if file.table == MEMBER_EVENTS.name else "NULL"
                source = f"SELECT profile_id, {name} FROM {parquet_sql(place.duckdb_path(file))}"
                with suppress(duckdb.Error):
                    _add_names(connection, source, found)
    for profile_id, member in (read_members_file(members_file) if members_file else {}).items():
        found.setdefault(profile_id, set()).update([member.name] if member.name is not None else [])
    return found


def _add_names(connection: duckdb.DuckDBPyConnection, source: str, found: Names) -> None:
    for profile_id, name in connection.execute(f"SELECT DISTINCT * FROM ({source})").fetchall():
        if profile_id is not None:
            found.setdefault(profile_id, set()).update({name} - {None})


def find_member(text: str, names: Names, forgotten: Forgotten) -> str:
    """Return the id that is meant, by that, the 8 first characters that reports show of one, or a name.

    Raises `UsageError` if it is nobody's, or may mean several members; the id of somebody who was forgotten before is
    found, so that what was left can be removed.
    """
    if text in names or forgotten.until(text) is not None:
        return text
    ids = find_named(text, names) or [each for each in names if each[:ID_CHARACTERS] == text]
    if len(ids) > 1:
        listed = [f"{each} ({format_list(sorted(names[each]), 3) or 'no name'})" for each in sorted(ids)]
        raise UsageError(
            f"{text!r} may mean {len(ids)} members: {format_list(listed, _MOST_LISTED)}",
            "Name the one you mean by the id.",
        )
    if not ids:
        known = {name: each for each in names for name in (each, *names[each])}
        near = get_close_matches(text, known, n=1)
        hint = f"Did you mean {near[0]!r} ({known[near[0]]})?" if near else "`report --format json` has the ids."
        raise UsageError(f"Nobody in the recording is {text!r}", hint)
    return ids[0]


def other_meanings(text: str, meant: Iterable[str], names: Names) -> list[str]:
    """Return the ids of other members that a text may mean, too, since it is a part of their names."""
    look = look_of(text).casefold()
    return sorted(
        each for each in names if each not in meant and any(look in look_of(name).casefold() for name in names[each])
    )


def texts_of(ids: Iterable[str], names: Names) -> tuple[Texts, list[str]]:
    """Return what is searched for of some members, and names and ids that are not, since others have them, too."""
    ids = tuple(ids)
    others = {name for each in names if each not in ids for name in (each, *names[each])}
    own = {name for each in ids for name in names.get(each, ())}
    tables = {table.ddl for table in (*TABLES, *BOOKKEEPING)}  # a file has their names in it
    return Texts(ids, tuple(sorted(own - others)), frozenset(others | tables)), sorted((own | {*ids}) & others)
