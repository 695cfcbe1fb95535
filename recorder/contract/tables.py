"""The tables, as data: the contract between recorder, analysis and users.

The DDL, the polars schemas and the documentation are generated from it. Rows are stored as the room sent them, and
only ever appended; analysis decides what is plausible.
"""

from dataclasses import dataclass
from typing import Literal

from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS

SCHEMA_VERSION = 2
"""Increased with every change of the tables; older files are migrated (`version_1`), newer ones are refused."""

SqlType = Literal["VARCHAR", "INTEGER", "BIGINT", "TIMESTAMPTZ", "DATE", "JSON"]


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
        return self.ddl_in("")

    def ddl_in(self, schema: str) -> str:
        """Return that statement for a schema, such as `recording.main.`."""
        columns = ", ".join(f'"{c.name}" {c.type}{"" if c.null else " NOT NULL"}' for c in self.columns)
        return f"CREATE TABLE IF NOT EXISTS {schema}{self.name} ({columns})"


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
    "A message that could not be parsed or stored or was above a limit, or a damaged line of the journal; or a count of"
    " messages of members without consent, in `reason`.",
    (
        Column("room_id", "VARCHAR", "the room; NULL for a damaged line of the journal", null=True),
        Column("connection_id", "VARCHAR", "the connection; NULL for a damaged line of the journal", null=True),
        Column("received_at", "TIMESTAMPTZ", "when it arrived, by the recorder's own clock"),
        Column("reason", "VARCHAR", "why it was rejected"),
        Column("raw", "VARCHAR", "the message, word for word, up to 64 KiB; empty with `--only-consented`"),
    ),
)

MARKS = Table(
    "marks",
    "A note about an instant, made while recording or afterwards, by `pulsoid-rec mark` and the like.",
    (
        _ROOM,
        Column("profile_id", "VARCHAR", "the member; NULL for the whole room", null=True),
        Column("label", "VARCHAR", "what it is about"),
        Column("kind", "VARCHAR", "`mark`, `phase` (until the next one) or `undo` (of an earlier one)"),
        Column("marked_at", "TIMESTAMPTZ", "when, by the recorder's own clock"),
        Column("mark_id", "VARCHAR", "the mark, the same in all rooms it is for; of an `undo`: the one that is undone"),
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

ARCHIVE_IDENTITY = Table(
    "archive_identity",
    "The name under which this database archives, and the archive it writes to; the newest row counts.",
    (
        Column("recorder", "VARCHAR", "a random name; a copy of the database has the same"),
        Column("place", "VARCHAR", "the folder or URL of the archive; NULL before the first archiving", null=True),
        Column("noted_at", "TIMESTAMPTZ", "when it was noted"),
    ),
)

ARCHIVE_BATCHES = Table(
    "archive_batches",
    "Rows of one table and day that were moved to a file of the archive, or are about to be.",
    (
        Column("recorder", "VARCHAR", "the name in the file's name"),
        Column("batch", "VARCHAR", "the batch, in the file's name too"),
        Column("table_name", "VARCHAR", "the table"),
        Column("day", "DATE", "the day (UTC)"),
        Column("begun_at", "TIMESTAMPTZ", "when the intent was committed, before anything was written"),
        Column(
            "noted_at", "TIMESTAMPTZ", "when the rows left this database; NULL while they are still in it", null=True
        ),
        Column("rows", "BIGINT", "rows of the file", null=True),
        Column("bytes", "BIGINT", "size of the file", null=True),
        Column("sha256", "VARCHAR", "SHA-256 of the file, as hexadecimal digits", null=True),
    ),
)

ARCHIVED_ACTIVITY = Table(
    "archived_activity",
    "The readings of a member in a quarter of an hour that were archived in one batch.",
    (
        Column("batch", "VARCHAR", "the batch"),
        _ROOM,
        _PROFILE,
        Column("bucket", "BIGINT", "the quarter of an hour of their time"),
        Column("quarter", "BIGINT", "the quarter of an hour of their receipt"),
        Column("first_at", "TIMESTAMPTZ", "the time of the first"),
        Column("last_at", "TIMESTAMPTZ", "the time of the last"),
        Column("first_received_at", "TIMESTAMPTZ", "the earliest receipt"),
        Column("last_received_at", "TIMESTAMPTZ", "the latest receipt"),
        Column("readings", "BIGINT", "how many there are, duplicates and implausible ones too"),
        Column("imported", "BIGINT", "how many of them were imported"),
    ),
)

ARCHIVED_NAMES = Table(
    "archived_names",
    "The latest name of a member or a room among the events archived in one batch.",
    (
        Column("batch", "VARCHAR", "the batch"),
        _ROOM,
        Column("profile_id", "VARCHAR", "the member; NULL for the room itself", null=True),
        Column("name", "VARCHAR", "the latest name in a config; NULL if none had one", null=True),
        Column("occurred_at", "TIMESTAMPTZ", "when the config with this name occurred; without a name, the last event"),
        Column("received_at", "TIMESTAMPTZ", "when it arrived"),
    ),
)

LATEST_NAMED = "arg_max({}, (name IS NOT NULL, occurred_at, received_at))"
"""SQL: a column of that one of some events whose name counts: the latest with a name."""

ARCHIVED_CONNECTIONS = Table(
    "archived_connections",
    "What became of a connection, among the rows archived in one batch.",
    (
        Column("batch", "VARCHAR", "the batch"),
        Column("room_id", "VARCHAR", "the room; NULL where a rejected message has none", null=True),
        Column("connection_id", "VARCHAR", "the connection"),
        Column("event", "VARCHAR", "as of `connection_events`, or `received`: the latest receipt"),
        Column("changed_at", "TIMESTAMPTZ", "when, by the recorder's own clock"),
    ),
)

BATCH_NOTES = (ARCHIVED_ACTIVITY, ARCHIVED_NAMES, ARCHIVED_CONNECTIONS)
"""What is noted of the rows of each batch."""

ARCHIVE_NOTES = (ARCHIVE_IDENTITY, ARCHIVE_BATCHES, *BATCH_NOTES)
"""What a database knows of its archive. Files made by older versions get them with the first archiving."""

FORGOTTEN = Table(
    "forgotten",
    "What `pulsoid-rec forget` took out, and when; without ids and names.",
    (
        Column("forgotten_at", "TIMESTAMPTZ", "when: of a member, what came until then does not come back"),
        Column("hash", "VARCHAR", "HMAC-SHA256 of the member's id; NULL for all rows before a day", null=True),
        Column("before", "DATE", "the day before which all rows were removed; NULL for a member", null=True),
        Column("removed", "JSON", "what was removed: rows by table, lines and files"),
    ),
)

ADDED_LATER = (*ARCHIVE_NOTES, FORGOTTEN)
"""Tables that a file of an older program may lack, whatever its version."""

BOOKKEEPING = (INGESTED_SEGMENTS, SCHEMA_VERSIONS, *ADDED_LATER)
"""The recorder's own tables."""
