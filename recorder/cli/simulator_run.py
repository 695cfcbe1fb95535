"""Runs the simulator until a signal, and prints how to connect and what was played."""

import os
import shlex
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from pulsoid_rec.recorder.cli.interrupts import run_in_trio
from pulsoid_rec.recorder.contract.display import print_lines
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.wording import format_count

if TYPE_CHECKING:
    from pathlib import Path

    import trio

    from pulsoid_rec.recorder.simulator.simulator import Simulator, SimulatorConfig


def run_simulator(
    config: "SimulatorConfig", *, shown_token: str, into: str | None = None, once: bool, tls: bool
) -> None:
    """Serve until a signal, or with `once` until all is played; with `tls` by a certificate made for this run.

    What is printed has the token, and `into`, the database to record it into, unless it is the default one.

    Raises `UsageError` if the port is not available, or trustme is not installed.
    """
    import logging

    logging.basicConfig(format="%(asctime)s  %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("simulator").setLevel(logging.INFO)
    with ExitStack() as stack:
        authority = None
        if tls:
            from pulsoid_rec.recorder.simulator.certificate import make_certificate

            ssl_context, authority = stack.enter_context(make_certificate())
            config = replace(config, ssl_context=ssl_context)
        try:
            run_in_trio(_serve, config, shown_token, into, once, authority)
        except OSError as error:
            raise _port_error(config.port, error) from None


async def _serve(
    config: "SimulatorConfig", shown_token: str, into: str | None, once: bool, authority: "Path | None"
) -> None:
    import signal

    import trio

    from pulsoid_rec.recorder.simulator.simulator import open_simulator

    started_at = trio.current_time()
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with open_simulator(config) as simulator:
            print_lines(_format_start(simulator.url, config, shown_token, into, authority))
            async with trio.open_nursery() as nursery:
                if once:
                    nursery.start_soon(_cancel_when_played, simulator, nursery.cancel_scope)
                async for _ in signals:
                    nursery.cancel_scope.cancel()
    print_lines(_format_totals(simulator, trio.current_time() - started_at))


async def _cancel_when_played(simulator: "Simulator", scope: "trio.CancelScope") -> None:
    await simulator.wait_until_played()
    scope.cancel()


def _format_start(url: str, config: "SimulatorConfig", token: str, into: str | None, authority: "Path | None") -> str:
    from pulsoid_rec.recorder.simulator.wire import Kind

    room = next(iter(config.rooms))
    rooms = " ".join(shlex.quote(room_id) for room_id in config.rooms)
    web = url.replace("ws", "http", 1)
    stream = f"{url}/api/v2/data/rooms/{quote(room, safe='')}/real_time?kinds={','.join(Kind)}&access_token={token}"
    trust_by = "" if authority is None else f' --cacert "{authority}"'
    chosen = f"?room={quote(room, safe='')}" if len(config.rooms) > 1 else ""
    database = "" if into is None else f" --db {into}"
    start = f"{_set('SSL_CERT_FILE', authority)}{_set('PULSOID_TOKEN', token)}pulsoid-rec record"
    return (
        f"Simulating a Pulsoid server at {url} until Ctrl-C. To record from it, run this in another terminal:\n\n"
        f"    {start} {rooms} --server {url}{database}\n\n"
        "To see what it sends, and to change the room (--help lists what else can be sent to /control):\n\n"
        f'    {_set("NODE_EXTRA_CA_CERTS", authority)}npx wscat -c "{stream}"\n'
        f'    curl{trust_by} "{web}/control{chosen}" -H "Authorization: Bearer {token}" -d close:1012\n'
    )


def _set(variable: str, value: "Path | str | None") -> str:
    if value is None:
        return ""
    return f"$env:{variable} = '{value}'; " if os.name == "nt" else f"{variable}={shlex.quote(str(value))} "


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
