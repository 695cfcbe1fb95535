"""Receipts: what was removed, and when, and keyed hashes of the ids, so that what came before does not come back."""

import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.forgotten import Forgotten, key_path
from pulsoid_rec.recorder.contract.tables import FORGOTTEN
from pulsoid_rec.recorder.disk.replace import open_replacement
from pulsoid_rec.recorder.ingest.database import translate_errors

_KEY_BYTES = 32


def require_key(database: Path, forgotten: Forgotten) -> bytes:
    """Return the key of a database's hashes, which is made the first time.

    Raises `StorageError` if there are hashes, and it is missing.
    """
    path = key_path(database)
    if forgotten.key is not None:
        return forgotten.key
    if forgotten:
        raise StorageError(
            f"{path} is missing: without this key nobody can see whom {database.name} has forgotten",
            "Put it back from a backup. If there is none, write 64 digits into a file of that name: what came of those "
            "forgotten before is then not recognized.",
        )
    with translate_errors(path):
        if not path.exists():
            with open_replacement(path, sync=True) as new:
                new.write_text(secrets.token_hex(_KEY_BYTES), "ascii")
        return bytes.fromhex(path.read_text("ascii"))


def add_receipts(
    connection: duckdb.DuckDBPyConnection,
    schema: str,
    receipts: Iterable[tuple[str | None, date | None]],
    at_us: int,
    removed: Mapping[str, int],
) -> None:
    """Add rows to the table in a schema: each with the hash of an id, or the day before which all was removed."""
    connection.execute(FORGOTTEN.ddl_in(schema))
    counted = json.dumps({what: count for what, count in removed.items() if count})
    for each, before in receipts:
        connection.execute(
            f"INSERT INTO {schema}{FORGOTTEN.name} VALUES (make_timestamptz(?), ?, ?, ?)",
            [at_us, each, before, counted],
        )
