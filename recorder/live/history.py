"""What was recorded in the last hour before this run: from the database, and from the journals that are not in it yet.

DuckDB reads both in a worker thread, so that recording goes on meanwhile.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.definitions import MAX_BPM, MIN_BPM
from pulsoid_rec.recorder.contract.ids import IS_IMPORTED
from pulsoid_rec.recorder.contract.journal_files import journal_folder, run_id_of, segment_paths
from pulsoid_rec.recorder.contract.paths import duckdb_pattern, sql_literal
from pulsoid_rec.recorder.contract.table_check import check_tables, prefer_builtin
from pulsoid_rec.recorder.contract.tables import (
    CONNECTION_EVENTS,
    HEART_RATE,
    LATEST_NAMED,
    MEMBER_EVENTS,
    ROOM_EVENTS,
    SCHEMA_VERSION,
    Table,
)
from pulsoid_rec.recorder.ingest.database import CONFIG, quoted, translate_errors
from pulsoid_rec.recorder.live.events import WINDOW_MS, Point

_ROWS_AT_ONCE = 1_000
_DATABASE = "recording"
_LISTENED = (
    "SELECT room_id, epoch_us(min(heard_at)), epoch_us(max(heard_at)) FROM (SELECT room_id, connection_id, changed_at"
    " AS heard_at FROM {events} WHERE event IN ('opened', 'closed', 'lost') UNION ALL SELECT room_id, connection_id,"
    " received_at FROM {readings}) WHERE {condition} GROUP BY room_id, connection_id"
)
"""From when until when each connection listened: a recorder that was killed, up to its last reading."""


@dataclass
class History:
    """What was recorded before, by room id."""

    lines: dict[tuple[str, str], list[Point]] = field(default_factory=dict)  # by room and profile id, in no order
    member_names: dict[str, str] = field(default_factory=dict)  # by profile id
    room_names: dict[str, str] = field(default_factory=dict)
    listened: dict[str, list[tuple[int, int]]] = field(default_factory=dict)  # microseconds since 1970, from and until


def read_history(database: Path, rooms: Sequence[str], run_id: str, before_us: int) -> History:
    """Read what was received of some rooms in the hour before an instant, but nothing of the run itself.

    Raises `StorageError` if the database cannot be read now; there need not be one.
    """
    with translate_errors(database), duckdb.connect(config=CONFIG) as connection:
        # The journals first: what is ingested meanwhile is then found twice, which does no harm.
        segments = [
            sql_literal(duckdb_pattern(path))
            for path in segment_paths(journal_folder(database))
            if run_id_of(path) != run_id
        ]
        select = partial(_select, segments=segments, has_database=_attach(connection, database))
        return _read(connection, select, list(rooms), before_us)


def _attach(connection: duckdb.DuckDBPyConnection, database: Path) -> bool:
    """Attach a database read-only; return whether there is one, of this version."""
    if not database.exists():
        return False
    connection.execute(f"ATTACH {quoted(database)} AS {_DATABASE} (READ_ONLY)")
    if check_tables(connection, _DATABASE, database) != SCHEMA_VERSION:
        return False
    prefer_builtin(connection, _DATABASE)
    return True


def _read(
    connection: duckdb.DuckDBPyConnection, select: Callable[[Table], str], rooms: list[str], before_us: int
) -> History:
    history = History()
    values: list[object] = [rooms, before_us - WINDOW_MS * 1000, before_us]
    condition = "list_contains($1, room_id) AND {0} >= make_timestamptz($2) AND {0} < make_timestamptz($3)"
    received = condition.format("received_at")
    readings = (
        "SELECT DISTINCT room_id, profile_id, epoch_ms(occurred_at), bpm"
        f" FROM {select(HEART_RATE)} WHERE {received} AND bpm BETWEEN {MIN_BPM} AND {MAX_BPM}"
        f" AND NOT {IS_IMPORTED}"
    )
    found = connection.execute(readings, values)
    while rows := found.fetchmany(_ROWS_AT_ONCE):
        for room_id, profile_id, at_ms, bpm in rows:
            history.lines.setdefault((room_id, profile_id), []).append((at_ms, bpm))
    listened = _LISTENED.format(
        events=select(CONNECTION_EVENTS),
        readings=select(HEART_RATE),
        condition=condition.format("heard_at"),
    )
    for room_id, since_us, until_us in connection.execute(listened, values).fetchall():
        history.listened.setdefault(room_id, []).append((since_us, until_us))
    name = LATEST_NAMED.format("name")
    named = "FROM {} WHERE list_contains($1, room_id) AND name IS NOT NULL GROUP BY 1"
    members = f"SELECT profile_id, {name} {named.format(select(MEMBER_EVENTS))}"
    history.member_names = dict(connection.execute(members, [rooms]).fetchall())
    room_names = f"SELECT room_id, {name} {named.format(select(ROOM_EVENTS))}"
    history.room_names = dict(connection.execute(room_names, [rooms]).fetchall())
    return history


def _select(table: Table, *, segments: Sequence[str], has_database: bool) -> str:
    """Return the SQL of a table's rows, without configs, in the database and in the journals."""
    columns = [column for column in table.columns if column.name != "config"]
    names = ", ".join(f'"{column.name}"' for column in columns)
    sources = []
    if has_database:
        sources.append(f"SELECT {names} FROM {_DATABASE}.main.{table.name}")
    if segments:
        values = ", ".join(
            f'make_timestamptz("{column.name}")' if column.type == "TIMESTAMPTZ" else f'"{column.name}"'
            for column in columns
        )
        types = {column.name: "BIGINT" if column.type == "TIMESTAMPTZ" else column.type for column in columns}
        fields = ", ".join(f"'{name}': '{type_}'" for name, type_ in {"table": "VARCHAR", **types}.items())
        # The last line of one that a crash left may be cut off.
        options = "format = 'newline_delimited', hive_partitioning = false, ignore_errors = true"
        lines = f"read_json([{', '.join(segments)}], {options}, columns = {{{fields}}})"
        sources.append(f"SELECT {values} FROM {lines} WHERE \"table\" = '{table.name}'")
    nothing = ", ".join(f'NULL::{column.type} AS "{column.name}"' for column in columns)
    return f"({' UNION ALL '.join([f'SELECT {nothing} WHERE false', *sources])}) AS rows"
