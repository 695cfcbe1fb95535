"""`pulsoid-rec simulate`."""

import math
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.recorder.cli.interrupts import run_in_trio
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.wording import format_count

if TYPE_CHECKING:
    import trio

    from pulsoid_rec.recorder.simulator.control import Simulator
    from pulsoid_rec.recorder.simulator.play import Play
    from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig

MEMBERS = 5
ENDLESS_CUT_S = 3600.0


def simulate(
    *,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="TCP port on this machine; 0 takes any.")
    ] = 8765,
    room: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="A room; repeatable.", show_default="demo")
    ] = None,
    token: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The token that opens the rooms.", show_default="demo-token")
    ] = None,
    members: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=1000, help="People to make up in each room.", show_default=str(MEMBERS)),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Play this CSV of time_s (seconds, may be fractional), member and bpm (beats per minute) instead.",
            show_default=False,
        ),
    ] = None,
    speed: Annotated[
        float, typer.Option(metavar="X", help="Seconds played in a second: 60 plays an hour in a minute.")
    ] = 1.0,
    duration: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="End the play after so many seconds of its own time. Else a file plays to its end, and people made "
            "up play for ever, or for 3600 s at a speed above 1.",
            show_default=False,
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when all is played; else the connections stay open in silence.")
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", help="Another one makes up other people and other faults.")] = 1,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:NUMBER",
            help="Trouble to make; repeatable. drop:S cuts each connection about every S seconds; stall:S has each go "
            "dead after about S seconds, unclosed; expire:S lets tokens live for S seconds; refuse:STATUS refuses "
            "every connection with that HTTP status; garbage:N follows about one reading in N with a malformed "
            "message; repeat:N sends each new connection the room's latest N readings again.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve rooms as Pulsoid does, on this machine alone: to record from with no account and no network.

    A room's play begins when its first client connects, so that a recorder sees all of it. Played faster than life, its
    events carry the times they would have had, the last one about now. After it the connections stay open in silence,
    as in a room whose people went home; with --once the server ends, with exit code 0.

    Besides rooms it answers GET /api/v1/token/validate and POST /oauth2/token. That renews the token with
    refresh_token=demo-refresh-token, client_id=demo-client and client_secret=demo-secret.
    """
    from pulsoid_rec.recorder.simulator.faults import parse_faults
    from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
    from pulsoid_rec.recorder.simulator.tokens import DEMO_REFRESH_TOKEN, DEMO_TOKEN, Token

    if replay is not None and members is not None:
        raise UsageError(
            "--members and --replay were both given", "A replay has the members of its file: leave one out."
        )
    rooms = _checked_rooms(room or ["demo"])
    _check_speed(speed)
    _check_duration(duration)
    if replay is None and duration is None and speed > 1:
        duration = ENDLESS_CUT_S  # Without an end their events would run into the future.
    config = SimulatorConfig(
        rooms=_plays(rooms, members or MEMBERS, replay, seed, duration),
        tokens=(Token(_checked_token(DEMO_TOKEN if token is None else token), refresh_token=DEMO_REFRESH_TOKEN),),
        speed=speed,
        port=port,
        faults=parse_faults(fault or []),
        seed=seed,
    )
    _run(config, once=once)


def _checked_rooms(rooms: list[str]) -> list[str]:
    if not all(rooms):
        raise UsageError("A room's id is empty", "Leave --room out, or name one.")
    return rooms


def _checked_token(token: str) -> str:
    if not (token and token.isascii() and token.isprintable()) or " " in token:
        raise UsageError("--token is empty, or has characters that no token has", "Use letters, digits and dashes.")
    return token


def _check_speed(speed: float) -> None:
    if not (math.isfinite(speed) and speed > 0):
        raise UsageError(
            f"--speed is {speed:g}", "It must be more than 0: 1 is as in life, 60 plays an hour in a minute."
        )


def _check_duration(duration_s: float | None) -> None:
    if duration_s is not None and not (math.isfinite(duration_s) and duration_s > 0):
        raise UsageError(f"--duration is {duration_s:g}", "It must be a number of seconds, more than 0.")


def _plays(rooms: list[str], members: int, replay: Path | None, seed: int, cut_s: float | None) -> "dict[str, Play]":
    from pulsoid_rec.recorder.simulator.people import play_people
    from pulsoid_rec.recorder.simulator.replay import read_replay

    if replay is not None:
        plays = dict.fromkeys(rooms, read_replay(replay))
    else:
        plays = {room_id: play_people(members, seed, room_id) for room_id in rooms}
    return plays if cut_s is None else {room_id: play.first(cut_s) for room_id, play in plays.items()}


def _run(config: "SimulatorConfig", *, once: bool) -> None:
    import logging

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    log = logging.getLogger("simulator")
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        run_in_trio(_serve, config, once)
    except OSError as error:
        raise _port_error(config.port, error) from None
    finally:
        log.removeHandler(handler)


async def _serve(config: "SimulatorConfig", once: bool) -> None:
    import signal

    import trio

    from pulsoid_rec.recorder.simulator.simulator import open_simulator

    began = trio.current_time()
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with open_simulator(config) as simulator:
            _say(_welcome(simulator, config))
            async with trio.open_nursery() as nursery:
                if once:
                    nursery.start_soon(_cancel_when_played, simulator, nursery.cancel_scope)
                async for _ in signals:
                    nursery.cancel_scope.cancel()
    _say(_totals(simulator, config, trio.current_time() - began))


async def _cancel_when_played(simulator: "Simulator", scope: "trio.CancelScope") -> None:
    await simulator.wait_until_played()
    scope.cancel()


def _welcome(simulator: "Simulator", config: "SimulatorConfig") -> str:
    rooms = " ".join(shlex.quote(room_id) for room_id in config.rooms)
    return (
        f"Simulating a Pulsoid server at {simulator.url} until Ctrl-C. Record from it, in another terminal, with:\n\n"
        f"    {_with_token(config.tokens[0].access_token)} pulsoid-rec record {rooms} --server {simulator.url}\n"
    )


def _with_token(token: str) -> str:
    from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

    # Whose token was named with --token we cannot know, so only our own is shown.
    shown = token if token == DEMO_TOKEN else "YOUR_TOKEN"
    return f"$env:PULSOID_TOKEN = '{shown}';" if os.name == "nt" else f"PULSOID_TOKEN={shown}"


def _totals(simulator: "Simulator", config: "SimulatorConfig", took_s: float) -> str:
    readings = sum(simulator.readings(room_id) for room_id in config.rooms)
    sent = sum(simulator.sent(room_id).total() for room_id in config.rooms)
    refused = simulator.refused.total()
    return (
        f"Played {format_count(readings, 'reading')} and sent {format_count(sent, 'message')} over "
        f"{format_count(simulator.accepted, 'connection')}"
        f"{f' ({refused:,} refused)' if refused else ''} in {took_s:.0f} s."
    )


def _port_error(port: int, error: OSError) -> UsageError:
    import errno

    if error.errno == errno.EADDRINUSE:
        return UsageError(f"Port {port} is in use", "Choose another with --port, or 0 for any that is free.")
    if error.errno == errno.EACCES:
        return UsageError(f"Port {port} is not open to you", "Choose one above 1023 with --port.")
    return UsageError(f"Port {port} cannot be had: {error.strerror}", "Choose another with --port.")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
