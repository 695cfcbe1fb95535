"""`pulsoid-rec record`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.recorder.cli.interrupts import note_interrupts, run_in_trio
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.wording import format_count

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rich.console import Console

    from pulsoid_rec.recorder.recorder import Options, Recorder


def record(
    rooms: Annotated[list[str], typer.Argument(metavar="ROOM_ID", help="The rooms to record.", show_default=False)],
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

    A token file may be JSON with access_token and refresh_token: with PULSOID_CLIENT_ID and PULSOID_CLIENT_SECRET set,
    a token that dies is then refreshed, and the file rewritten.
    """
    import signal

    note_interrupts(signal.SIGTERM)  # as Ctrl-C, until the recorder itself listens for both
    try:
        from pulsoid_rec.recorder.connection.server_url import parse_server_url
        from pulsoid_rec.recorder.pulsoid.credentials import Credentials
        from pulsoid_rec.recorder.recorder import Options

        options = Options(
            rooms=_checked_rooms(rooms),
            database=db,
            server_url=parse_server_url(server),
            credentials=Credentials(token_file),
            kinds=_checked_kinds(kinds),
            duration_s=duration,
            keep_journal=keep_journal,
        )
        run_recorder(options)
    except KeyboardInterrupt:
        print("Stopped before anything was recorded.", file=sys.stderr)


def _checked_rooms(rooms: list[str]) -> tuple[str, ...]:
    for room in rooms:
        if not room or not room.isprintable():
            what = "is empty" if not room else "has characters in it that cannot be shown"
            raise UsageError(f"A room's id {what}", "Name the room as Pulsoid does.")
    return tuple(dict.fromkeys(rooms))


def _checked_kinds(kinds: str | None) -> tuple[str, ...]:
    from pulsoid_rec.recorder.pulsoid.messages import KINDS

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

    from pulsoid_rec.recorder.cli.recording_log import open_log
    from pulsoid_rec.recorder.cli.screen import open_screen

    os.umask(0o077)  # what is made from here on is for its owner alone
    with open_screen(), open_log(options.database, console := console_for_status()):
        options.credentials.read_token()  # before anything is made
        options.credentials.warn_if_shared()
        run_in_trio(_run, options, console)


async def _run(options: "Options", console: "Console | None") -> None:
    from pulsoid_rec.recorder.recorder import Recorder

    recorder = Recorder(options)
    try:
        await recorder.run(status_on(console))
    finally:
        print_totals(recorder)


def console_for_status() -> "Console | None":
    """Return the terminal's console; None without a terminal, where a status in place would be noise."""
    if not sys.stderr.isatty():
        return None
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def status_on(console: "Console | None") -> "Callable[[Recorder], Awaitable[None]] | None":
    """Return the task that shows a recorder's status there, if anywhere."""
    if console is None:
        return None
    from pulsoid_rec.recorder.cli.live_status import LiveStatus

    return LiveStatus(console).show


def print_totals(recorder: "Recorder") -> None:
    """Say what was recorded, unless no room was ever open."""
    if not any(room.connection.was_live for room in recorder.rooms):
        return
    rows = recorder.ingester.total.rows
    members = sum(len(room.status.latest) for room in recorder.rooms)
    rejected = rows["rejected_messages"]
    totals = (
        f"Recorded {format_count(rows['heart_rate'], 'reading')} of {format_count(members, 'member')} in "
        f"{format_count(len(recorder.rooms), 'room')}"
    )
    if rejected:
        totals += f", and {format_count(rejected, 'message')} not understood"
    print(f"{totals}, into {recorder.options.database}.", file=sys.stderr)
