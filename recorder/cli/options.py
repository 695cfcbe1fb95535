"""Options that several commands share, and the check of room ids."""

from pathlib import Path
from typing import Annotated

import typer

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS

DbOption = Annotated[Path, typer.Option(envvar="PULSOID_REC_DB", metavar="PATH", help="The database.")]
ServerOption = Annotated[
    str, typer.Option(envvar="PULSOID_SERVER", metavar="URL", help="The server: wss://HOST or ws://HOST:PORT.")
]


def check_room_ids(rooms: list[str]) -> tuple[str, ...]:
    """Return the ids without repetitions; raise `UsageError` for an id that no room can have."""
    most = DEFAULT_LIMITS.id_characters
    for room in rooms:
        fault = None
        if not room:
            fault = "is empty"
        elif not room.isprintable():
            fault = "contains characters that cannot be printed"
        elif len(room) > most:
            fault = f"has more than {most} characters"
        if fault:
            raise UsageError(f"A room's id {fault}", "Use the id that Pulsoid shows for the room.")
    return tuple(dict.fromkeys(rooms))
