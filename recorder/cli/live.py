"""The options of the live page, and how it is served beside a recorder."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperCommand

from pulsoid_rec.recorder.contract.display import print_lines
from pulsoid_rec.recorder.contract.errors import UsageError

if TYPE_CHECKING:
    from typer._click.core import Context

    from pulsoid_rec.recorder.recorder import Recorder

LIVE_HOST = "127.0.0.1"
LIVE_PORT = 8766

_MOST_PORT = 65535

LiveOption = Annotated[
    bool,
    typer.Option(
        "--live",
        metavar="[PORT]",
        help="Show the room meanwhile, on a page that this program serves to a browser, at port 8766 or another one; "
        "0 takes any.",
    ),
]
LivePortOption = Annotated[
    int, typer.Option(min=0, max=_MOST_PORT, hidden=True)  # `--live PORT` is what people write
]
LiveHostOption = Annotated[
    str,
    typer.Option(
        metavar="HOST",
        help="Address of this machine at which the page is served. Beyond 127.0.0.1, whoever has its address, with a "
        "key made for this run, sees the heart rates and can mark.",
    ),
]


class LiveCommand(TyperCommand):
    """A command with the option `--live`, after which the page's port may stand: typer has no such options."""

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        """Parse the arguments, in which `--live 8766` is short for `--live --live-port 8766`."""
        for place, (option, value) in enumerate(pairwise(args), 1):
            if option == "--live" and value.isdecimal() and int(value) <= _MOST_PORT:
                args = [*args[:place], "--live-port", *args[place:]]
                break
        return super().parse_args(ctx, args)


Show = Callable[["Recorder"], Awaitable[None]]


LiveAddress = tuple[str, int]
"""The host and the port at which the live page is served."""


def parse_live(live: bool, host: str, port: int) -> LiveAddress | None:
    """Return where the options say that the page is served, if it is; `UsageError` if they contradict each other."""
    if not live and (host, port) != (LIVE_HOST, LIVE_PORT):
        raise UsageError("--live-host is for the live page, which is not served", "Add --live.")
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
