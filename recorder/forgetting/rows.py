"""Which rows of a table are about some members, in the database and in an archive, as SQL."""

import duckdb

from pulsoid_rec.recorder.contract.tables import (
    ARCHIVED_ACTIVITY,
    ARCHIVED_NAMES,
    CONNECTION_EVENTS,
    HEART_RATE,
    MARKS,
    MEMBER_EVENTS,
    REJECTED_MESSAGES,
    ROOM_EVENTS,
    Table,
)
from pulsoid_rec.recorder.forgetting.texts import Texts

WITH_MEMBERS = (HEART_RATE, MEMBER_EVENTS, MARKS, ARCHIVED_ACTIVITY, ARCHIVED_NAMES)
"""Tables with a column `profile_id`."""

_FREE_TEXTS = {
    MEMBER_EVENTS: ("name", "config"),
    ROOM_EVENTS: ("name", "config"),
    CONNECTION_EVENTS: ("reason",),
    MARKS: ("label",),
    ARCHIVED_NAMES: ("name",),
}
"""Columns of rows that are not the member's own, with texts that may name them nevertheless."""

SEARCHED = (*WITH_MEMBERS, ROOM_EVENTS, CONNECTION_EVENTS, REJECTED_MESSAGES)


def own_sql(table: Table, texts: Texts) -> str:
    """Return the SQL condition for the rows that go: the members' own, and rejected messages with an id or a name."""
    if table in WITH_MEMBERS:
        return texts.is_own_sql("profile_id")
    if table is REJECTED_MESSAGES:
        return f"({texts.sql('raw')} OR {texts.sql('reason')})"
    return "false"


def named_sql(table: Table, texts: Texts, *, ids_only: bool = True) -> str:
    """Return the SQL condition for rows that are not theirs, and have an id of theirs in a text; or also a name.

    In the label of a mark a name counts as an id does: the recording's owner wrote it there.
    """
    ids_only = ids_only and table is not MARKS
    named = [texts.sql(column, ids_only=ids_only) for column in _FREE_TEXTS.get(table, ())]
    return f"NOT {own_sql(table, texts)} AND ({' OR '.join(named)})" if named else "false"


def count_in(connection: duckdb.DuckDBPyConnection, table: Table, source: str, texts: Texts) -> tuple[int, int]:
    """Return how many rows of a table, in the database or a file, are the members' own, and how many others name them.

    `source` is the SQL of the rows.
    """
    counts = f"count(*) FILTER ({own_sql(table, texts)}), count(*) FILTER ({named_sql(table, texts)})"
    [(own, named)] = connection.execute(f"SELECT {counts} FROM {source}").fetchall()
    return own, named


def masked_sql(table: Table, texts: Texts, *, in_file: bool = False) -> str:
    """Return what SQL selects of a table so that `named_sql` finds nothing; `in_file`: of an archive's file."""
    types = {column.name: column.type for column in table.columns}
    cast = "::VARCHAR" if in_file else ""  # JSON is text there
    names = table is MARKS
    masked = [f"{texts.masked_sql(name, types[name], names=names)}{cast} AS {name}" for name in _FREE_TEXTS[table]]
    return f"* REPLACE ({', '.join(masked)})"
