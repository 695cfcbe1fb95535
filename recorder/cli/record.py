"""`pulsoid-rec record`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.recorder.cli.interrupts import run_in_trio
from pulsoid_rec.recorder.cli.live import (
    LIVE_HOST,
    LIVE_PORT,
    LiveAddress,
    LiveHostOption,
    LiveOption,
    LivePortOption,
    open_live,
    parse_live,
)
from pulsoid_rec.recorder.cli.options import DbOption, ServerOption, check_room_ids, path_option, value_option
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB, DEFAULT_SERVER
from pulsoid_rec.recorder.contract.display import print_lines
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS
from pulsoid_rec.recorder.contract.wording import format_count, format_list

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rich.console import Console

    from pulsoid_rec.recorder.health.on_trouble import Command
    from pulsoid_rec.recorder.recorder import Options, Recorder

_MOST_ROOMS = 20


def record(
    rooms: Annotated[list[str], typer.Argument(metavar="ROOM_ID", help="The rooms to record.", show_default=False)],
    *,
    token_file: Annotated[
        Path | None,
        path_option("A file that holds the token.", "the variable PULSOID_TOKEN, or what login saved"),
    ] = None,
    server: ServerOption = DEFAULT_SERVER,
    allow_unencrypted: Annotated[
        bool,
        typer.Option(
            "--allow-unencrypted",
            help="Connect to a server elsewhere at ws:// too. Anybody on the way can then take the token, and read and "
            "forge the heart rates.",
        ),
    ] = False,
    db: DbOption = DEFAULT_DB,
    duration: Annotated[
        float | None,
        value_option(
            "SECONDS",
            "Stop after this many seconds, with exit code 3 if a room was never connected.",
            "until Ctrl-C",
            min=0.1,
        ),
    ] = None,
    live: LiveOption = False,
    live_port: LivePortOption = LIVE_PORT,
    live_host: LiveHostOption = LIVE_HOST,
    only_consented: Annotated[
        bool,
        typer.Option(
            "--only-consented",
            help="Record only members whose consent is in the members file. Nothing of others reaches the disk but how "
            "many messages they sent.",
        ),
    ] = False,
    members: Annotated[
        Path | None,
        path_option(
            "The members file: whose readings are expected, and for --only-consented and --live.",
            "members.toml beside the database",
        ),
    ] = None,
    keep_journal: Annotated[
        bool, typer.Option("--keep-journal", help="Keep every message word for word, compressed, beside the database.")
    ] = False,
    on_trouble: Annotated[
        str | None,
        value_option(
            "COMMAND",
            "Run this program when something is wrong, with a sentence as its last argument and in the variable "
            "PULSOID_REC_TROUBLE; and when all is well again. At most once a minute, and not through a shell.",
        ),
    ] = None,
    kinds: Annotated[
        str | None,
        value_option(
            "LIST",
            "Kinds of message, separated by commas: heart_rate, room_member_updated, room_member_removed, "
            "room_updated.",
            "all four",
        ),
    ] = None,
) -> None:
    """Record rooms until Ctrl-C.

    The token comes from --token-file, the variable PULSOID_TOKEN or `pulsoid-rec login`, in this order, and needs the
    scope data:room:read. That of the variable goes to the server of --server; that of a file only to the one the file
    names, or else to Pulsoid. The database is created if it does not exist. Everything received is on disk at once, and
    in the database within about two seconds; other programs can read it meanwhile.

    A token file may be JSON with access_token, and also refresh_token and server. If PULSOID_CLIENT_ID and
    PULSOID_CLIENT_SECRET are set, an expired token is then refreshed, and the file rewritten.
    """
    try:
        _load_libraries()
        from pulsoid_rec.recorder.connection.server_url import parse_server_url
        from pulsoid_rec.recorder.contract.members_file import FILE_NAME, read_members_file
        from pulsoid_rec.recorder.health.on_trouble import Command
        from pulsoid_rec.recorder.pulsoid.saved_login import find_credentials
        from pulsoid_rec.recorder.recorder import Options

        if members is not None:
            read_members_file(members)  # raises `UsageError`
        server_url = parse_server_url(server)
        options = Options(
            rooms=check_room_ids(rooms),
            database=db,
            server_url=server_url,
            credentials=find_credentials(token_file, server_url, allow_unencrypted=allow_unencrypted),
            kinds=_parse_kinds(kinds),
            duration_s=duration,
            keep_journal=keep_journal,
            consent_file=(members or db.with_name(FILE_NAME)) if only_consented else None,
            members_file=members,
        )
        command = None if on_trouble is None else Command(on_trouble)
        _record(options, parse_live(live, live_host, live_port), command)
    except KeyboardInterrupt:
        print_lines("Stopped before anything was recorded.")


def _load_libraries() -> None:
    """Load all but DuckDB, and exclude it from garbage collection: the process ends 45 ms sooner.

    DuckDB must be collected: it reports what was not.
    """
    import gc

    import pulsoid_rec.recorder.room  # noqa: F401 - it needs the others

    if "duckdb" not in sys.modules:
        gc.freeze()


def _parse_kinds(text: str | None) -> tuple[str, ...]:
    from pulsoid_rec.recorder.pulsoid.messages import KINDS

    if text is None:
        return KINDS
    kinds = tuple(kind.strip() for kind in text.split(","))
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"There is no kind {kind!r} for --kinds", f"The kinds are {', '.join(KINDS)}.")
    return kinds


def _record(options: "Options", live: LiveAddress | None, command: "Command | None") -> None:

    from pulsoid_rec.recorder.cli.recording_log import open_log
    from pulsoid_rec.recorder.cli.screen import open_screen

    console = open_console()
    with open_screen(), open_log(options.database, options.run_id, console):
        options.credentials.read(options.server_url)  # fails before any file is made
        options.credentials.warn_if_shared()
        run_in_trio(_run_recorder, options, console, live, command)


async def _announce_proxy(options: "Options") -> None:
    """Log the proxy in use, if any; raise `UsageError` if its setting is invalid."""
    import logging

    import trio

    from pulsoid_rec.recorder.connection.proxy import find_proxy

    with trio.move_on_after(DEFAULT_TIMINGS.connect_timeout_s):
        proxy = await trio.to_thread.run_sync(find_proxy, options.server_url, abandon_on_cancel=True)
        if proxy is not None:
            logging.getLogger(__name__).info("Connecting through the proxy %s.", proxy.authority)


async def _run_recorder(
    options: "Options", console: "Console | None", live: LiveAddress | None, command: "Command | None"
) -> None:
    import trio

    from pulsoid_rec.recorder.health.attend import Attendant
    from pulsoid_rec.recorder.recorder import Recorder

    await _announce_proxy(options)
    async with open_live(live) as with_page:
        recorder = await trio.to_thread.run_sync(Recorder, options, abandon_on_cancel=True)
        try:
            show = with_page(recorder, show_status_on(console))

            async def attend(recorder: Recorder) -> None:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(Attendant(recorder, command).run)
                    if show is not None:
                        nursery.start_soon(show, recorder)

            await recorder.run(attend)
        finally:
            print_totals(recorder)
    if unconnected := recorder.describe_unconnected():
        print_lines(f"{unconnected}.")


def open_console() -> "Console | None":
    """Return the terminal's console; None without a terminal, where a redrawn status would be noise."""
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def show_status_on(console: "Console | None") -> "Callable[[Recorder], Awaitable[None]] | None":
    """Return the task that shows a recorder's status on a console; None without one."""
    if console is None:
        return None
    from pulsoid_rec.recorder.cli.live_status import LiveStatus

    return LiveStatus(console).show


def print_totals(recorder: "Recorder") -> None:
    """Print what is in the database of this run, and of earlier ones; nothing if there is nothing of either."""
    from pulsoid_rec.recorder.status import count_members

    parts = []
    own, left = recorder.ingester.total, recorder.ingester.recovered
    if connected := sum(room.connection.was_live for room in recorder.rooms):
        members = count_members(room.status for room in recorder.rooms)
        parts.append(f"{format_count(own.readings, 'reading')} of {members} in {format_count(connected, 'room')}")
        if rejected := own.rejected - sum(room.status.withheld_rows for room in recorder.rooms):
            parts.append(format_count(rejected, "rejected message"))
    counts = ((left.readings, "reading"), (left.rejected, "rejected message"))
    if counted := " and ".join(format_count(count, noun) for count, noun in counts if count):
        parts.append(f"{counted} that another run had left in the journal")
    if parts:
        print_lines(f"Recorded {', and '.join(parts)}, into {recorder.options.database}.")
    withheld = [room.status for room in recorder.rooms if room.status.withheld]
    if withheld:
        by_room = [f"{status.describe_withheld()} in {status.room_id}" for status in withheld]
        print_lines(f"Not recorded, for want of consent: {format_list(by_room, _MOST_ROOMS)}.")
