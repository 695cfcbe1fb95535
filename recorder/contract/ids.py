"""Ids for runs of the recorder and for connections."""

import secrets
from datetime import UTC, datetime

IMPORT_PREFIX = "import:"
"""What the connection id of imported rows begins with; those of connections begin with a digit."""

IS_IMPORTED = f"starts_with(connection_id, '{IMPORT_PREFIX}')"
"""SQL: whether a row was imported. Its receipt is the import's, and so no clock to compare its time with."""


def new_id() -> str:
    """Return a unique id; ids sort by the second in which they were created."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
