"""`pulsoid-rec simulate`."""

import math
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pulsoid_rec.recorder.cli.interrupts import run_in_trio
from pulsoid_rec.recorder.cli.options import check_room_ids, path_option, value_option
from pulsoid_rec.recorder.contract.display import print_lines
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.wording import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    import trio

    from pulsoid_rec.recorder.simulator.play import Play
    from pulsoid_rec.recorder.simulator.simulator import Simulator, SimulatorConfig

MEMBERS = 5
ENDLESS_CUT_S = 3600.0


def simulate(
    *,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="TCP port on this machine; 0 takes any.")
    ] = 8765,
    room: Annotated[list[str] | None, value_option("ID", "A room; repeatable.", "demo")] = None,
    token: Annotated[
        str | None,
        value_option(
            "TEXT", "The token that opens the rooms.", "demo-token, or with --replay a new one, which is printed"
        ),
    ] = None,
    members: Annotated[
        int | None, value_option("N", "People to make up in each room.", str(MEMBERS), min=1, max=1000)
    ] = None,
    replay: Annotated[
        Path | None,
        path_option(
            "Play this CSV of time_s (seconds, may be fractional), member and bpm (beats per minute) instead. Lines "
            "without time_s or bpm are left out.",
            metavar="FILE",
        ),
    ] = None,
    speed: Annotated[float, typer.Option(metavar="X", help="How fast to play: 60 plays an hour in a minute.")] = 1.0,
    duration: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="End the play after this many seconds of play time. Otherwise a file plays to its end, and made-up "
            "people play for ever, or for 3600 s at a speed above 1.",
            show_default=False,
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Exit when all is played; otherwise the connections stay open in silence.")
    ] = False,
    cors: Annotated[
        bool,
        typer.Option("--cors", help="Admit pages in a browser: any that is open, if it knows the token."),
    ] = False,
    device: Annotated[
        Literal["ask", "approve", "deny", "expire", "slow"],
        value_option(
            "MODE",
            "How `pulsoid-rec login` goes: ask, on the page that it shows; or by itself: approve, deny, expire, slow "
            "(approve, but ask to slow down first).",
            True,
        ),
    ] = "ask",
    seed: Annotated[
        int, typer.Option(metavar="N", help="A number that other people and other faults follow from.")
    ] = 1,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:NUMBER",
            help="A fault to inject; repeatable. drop:S cuts each connection about every S seconds; stall:S stops "
            "sending on each after about S seconds; expire:S makes tokens expire after S seconds; refuse:STATUS "
            "refuses every connection with that HTTP status; garbage:N follows about one reading in N with a malformed "
            "message; repeat:N resends the room's latest N readings to each new connection.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve rooms as Pulsoid does, only on this machine: to record without account and network.

    A room's play begins when its first client connects, so that a recorder sees all of it. Played faster than real
    time, its events carry the times they would have had, the last one about now. After it the connections stay open in
    silence; with --once the server ends, with exit code 0.

    It also answers GET /api/v1/token/validate and POST /oauth2/token, /oauth2/device_authorization and /oauth2/revoke:
    `pulsoid-rec login --client-id demo-client` gets a token. demo-token, and those, are refreshed with
    client_id=demo-client and client_secret=demo-secret; the refresh token of demo-token is demo-refresh-token.
    """
    import secrets

    from pulsoid_rec.recorder.simulator.faults import parse_faults
    from pulsoid_rec.recorder.simulator.oauth import DeviceFlow
    from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
    from pulsoid_rec.recorder.simulator.tokens import DEMO_REFRESH_TOKEN, DEMO_TOKEN, Token

    if replay is not None and members is not None:
        raise UsageError(
            "--members and --replay are both given", "Leave one out: a replay has the members of its file."
        )
    for option, number in (("--speed", speed), ("--duration", duration)):
        if number is not None and not (math.isfinite(number) and number > 0):
            raise UsageError(f"{option} is {number:g}", "Give a number above 0.")
    if replay is None and duration is None and speed > 1:
        duration = ENDLESS_CUT_S  # without an end, their events would lie in the future
    # Other users of this machine can connect too, and know the demo's token: people's own readings have another.
    new_token = DEMO_TOKEN if replay is None else secrets.token_urlsafe(12)
    opened_by = new_token if token is None else _check_token(token)
    config = SimulatorConfig(
        rooms=dict(_make_plays(check_room_ids(room or ["demo"]), members or MEMBERS, replay, seed, duration)),
        tokens=(Token(opened_by, refresh_token=DEMO_REFRESH_TOKEN if opened_by == DEMO_TOKEN else ""),),
        speed=speed,
        port=port,
        faults=parse_faults(fault or []),
        seed=seed,
        admits_pages=cors,
        device_flow=DeviceFlow(device),
    )
    # A token given with --token may be a real one, and is not printed.
    _run(config, shown_token="YOUR_TOKEN" if opened_by == token else opened_by, once=once)


def _check_token(token: str) -> str:
    if not (token and token.isascii() and token.isprintable()) or " " in token:
        raise UsageError("--token is empty, or has characters that no token has", "Use letters, digits and dashes.")
    return token


def _make_plays(
    rooms: tuple[str, ...], members: int, replay: Path | None, seed: int, duration_s: float | None
) -> "Iterator[tuple[str, Play]]":
    from pulsoid_rec.recorder.simulator.people import play_people
    from pulsoid_rec.recorder.simulator.replay import read_replay

    replayed = read_replay(replay) if replay is not None else None
    if replayed is not None and replayed.holes:
        print_lines(f"Left out {format_count(replayed.holes, 'line')} of {replay} without bpm or time_s.")
    for room_id in rooms:
        play = replayed or play_people(members, seed, room_id)
        yield room_id, play if duration_s is None else play.first(duration_s)


def _run(config: "SimulatorConfig", *, shown_token: str, once: bool) -> None:
    import logging

    logging.basicConfig(format="%(asctime)s  %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("simulator").setLevel(logging.INFO)
    try:
        run_in_trio(_serve, config, shown_token, once)
    except OSError as error:
        raise _port_error(config.port, error) from None


async def _serve(config: "SimulatorConfig", shown_token: str, once: bool) -> None:
    import signal

    import trio

    from pulsoid_rec.recorder.simulator.simulator import open_simulator

    started_at = trio.current_time()
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with open_simulator(config) as simulator:
            print_lines(_format_start(simulator.url, config, shown_token))
            async with trio.open_nursery() as nursery:
                if once:
                    nursery.start_soon(_cancel_when_played, simulator, nursery.cancel_scope)
                async for _ in signals:
                    nursery.cancel_scope.cancel()
    print_lines(_format_totals(simulator, trio.current_time() - started_at))


async def _cancel_when_played(simulator: "Simulator", scope: "trio.CancelScope") -> None:
    await simulator.wait_until_played()
    scope.cancel()


def _format_start(url: str, config: "SimulatorConfig", token: str) -> str:
    rooms = " ".join(shlex.quote(room_id) for room_id in config.rooms)
    variable = f"$env:PULSOID_TOKEN = '{token}';" if os.name == "nt" else f"PULSOID_TOKEN={token}"
    return (
        f"Simulating a Pulsoid server at {url} until Ctrl-C. To record from it, run this in another terminal:\n\n"
        f"    {variable} pulsoid-rec record {rooms} --server {url}\n"
    )


def _format_totals(simulator: "Simulator", elapsed_s: float) -> str:
    server = simulator.server
    readings = sum(room.readings for room in server.rooms.values())
    sent = sum(room.sent.total() for room in server.rooms.values())
    refused = server.refused.total()
    return (
        f"Played {format_count(readings, 'reading')} and sent {format_count(sent, 'message')} over "
        f"{format_count(server.accepted, 'connection')}{f' ({refused:,} refused)' if refused else ''} "
        f"in {elapsed_s:.0f} s."
    )


def _port_error(port: int, error: OSError) -> UsageError:
    import errno

    reasons = {errno.EADDRINUSE: "it is in use", errno.EACCES: "permission denied"}
    reason = reasons.get(error.errno or 0, str(error.strerror).lower())
    return UsageError(f"Cannot listen on port {port}: {reason}", "Choose another with --port, or 0 for any free one.")
