"""`pulsoid-rec demo`."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.recorder.cli.interrupts import run_in_trio
from pulsoid_rec.recorder.contract.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from pulsoid_rec.recorder.recorder import Recorder

ROOM = "demo"
PEOPLE = 5
WORKOUT_S = 1200.0
SPEED = 60.0
SEED = 4
CATCH_UP_S = 2.0


def demo(
    *,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="A new folder to leave it all in.", show_default="data/demo-DATE-TIME"),
    ] = None,
) -> None:
    """See it work in under half a minute, with no account and no network.

    Five people made up train for 20 minutes, at 60 times the speed, in a room of a Pulsoid server of our own. They are
    recorded over a real connection, and the report follows.
    """
    from pulsoid_rec.analysis.cli.report import report
    from pulsoid_rec.recorder.cli.record import open_console, print_totals
    from pulsoid_rec.recorder.cli.recording_log import open_log

    if folder is None:
        folder = Path("data", f"demo-{datetime.now().astimezone():%Y%m%d-%H%M%S}")
    if folder.exists():
        raise UsageError(f"{folder} is there already", "Name a folder that is not, with --folder.")
    _say(
        f"Five people train for 20 minutes. At {SPEED:.0f} times the speed that takes {WORKOUT_S / SPEED:.0f} seconds."
    )
    os.umask(0o077)
    folder.mkdir(parents=True)
    database = folder / "pulsoid.duckdb"
    (folder / "members.toml").write_text(_members_toml(), encoding="utf-8")
    console = open_console()
    with open_log(database, console):
        print_totals(run_in_trio(_record, database, console))
    page = folder / "report.html"
    report(db=database)
    report(db=database, format_="html", output=page)
    _say(_what_next(database, page))


async def _record(database: Path, console: "Console | None") -> "Recorder":
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
    async with open_simulator(SimulatorConfig(rooms={ROOM: workout}, speed=SPEED, seed=SEED)) as simulator:
        recorder = Recorder(Options((ROOM,), database, parse_server_url(simulator.url), Credentials(), KINDS))
        show = show_status_on(console)

        async def watch(recorder: Recorder) -> None:
            async with trio.open_nursery() as nursery:
                if show is not None:
                    nursery.start_soon(show, recorder)
                await simulator.wait_until_played()
                await simulator.wait_until_counted(ROOM, lambda: recorder.rooms[0].status.readings, CATCH_UP_S)
                recorder.stop.set()

        await recorder.run(watch)
    return recorder


def _members_toml() -> str:
    """Say of the people made up what only they could know, so that the report has zones and loads."""
    from pulsoid_rec.recorder.simulator.people import make_people

    year = datetime.now(UTC).year
    tables = []
    for index, person in enumerate(make_people(PEOPLE, SEED, ROOM)):
        # Age from Tanaka's formula, backwards; the last one keeps it private, and the report says what that costs.
        age = round((208 - person.max_bpm) / 0.7)
        lines = [f"[{person.profile_id}]", f'name = "{person.name}"']
        if index < PEOPLE - 1:
            lines += [f"birth_year = {year - age}", f"hr_rest = {person.rest_bpm:.0f}"]
            lines += [f'sex = "{"female" if index % 2 == 0 else "male"}"']
        tables.append("\n".join(lines))
    return "# What only the members can know of themselves; README.md tells what each line is for.\n\n" + "\n\n".join(
        [*tables, ""]
    )


def _what_next(database: Path, page: Path) -> str:
    return f"""
Look at the report with its charts:   {page}
See the sessions:                     pulsoid-rec sessions --db {database}
Take the readings elsewhere:          pulsoid-rec export --db {database} -o readings.csv
Record a room of your own:            pulsoid-rec record ROOM_ID     (README.md tells how to get a token)
Everything of this demo is in         {database.parent}"""


def _say(text: str) -> None:
    print(text, file=sys.stderr)
