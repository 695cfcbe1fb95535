"""`pulsoid-rec demo`."""

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.recorder.cli.interrupts import run_in_trio
from pulsoid_rec.recorder.cli.live import (
    LIVE_HOST,
    LIVE_PORT,
    LiveAddress,
    LiveOption,
    LivePortOption,
    open_live,
    parse_live,
)
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.ids import new_id
from pulsoid_rec.recorder.contract.paths import parse_path

if TYPE_CHECKING:
    from rich.console import Console

    from pulsoid_rec.recorder.recorder import Recorder

ROOM = "demo"
PEOPLE = 5
WORKOUT_S = 1200.0
SPEED = 60.0
SEED = 4
CATCH_UP_TIMEOUT_S = 2.0


def demo(
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", parser=parse_path, help="A new folder for its files.", show_default="data/demo-DATE-TIME"
        ),
    ] = None,
    live: LiveOption = False,
    live_port: LivePortOption = LIVE_PORT,
) -> None:
    """See it work in half a minute, with no account and no network.

    Five made-up people train for 20 minutes, at 60 times the speed, in a room of a simulated Pulsoid server. They are
    recorded over a real connection, and the report follows.
    """
    from pulsoid_rec.analysis.cli.report import report
    from pulsoid_rec.recorder.cli.record import open_console, print_totals
    from pulsoid_rec.recorder.cli.recording_log import open_log
    from pulsoid_rec.recorder.simulator.people import format_members_toml, make_people

    address = parse_live(live, LIVE_HOST, live_port)
    if folder is None:
        folder = Path("data", f"demo-{datetime.now().astimezone():%Y%m%d-%H%M%S}")
    if folder.exists():
        raise UsageError(f"{folder} already exists", "Choose a new folder with --folder.")
    print(
        f"Five people train for 20 minutes. At {SPEED:.0f} times the speed this takes {WORKOUT_S / SPEED:.0f} seconds.",
        file=sys.stderr,
    )
    folder.mkdir(parents=True)
    database = folder / "pulsoid.duckdb"
    members = format_members_toml(make_people(PEOPLE, SEED, ROOM))
    (folder / "members.toml").write_text(members, encoding="utf-8")
    console = open_console()
    run_id = new_id()
    with open_log(database, run_id, console):
        print_totals(run_in_trio(_record, database, run_id, console, address))
    page = folder / "report.html"
    report(db=database)
    report(db=database, format_="html", output=page)
    print(_format_next_steps(database, page), file=sys.stderr)


async def _record(database: Path, run_id: str, console: "Console | None", address: LiveAddress | None) -> "Recorder":
    """Play the workout and record it."""
    import trio

    from pulsoid_rec.recorder.cli.record import show_status_on
    from pulsoid_rec.recorder.connection.server_url import parse_server_url
    from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE, Credentials
    from pulsoid_rec.recorder.pulsoid.messages import KINDS
    from pulsoid_rec.recorder.recorder import Options, Recorder
    from pulsoid_rec.recorder.simulator.people import play_people
    from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig, open_simulator
    from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

    os.environ[TOKEN_VARIABLE] = DEMO_TOKEN
    workout = play_people(PEOPLE, SEED, ROOM).first(WORKOUT_S)
    config = SimulatorConfig(rooms={ROOM: workout}, speed=SPEED, seed=SEED)
    async with open_live(address) as with_page, open_simulator(config) as simulator:
        server = parse_server_url(simulator.url)
        options = Options((ROOM,), database, server, Credentials(), KINDS, run_id=run_id)
        recorder = await trio.to_thread.run_sync(Recorder, options)
        show_status = show_status_on(console)

        async def watch(recorder: Recorder) -> None:
            async with trio.open_nursery() as nursery:
                if show_status is not None:
                    nursery.start_soon(show_status, recorder)
                await simulator.wait_until_played()
                await simulator.wait_until_counted(ROOM, lambda: recorder.rooms[0].status.readings, CATCH_UP_TIMEOUT_S)
                recorder.stop.set()

        await recorder.run(with_page(recorder, watch))
    return recorder


def _format_next_steps(database: Path, page: Path) -> str:
    return f"""
Look at the report with its charts:   {page}
See the room while it is recorded:    pulsoid-rec demo --live
See how alike their hearts moved:     pulsoid-rec together --db {database}
List the sessions:                    pulsoid-rec sessions --db {database}
Export the readings:                  pulsoid-rec export --db {database} -o readings.csv
Record a room of your own:            pulsoid-rec record ROOM_ID     (README.md explains how to get a token)
All files of this demo are in         {database.parent}"""
