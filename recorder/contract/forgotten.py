"""Whom a database has forgotten: by keyed hashes of their ids, from which nobody can read an id.

The key is in a file of its own beside the database, so that who gets the database alone cannot try ids: those of an
import may be names.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.ids import IMPORT_PREFIX
from pulsoid_rec.recorder.contract.paths import follow_link
from pulsoid_rec.recorder.contract.tables import FORGOTTEN

_HASHES = f"SELECT hash, epoch_us(max(forgotten_at)) FROM {FORGOTTEN.name} WHERE hash IS NOT NULL GROUP BY hash"


def key_path(database: Path) -> Path:
    """Return the file with the key of a database's hashes."""
    database = follow_link(database)
    return database.with_name(f"{database.name}.forgotten.key")


def hash_id(key: bytes, profile_id: str) -> str:
    """Return the keyed hash of an id: HMAC-SHA256, as hexadecimal digits."""
    return hmac.digest(key, profile_id.encode("utf-8", "surrogatepass"), "sha256").hex()


@dataclass(frozen=True)
class Forgotten:
    """Hashes of ids, each with the instant (microseconds since 1970) up to which what came of them is left out.

    Without its key nobody can be recognized. It is true if there is a hash.
    """

    until_us: dict[str, int] = field(default_factory=dict)
    key: bytes | None = None
    _known: dict[str, int | None] = field(default_factory=dict, compare=False, repr=False)

    def __bool__(self) -> bool:
        return bool(self.until_us)

    @property
    def latest_us(self) -> int:
        """When the last member was forgotten; what is received later needs no look."""
        return max(self.until_us.values())

    def until(self, profile_id: str) -> int | None:
        """Return up to when what came of a member is left out; None if they were not forgotten."""
        if self.key is None:
            return None
        if profile_id not in self._known:
            self._known[profile_id] = self.until_us.get(hash_id(self.key, profile_id))
        return self._known[profile_id]

    def has_any(self, texts: Iterable[str], at_us: int | None) -> bool:
        """Return whether one of some texts is the id of somebody forgotten at that instant or later; None: ever."""
        return any((until := self.until(text)) is not None and (at_us is None or at_us <= until) for text in set(texts))


def came_at(connection_id: str | None, occurred_at: int | None, received_at: int) -> int:
    """Return the instant that counts for a row: of an import, when it occurred; else when it was received."""
    is_imported = connection_id is not None and connection_id.startswith(IMPORT_PREFIX)
    return occurred_at if is_imported and occurred_at is not None else received_at


def read_forgotten(connection: duckdb.DuckDBPyConnection, database: Path) -> Forgotten:
    """Read whom an open database has forgotten, and its key."""
    try:
        until_us = dict(connection.execute(_HASHES).fetchall())
    except duckdb.CatalogException:  # a file from before there was this table
        return Forgotten()
    if not until_us:
        return Forgotten()
    try:
        key = bytes.fromhex(key_path(database).read_text("ascii"))
    except (OSError, ValueError):
        key = None
    return Forgotten(until_us, key or None)
