"""Make a recording to try the notebooks on: made-up people, of a simulated Pulsoid server.

python make_sample.py DATABASE                  eight imported sessions on past days, and members.toml beside it
python make_sample.py DATABASE --live SECONDS   one that takes place now, in real time
"""

import argparse
import contextlib
import csv
import io
import itertools
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import trio

from pulsoid_rec.analysis.cli.mark import mark
from pulsoid_rec.recorder.cli.import_ import import_
from pulsoid_rec.recorder.connection.server_url import parse_server_url
from pulsoid_rec.recorder.contract.errors import PulsoidRecError, UsageError
from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE, Credentials
from pulsoid_rec.recorder.pulsoid.messages import KINDS
from pulsoid_rec.recorder.recorder import Options, Recorder
from pulsoid_rec.recorder.simulator.people import format_members_toml, heart_rates, make_people, play_people
from pulsoid_rec.recorder.simulator.play import Play, Reading
from pulsoid_rec.recorder.simulator.simulator import Simulator, SimulatorConfig, open_simulator
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

ROOM = "gym"
SEED = 11
PEOPLE = make_people(6, SEED, ROOM)
DAYS_AGO = (17, 15, 12, 10, 8, 5, 3, 1)
MINUTES = (18, 22, 20, 25, 15, 24, 20, 26)
CATCH_UP_TIMEOUT_S = 30.0


def kills(number: int, length_s: int) -> dict[int, int]:
    """Make up who made a kill in the game that runs while they train: the second, and the place of the member."""
    seconds = range(100, length_s - 60, 70 + 5 * (number % 3))
    return {second: (5 * turn + number) % len(PEOPLE) for turn, second in enumerate(seconds)}


def rise(since_s: int) -> float:
    """Return by how many bpm a heart is up so many seconds after its kill."""
    return 9.0 * max(0.0, min(since_s / 5, (30 - since_s) / 25))


def training(number: int, length_s: int) -> Iterator[Reading]:
    """Make up one session: some are absent or late, everybody gets fitter, and one sensor is loose."""
    hearts, made = [], kills(number, length_s)
    for place, person in sorted(enumerate(PEOPLE), key=lambda each: each[1].phase_ms):
        if place > 0 and (place + number) % 5 == 0:
            continue
        fitter = replace(person, effort=person.effort * (1 - 0.015 * number))
        late_s = 200 if (place + number + 1) % 4 == 0 else 0
        own = [second for second, who in made.items() if who == place]
        hearts.append((person, late_s, own, heart_rates(fitter, SEED + number, ROOM)))
    for second in range(length_s):
        for person, late_s, own, heart in hearts:
            bpm = next(heart)
            slips = person is PEOPLE[-1] and 0 <= second % 90 - 40 < 4 * number  # longer each time
            if bpm is not None and second >= late_s and not slips:
                excited = bpm + round(sum(rise(second - at) for at in own))
                yield Reading(second + person.phase_ms / 1000, person.profile_id, excited)


def past(minutes: tuple[int, ...]) -> Iterator[tuple[int, int, datetime]]:
    """Yield number, length in seconds and start of sessions of so many minutes each, on past days."""
    evening = datetime.now().astimezone().replace(hour=18, minute=30, second=0, microsecond=0)
    for number, (days, length_min) in enumerate(zip(DAYS_AGO, minutes, strict=False)):
        yield number, 60 * length_min, (evening - timedelta(days=days, minutes=37 * (number % 3))).astimezone(UTC)


def past_readings(minutes: tuple[int, ...]) -> Iterator[tuple[str, str, int]]:
    """Yield the time, member and bpm of those sessions."""
    for number, length_s, start in past(minutes):
        for reading in training(number, length_s):
            at = start + timedelta(milliseconds=round(1000 * reading.time_s))
            yield at.isoformat(), reading.profile_id, reading.bpm


def past_kills(minutes: tuple[int, ...]) -> Iterator[tuple[str, str, str, str]]:
    """Yield the time, label, member and room of the marks of those sessions."""
    for number, length_s, start in past(minutes):
        for second, place in kills(number, length_s).items():
            yield (start + timedelta(seconds=second)).isoformat(), "kill", PEOPLE[place].profile_id, ROOM


def import_past(database: Path, minutes: tuple[int, ...]) -> None:
    """Import sessions of past days, with their marks: a recorder takes no reading that is days old."""
    with tempfile.TemporaryDirectory() as folder:
        file, marks = Path(folder, "past.csv"), Path(folder, "kills.csv")
        for path, rows in (
            (file, [("time", "member", "bpm"), *past_readings(minutes)]),
            (marks, [("time", "label", "member", "room"), *past_kills(minutes)]),
        ):
            with path.open("w", newline="", encoding="utf-8") as text:
                csv.writer(text).writerows(rows)
        with contextlib.redirect_stderr(io.StringIO()):  # what they print on the files' columns
            import_(file, room=ROOM, db=database)
            mark(from_=marks, db=database)


async def play_nothing(_: Simulator) -> None:
    """Send nothing: the members' names come by themselves."""


async def play_now(simulator: Simulator, seconds: float) -> None:
    """Send a session that takes place now."""
    started_at = trio.current_time()
    readings = play_people(len(PEOPLE), SEED, ROOM).readings
    for reading in itertools.takewhile(lambda each: each.time_s < seconds, readings):
        await trio.sleep_until(started_at + reading.time_s)
        await simulator.send_heart_rate(ROOM, reading.profile_id, reading.bpm)


async def record(database: Path, play: Callable[[Simulator], Awaitable[None]]) -> None:
    """Record what is played, over a real connection, until all of it is in the database."""
    os.environ[TOKEN_VARIABLE] = DEMO_TOKEN
    members = Play({person.profile_id: person.config for person in PEOPLE}, readings=(), length_s=0)
    async with open_simulator(SimulatorConfig(rooms={ROOM: members})) as simulator:
        recorder = Recorder(Options((ROOM,), database, parse_server_url(simulator.url), Credentials(), KINDS))

        async def watch(recorder: Recorder) -> None:
            await simulator.wait_for_clients(ROOM)
            await play(simulator)
            await simulator.wait_until_counted(ROOM, lambda: recorder.rooms[0].status.readings, CATCH_UP_TIMEOUT_S)
            recorder.stop.set()

        await recorder.run(watch)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database", type=Path)
    parser.add_argument("--live", type=float, metavar="SECONDS")
    parser.add_argument("--minutes", type=int, nargs="+", default=MINUTES, help="length of each past session")
    chosen = parser.parse_args()
    database: Path = chosen.database
    try:
        play: Callable[[Simulator], Awaitable[None]] = play_nothing
        if chosen.live is not None:
            play = partial(play_now, seconds=chosen.live)
        elif database.exists():
            raise UsageError(f"{database} already exists", "Delete it, or choose another file.")
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        members = database.parent / "members.toml"
        if not members.exists():  # keep a file that the user wrote
            members.write_text(format_members_toml(PEOPLE), encoding="utf-8")
        trio.run(record, database, play)
        if chosen.live is None:
            import_past(database, tuple(chosen.minutes))
    except PulsoidRecError as error:
        sys.exit(f"make_sample.py: {error}")


if __name__ == "__main__":
    main()
