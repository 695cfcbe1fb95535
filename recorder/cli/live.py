"""The options of the live page, and how it is served beside a recorder."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.recorder.contract.display import print_lines
from pulsoid_rec.recorder.contract.errors import UsageError

if TYPE_CHECKING:
    from pulsoid_rec.recorder.recorder import Recorder

LIVE_HOST = "127.0.0.1"
LIVE_PORT = 8766

LiveOption = Annotated[
    bool, typer.Option("--live", help="Show the room meanwhile, on a page that this program serves to a browser.")
]
LivePortOption = Annotated[
    int, typer.Option(metavar="PORT", min=0, max=65535, help="TCP port of the page; 0 takes any.")
]
LiveHostOption = Annotated[
    str,
    typer.Option(
        metavar="HOST",
        help="Address of this machine at which the page is served. Beyond 127.0.0.1, whoever has its address, with a "
        "key made for this run, sees the heart rates and can mark.",
    ),
]
Show = Callable[["Recorder"], Awaitable[None]]


LiveAddress = tuple[str, int]
"""The host and the port at which the live page is served."""


def parse_live(live: bool, host: str, port: int) -> LiveAddress | None:
    """Return where the options say that the page is served, if it is; `UsageError` if they contradict each other."""
    if not live and (host, port) != (LIVE_HOST, LIVE_PORT):
        raise UsageError("--live-host and --live-port are for the live page, which is not served", "Add --live.")
    return (host, port) if live else None


@asynccontextmanager
async def open_live(address: LiveAddress | None) -> AsyncIterator[Callable[["Recorder", Show | None], Show | None]]:
    """Listen for the viewers of a live page; without an address there is none.

    Yields what makes of a recorder, and a task that shows its status, one that serves the page as well. Raises
    `UsageError` if the address cannot be served at.
    """
    if address is None:
        yield lambda _recorder, show: show
        return
    import trio

    from pulsoid_rec.recorder.live.server import LiveServer, open_listeners

    async with open_listeners(*address) as listeners:

        def serve(recorder: "Recorder", show: Show | None) -> Show:
            server = LiveServer(recorder, listeners, address[0])
            print_lines(f"Live page: {server.url}")

            async def show_both(recorder: "Recorder") -> None:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(server.run)
                    if show is not None:
                        nursery.start_soon(show, recorder)

            return show_both

        yield serve
