"""Ids for runs of the recorder and for connections."""

import secrets
from datetime import UTC, datetime


def new_id() -> str:
    """Return a unique id; ids sort by the second in which they were created."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
