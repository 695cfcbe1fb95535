"""Ids for runs of the recorder and for connections."""

import secrets
from datetime import UTC, datetime

IMPORT_PREFIX = "import:"
"""What the connection id of imported rows begins with; those of connections begin with a digit."""

IS_IMPORTED = f"(connection_id >= '{IMPORT_PREFIX}' AND connection_id < '{IMPORT_PREFIX[:-1]};')"
"""SQL: whether a row was imported: no recorder listened when it occurred, and its receipt says nothing of its time.

A range, since DuckDB skips the blocks whose smallest and largest values are outside it.
"""


def new_id() -> str:
    """Return a unique id; ids sort by the second in which they were created."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
