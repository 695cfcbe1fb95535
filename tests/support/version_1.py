"""Recordings and segments of version 1, for tests of what becomes of them; frozen, whatever the tables are today."""

import json
from collections.abc import Iterable
from pathlib import Path
from zlib import crc32

import duckdb

from pulsoid_rec.recorder.journal.rows import AnyRow
from pulsoid_rec.recorder.journal.segment import encode_line

DATA = Path(__file__).parents[1] / "data"
RECORDING = DATA / "version-1.duckdb"
"""Written by the program of that time: see `make_version_1`."""

SEGMENT = DATA / "version-1.jsonl"
"""What was ingested into it."""

_COLUMNS = {
    "heart_rate": "room_id VARCHAR NOT NULL, profile_id VARCHAR NOT NULL, bpm INTEGER NOT NULL, "
    "occurred_at TIMESTAMPTZ NOT NULL, received_at TIMESTAMPTZ NOT NULL, connection_id VARCHAR NOT NULL",
    "member_events": "room_id VARCHAR NOT NULL, profile_id VARCHAR NOT NULL, event VARCHAR NOT NULL, config JSON, "
    "occurred_at TIMESTAMPTZ NOT NULL, received_at TIMESTAMPTZ NOT NULL, connection_id VARCHAR NOT NULL",
    "room_events": "room_id VARCHAR NOT NULL, config JSON NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, "
    "received_at TIMESTAMPTZ NOT NULL, connection_id VARCHAR NOT NULL",
    "connection_events": "room_id VARCHAR NOT NULL, connection_id VARCHAR NOT NULL, event VARCHAR NOT NULL, "
    '"at" TIMESTAMPTZ NOT NULL, code INTEGER, reason VARCHAR',
    "rejected_messages": "room_id VARCHAR, connection_id VARCHAR, received_at TIMESTAMPTZ NOT NULL, "
    "reason VARCHAR NOT NULL, raw VARCHAR NOT NULL",
    "ingested_segments": "segment VARCHAR NOT NULL, rows BIGINT NOT NULL, ingested_at TIMESTAMPTZ NOT NULL",
    "schema_versions": "version INTEGER NOT NULL, since TIMESTAMPTZ NOT NULL, program VARCHAR NOT NULL",
}


def make_version_1(path: Path, rows: Iterable[AnyRow] = ()) -> Path:
    """Make a recording of version 1 with these rows."""
    with duckdb.connect(path, config={"storage_compatibility_version": "v1.5.0"}) as connection:
        for table, columns in _COLUMNS.items():
            connection.execute(f"CREATE TABLE {table} ({columns})")
        connection.execute("INSERT INTO schema_versions VALUES (1, now(), '0.1.0')")
        for row in rows:
            content = json.loads(_encode_row(row))
            table = content["table"]
            described = _COLUMNS[table].split(", ")
            values = [content[column.split()[0].strip('"')] for column in described]
            places = ", ".join("make_timestamptz(?)" if "TIMESTAMPTZ" in column else "?" for column in described)
            connection.execute(f"INSERT INTO {table} VALUES ({places})", values)
    return path


def write_segment_1(folder: Path, name: str, rows: Iterable[AnyRow]) -> Path:
    """Write a segment of version 1."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.jsonl"
    header = b'{"table":"journal","version":1'
    path.write_bytes(b"".join(b'%b,"crc32":%d}\n' % (t, crc32(t)) for t in (header, *map(_encode_row_text, rows))))
    return path


def _encode_row_text(row: AnyRow) -> bytes:
    return _encode_row(row)[:-1]


def _encode_row(row: AnyRow) -> bytes:
    """Encode a row as version 1 did: without `name`, and with `at`."""
    content = json.loads(encode_line(row))
    del content["crc32"]
    if content["table"] in {"member_events", "room_events"}:
        del content["name"]
    content = {{"changed_at": "at"}.get(key, key): value for key, value in content.items()}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
