"""Options that several commands share, and the check of room ids."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.paths import parse_path


def value_option(metavar: str, text: str, default: str | bool = False, *names: str, **more: Any) -> Any:
    """Return an option with a value; `default` is what the help shows as the one that it has without it, if any."""
    return typer.Option(*names, metavar=metavar, help=text, show_default=default, **more)


def path_option(text: str, default: str | bool = False, *names: str, metavar: str = "PATH") -> Any:
    """Return an option that is a path."""
    return value_option(metavar, text, default, *names, parser=parse_path)


DbOption = Annotated[
    Path, typer.Option(envvar="PULSOID_REC_DB", metavar="PATH", parser=parse_path, help="The database.")
]
ServerOption = Annotated[
    str, typer.Option(envvar="PULSOID_SERVER", metavar="URL", help="The server: wss://HOST or ws://HOST:PORT.")
]
TableFormatOption = Annotated[
    Literal["table", "json"], typer.Option("--format", help="A table for people, or JSON for programs.")
]
MembersOption = Annotated[
    Path | None,
    path_option("The file with what is known of the members.", "members.toml beside the database, if any", "--members"),
]


def check_room_ids(rooms: list[str]) -> tuple[str, ...]:
    """Return the ids without repetitions; raise `UsageError` for an id that no room can have."""
    for room in rooms:
        if fault := _find_fault(room):
            raise UsageError(f"A room's id {fault}", "Use the id that Pulsoid shows for the room.")
    return tuple(dict.fromkeys(rooms))


def _find_fault(room_id: str) -> str | None:
    if not room_id:
        return "is empty"
    if not room_id.isprintable():
        return "contains characters that cannot be printed"
    most = DEFAULT_LIMITS.id_chars
    return f"has more than {most} characters" if len(room_id) > most else None
