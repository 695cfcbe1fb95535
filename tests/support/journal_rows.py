"""Rows for tests of journal and ingest: any there can be, and what the tables must hold of them afterwards."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import msgspec
from hypothesis import strategies as st
from msgspec.structs import replace

from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.journal.rows import (
    AnyRow,
    ConnectionEventRow,
    HeartRateRow,
    MarkRow,
    MemberEventRow,
    RejectedMessageRow,
    RoomEventRow,
)
from pulsoid_rec.recorder.journal.segment import HEADER, encode_line
from pulsoid_rec.recorder.pulsoid.configs import name_of

_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999, in microseconds
_text = st.text(st.characters(codec="utf-8"), max_size=20)
_instant = st.integers(_EARLIEST, _LATEST)
_key = st.just("name") | _text
_config = st.dictionaries(_key, st.none() | st.booleans() | st.integers() | _text, max_size=3).map(json.dumps)


def _named(row: MemberEventRow | RoomEventRow) -> AnyRow:
    """Take the name out of the config, as it is done at receipt."""
    return replace(row, name=None if row.config is None else name_of(row.config, DEFAULT_LIMITS.name_chars))


rows_of_version_1: st.SearchStrategy[AnyRow] = st.one_of(
    st.builds(HeartRateRow, _text, _text, _text, st.integers(-(2**31), 2**31 - 1), _instant, _instant, _text),
    st.builds(
        MemberEventRow,
        _text,
        _text,
        _text,
        st.sampled_from(["updated", "removed"]),
        st.none(),
        st.none() | _config,
        _instant,
        _instant,
        _text,
    ).map(_named),
    st.builds(RoomEventRow, _text, _text, st.none(), _config, _instant, _instant, _text).map(_named),
    st.builds(
        ConnectionEventRow,
        _text,
        _text,
        st.sampled_from(["opened", "closed", "lost", "refused"]),
        _instant,
        st.none() | st.integers(0, 9999),
        st.none() | _text,
    ),
    st.builds(RejectedMessageRow, st.none() | _text, st.none() | _text, _instant, _text, _text),
)
"""Rows of the tables that version 1 had."""

_marks: st.SearchStrategy[AnyRow] = st.builds(
    MarkRow, _text, st.none() | _text, _text, st.sampled_from(["mark", "phase", "undo"]), _instant, _text, _text
)
rows = rows_of_version_1 | _marks


def reading(number: int, room_id: str = "room") -> HeartRateRow:
    """A reading that can be told from all others."""
    return HeartRateRow(room_id, "connection", f"p{number}", 60 + number % 100, number, number + 1, f'{{"n":{number}}}')


def write_segment(folder: Path, name: str, content: Iterable[AnyRow], *, is_open: bool = False) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{name}.jsonl{'.open' if is_open else ''}"
    path.write_bytes(HEADER + b"".join(map(encode_line, content)))
    return path


def as_stored(row: AnyRow) -> tuple[Any, ...]:
    """What the tables hold of a row: the table's name, and its columns in order, instants in microseconds."""
    match row:
        case HeartRateRow():
            return (
                "heart_rate",
                row.room_id,
                row.profile_id,
                row.bpm,
                row.occurred_at,
                row.received_at,
                row.connection_id,
            )
        case MemberEventRow():
            return (
                "member_events",
                row.room_id,
                row.profile_id,
                row.event,
                row.name,
                row.config,
                row.occurred_at,
                row.received_at,
                row.connection_id,
            )
        case RoomEventRow():
            return (
                "room_events",
                row.room_id,
                row.name,
                row.config,
                row.occurred_at,
                row.received_at,
                row.connection_id,
            )
        case ConnectionEventRow():
            return (
                "connection_events",
                row.room_id,
                row.connection_id,
                row.event,
                row.changed_at,
                row.code,
                row.reason,
            )
        case RejectedMessageRow():
            return ("rejected_messages", row.room_id, row.connection_id, row.received_at, row.reason, row.raw)
        case MarkRow():
            return ("marks", *msgspec.structs.astuple(row))


SELECT = {
    "heart_rate": "room_id, profile_id, bpm, epoch_us(occurred_at), epoch_us(received_at), connection_id",
    "member_events": "room_id, profile_id, event, name, config::VARCHAR, epoch_us(occurred_at), epoch_us(received_at), "
    "connection_id",
    "room_events": "room_id, name, config::VARCHAR, epoch_us(occurred_at), epoch_us(received_at), connection_id",
    "connection_events": "room_id, connection_id, event, epoch_us(changed_at), code, reason",
    "rejected_messages": "room_id, connection_id, epoch_us(received_at), reason, raw",
    "marks": "room_id, profile_id, label, kind, epoch_us(marked_at), mark_id, source",
}


def stored(database: Path) -> Counter[tuple[Any, ...]]:
    """Count every row of every table."""
    with duckdb.connect(database, read_only=True) as connection:
        return stored_in(connection)


def stored_in(connection: duckdb.DuckDBPyConnection) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter()
    for table, columns in SELECT.items():
        found.update((table, *row) for row in connection.execute(f"SELECT {columns} FROM {table}").fetchall())
    return found
