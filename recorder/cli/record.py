"""`pulsoid-rec record`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recorder.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from recorder.record import Options, Recorder


def record(
    rooms: Annotated[list[str], typer.Argument(metavar="ROOM_ID...", help="The rooms to record.", show_default=False)],
    *,
    db: Annotated[
        Path, typer.Option(envvar="PULSOID_REC_DB", metavar="PATH", help="The database; made where there is none.")
    ] = Path("data/pulsoid.duckdb"),
    server: Annotated[
        str, typer.Option(envvar="PULSOID_SERVER", metavar="URL", help="The server: wss://HOST or ws://HOST:PORT.")
    ] = "wss://dev.pulsoid.net",
    kinds: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Kinds of message, separated by commas.", show_default="all four"),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.1, help="End after so many seconds.", show_default="until Ctrl-C"),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="A file that holds the token.", show_default="the variable PULSOID_TOKEN"),
    ] = None,
    keep_journal: Annotated[
        bool, typer.Option("--keep-journal", help="Keep every message word for word, compressed, beside the database.")
    ] = False,
) -> None:
    """Record rooms until Ctrl-C.

    The token comes from the variable PULSOID_TOKEN or from --token-file, and needs the scope data:room:read. Everything
    received is on disk at once, and in the database within some two seconds; others can read that meanwhile.
    """
    from recorder.credentials import Credentials
    from recorder.record import Options
    from recorder.server import parse_server

    options = Options(
        rooms=_checked_rooms(rooms),
        database=db,
        server=parse_server(server),
        credentials=Credentials(token_file),
        kinds=_checked_kinds(kinds),
        duration_s=duration,
        keep_journal=keep_journal,
    )
    run_recorder(options)


def _checked_rooms(rooms: list[str]) -> tuple[str, ...]:
    if not all(rooms):
        raise UsageError("A room's id is empty", "Name the room as Pulsoid does.")
    return tuple(dict.fromkeys(rooms))


def _checked_kinds(kinds: str | None) -> tuple[str, ...]:
    from recorder.messages import KINDS

    if kinds is None:
        return KINDS
    asked = tuple(kind.strip() for kind in kinds.split(","))
    unknown = [kind for kind in asked if kind not in KINDS]
    if unknown:
        raise UsageError(f"--kinds: there is no kind {unknown[0]!r}", f"There are {', '.join(KINDS)}.")
    return asked


def run_recorder(options: "Options") -> None:
    """Record, show how it goes, and say at the end what was recorded.

    Raises
    ------
    PulsoidRecError
        Whatever ended it, other than a signal or the duration.
    """
    import os

    import trio

    from recorder.cli.recording_log import open_log

    os.umask(0o077)  # what is made from here on is for its owner alone
    console = _console() if sys.stderr.isatty() else None
    with open_log(options.database, console):
        options.credentials.read_token()  # before anything is made
        options.credentials.warn_if_shared()
        trio.run(_run, options, console)


async def _run(options: "Options", console: "Console | None") -> None:
    from recorder.record import Recorder

    recorder = Recorder(options)
    try:
        if console is None:
            await recorder.run()
        else:
            from recorder.cli.live_status import LiveStatus

            await recorder.run(LiveStatus(console).show)
    finally:
        if any(room.connection.was_live for room in recorder.rooms):
            print(_totals(recorder), file=sys.stderr)  # noqa: T201 - the command's last word


def _console() -> "Console":
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def _totals(recorder: "Recorder") -> str:
    rows = recorder.ingester.total.rows
    members = sum(len(room.status.latest) for room in recorder.rooms)
    rooms = len(recorder.rooms)
    rejected = rows["rejected_messages"]
    return (
        f"Recorded {_count(rows['heart_rate'], 'reading')} of {_count(members, 'member')} in {_count(rooms, 'room')}"
        + (f", {_count(rejected, 'message')} not understood" if rejected else "")
        + f", into {recorder.options.database}."
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
