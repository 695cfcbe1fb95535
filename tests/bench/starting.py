"""How long a user waits for a command that has next to nothing to do."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from figures import Figure
from made_recordings import make_recording
from processes import run, run_program
from streams import open_recorder, open_server, spread

TURNS = 7
SMALL = 18_000
"""Readings of a small file: five members for an hour."""


def measure(scratch: Path) -> Iterator[Figure]:
    """Run each beside an import of typer."""
    small = scratch / "small.duckdb"
    make_recording(small, SMALL, 5)
    help_s, connected_s, report_s, typer_s = [], [], [], []
    for turn in range(TURNS):
        typer_s.append(run([sys.executable, "-c", "import typer"]).took_s)
        help_s.append(run_program("--help").took_s)
        connected_s.append(time_to_connect(scratch / f"start-{turn}.duckdb"))
        report_s.append(run_program("report", "--db", small).took_s)
    for what, values, limit in (
        ("`pulsoid-rec --help`", help_s, 0.25),
        ("`pulsoid-rec record` until it is connected", connected_s, 0.5),
        (f"`pulsoid-rec report` of {SMALL:,} readings", report_s, 0.8),
    ):
        yield Figure(
            10,
            what,
            f'`python -c "import typer"`: {spread(typer_s, 2)} s',
            f"<= {limit:g} s",
            values,
            limit,
            unit="s",
        )


def time_to_connect(database: Path) -> float:
    """Start the recorder; return the seconds until it has a room's WebSocket open."""
    with open_server(messages=10) as server:
        began_at = time.monotonic()
        with open_recorder(server.port, database):
            return server.wait_for_begin() - began_at
