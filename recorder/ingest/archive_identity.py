"""The name under which a database archives, and the place of its archive, as noted in it."""

import secrets

import duckdb

from pulsoid_rec.recorder.contract.tables import ARCHIVE_IDENTITY


def note_identity(
    connection: duckdb.DuckDBPyConnection, recorder: str | None = None, place: str | None = None
) -> tuple[str, str | None]:
    """Note the name and the place that count from now on, and return them; without a name, a new one."""
    recorder = recorder or secrets.token_hex(8)
    connection.execute(f"INSERT INTO {ARCHIVE_IDENTITY.name} VALUES (?, ?, now())", [recorder, place])
    return recorder, place
