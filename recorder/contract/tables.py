"""The tables, as data: the contract between recorder, analysis and users.

The DDL, the polars schemas and the documentation are generated from it. Rows are stored as the room sent them, and
only ever appended; analysis decides what is plausible.
"""

from dataclasses import dataclass
from typing import Literal

from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS

SCHEMA_VERSION = 2
"""Increased with every change of the tables; older files are migrated (`version_1`), newer ones are refused."""

SqlType = Literal["VARCHAR", "INTEGER", "BIGINT", "TIMESTAMPTZ", "JSON"]


@dataclass(frozen=True)
class Column:
    """A column: its SQL type, whether it may be NULL, and what it means."""

    name: str
    type: SqlType
    meaning: str
    null: bool = False


@dataclass(frozen=True)
class Table:
    """A table: its columns in order, and what a row is."""

    name: str
    meaning: str
    columns: tuple[Column, ...]

    @property
    def time_column(self) -> str:
        """The column with the time of a row's event: the first instant."""
        return next(column.name for column in self.columns if column.type == "TIMESTAMPTZ")

    @property
    def ddl(self) -> str:
        """The statement that makes the table if it does not exist."""
        columns = ", ".join(f'"{c.name}" {c.type}{"" if c.null else " NOT NULL"}' for c in self.columns)
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({columns})"


_ROOM = Column("room_id", "VARCHAR", "the room, as named to `record`")
_PROFILE = Column("profile_id", "VARCHAR", "the member")
_OCCURRED = Column("occurred_at", "TIMESTAMPTZ", "when it happened: the server's `timestamp`")
_RECEIVED = Column("received_at", "TIMESTAMPTZ", "when it arrived, or was imported, by the recorder's own clock")
_CONNECTION = Column(
    "connection_id", "VARCHAR", "the connection that received it; of an import it begins with `import:`"
)
_NAME_CHARS = DEFAULT_LIMITS.name_chars

HEART_RATE = Table(
    "heart_rate",
    "A reading of a member's heart rate.",
    (
        _ROOM,
        _PROFILE,
        Column("bpm", "INTEGER", "beats per minute, as sent: 0 and 900 are stored too"),
        _OCCURRED,
        _RECEIVED,
        _CONNECTION,
    ),
)

MEMBER_EVENTS = Table(
    "member_events",
    "A member was added or changed (`updated`), or left the room (`removed`).",
    (
        _ROOM,
        _PROFILE,
        Column("event", "VARCHAR", "`updated` or `removed`"),
        Column("name", "VARCHAR", f"the text `name` of `config`, up to {_NAME_CHARS} characters, or NULL", null=True),
        Column(
            "config",
            "JSON",
            "the member's settings, word for word (but half an emoji is U+FFFD); NULL when removed",
            null=True,
        ),
        _OCCURRED,
        _RECEIVED,
        _CONNECTION,
    ),
)

ROOM_EVENTS = Table(
    "room_events",
    "The room's settings, as first sent on each connection and at each change.",
    (
        _ROOM,
        Column("name", "VARCHAR", f"the text `name` of `config`, up to {_NAME_CHARS} characters, or NULL", null=True),
        Column("config", "JSON", "the room's settings, word for word (but half an emoji is U+FFFD)"),
        _OCCURRED,
        _RECEIVED,
        _CONNECTION,
    ),
)

CONNECTION_EVENTS = Table(
    "connection_events",
    "The recorder's connection to the room was `opened`, `closed`, `refused` or `lost`.",
    (
        _ROOM,
        Column("connection_id", "VARCHAR", "the connection, or the attempt at one"),
        Column("event", "VARCHAR", "`opened`, `closed` (by a close frame), `refused` (by the server) or `lost`"),
        Column("changed_at", "TIMESTAMPTZ", "when, by the recorder's own clock; of `lost`: the last sign of life"),
        Column("code", "INTEGER", "WebSocket close code, or HTTP status when refused", null=True),
        Column("reason", "VARCHAR", "why it ended", null=True),
    ),
)

REJECTED_MESSAGES = Table(
    "rejected_messages",
    "A message that could not be parsed or stored or was above a limit, or a damaged line of the journal.",
    (
        Column("room_id", "VARCHAR", "the room; NULL for a damaged line of the journal", null=True),
        Column("connection_id", "VARCHAR", "the connection; NULL for a damaged line of the journal", null=True),
        Column("received_at", "TIMESTAMPTZ", "when it arrived, by the recorder's own clock"),
        Column("reason", "VARCHAR", "why it was rejected"),
        Column("raw", "VARCHAR", "the message, word for word, up to 64 KiB"),
    ),
)

MARKS = Table(
    "marks",
    "A note about an instant, made while recording or afterwards. Empty for now.",
    (
        _ROOM,
        Column("profile_id", "VARCHAR", "the member; NULL for the whole room", null=True),
        Column("label", "VARCHAR", "what it is about"),
        Column("kind", "VARCHAR", "`mark`, `phase` (until the next one) or `undo` (of an earlier one)"),
        Column("marked_at", "TIMESTAMPTZ", "when, by the recorder's own clock"),
        Column("mark_id", "VARCHAR", "the mark; of an `undo`: the one that is undone"),
        Column("source", "VARCHAR", "`cli`, `page`, `api` or `import`"),
    ),
)

TABLES = (HEART_RATE, MEMBER_EVENTS, ROOM_EVENTS, CONNECTION_EVENTS, REJECTED_MESSAGES, MARKS)
"""Tables for users."""

INGESTED_SEGMENTS = Table(
    "ingested_segments",
    "A segment of the journal that was ingested.",
    (
        Column("segment", "VARCHAR", "name of the segment"),
        Column("rows", "BIGINT", "rows in it"),
        Column("ingested_at", "TIMESTAMPTZ", "when it was committed"),
    ),
)

SCHEMA_VERSIONS = Table(
    "schema_versions",
    "A version of the tables; the highest is the current one.",
    (
        Column("version", "INTEGER", "version of the tables"),
        Column("since", "TIMESTAMPTZ", "when the file got it"),
        Column("program", "VARCHAR", "version of pulsoid-rec that wrote it"),
    ),
)

BOOKKEEPING = (INGESTED_SEGMENTS, SCHEMA_VERSIONS)
"""The recorder's own tables."""
