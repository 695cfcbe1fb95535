"""The report of twelve hours of 40 members, of 3,000 sessions and of 20,000 members: pages, tables, JSON."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from figures import Figure
from made_recordings import make_recording, make_sessions
from processes import run_program
from streams import spread

MEMBERS = 40
READINGS = 12 * 3600 * MEMBERS
SESSIONS = 3_000
CROWD, SMALLER_CROWD = 20_000, 5_000
LINEAR = 5.0
"""Four times the members may take this many times the time."""

TURNS = 3
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def measure(scratch: Path) -> Iterator[Figure]:
    """Make the page, and open it where there is a browser."""
    day, season = scratch / "day.duckdb", scratch / "season.duckdb"
    make_recording(day, READINGS, MEMBERS)
    yield from measure_page(11, day, f"HTML report of 12 hours of {MEMBERS} members", 5.0, f"{READINGS:,} readings")
    readings = make_sessions(season, SESSIONS)
    yield from measure_page(17, season, f"HTML report of {SESSIONS:,} sessions", 10.0, f"{readings:,} readings")
    took_s = [report(season, "table", scratch / "season.txt") for _ in range(TURNS)]
    yield Figure(17, "the same as a table: time", "", "<= 3 s", took_s, 3.0, unit="s")
    yield from measure_crowd(scratch)


def measure_page(number: int, database: Path, what: str, most_s: float, details: str) -> Iterator[Figure]:
    """Make a page of all sessions, and look at its time and size."""
    page = database.with_suffix(".html")
    took_s = [report(database, "html", page) for _ in range(TURNS)]
    yield Figure(number, f"{what}: time", "", f"<= {most_s:g} s", took_s, most_s, unit="s", details=details)
    size = page.stat().st_size / 1e6
    yield Figure(number, "the same: size", "", "<= 5 MB", [size], 5.0, unit="MB", details=open_(page))


def measure_crowd(scratch: Path) -> Iterator[Figure]:
    """Compare the times of two crowds of members, with 20 readings each."""
    databases = {members: scratch / f"crowd-{members}.duckdb" for members in (CROWD, SMALLER_CROWD)}
    for members, database in databases.items():
        make_recording(database, 20 * members, members)
    for format_ in ("table", "json", "html"):
        took_s = {
            members: [report(database, format_, scratch / f"crowd.{format_}") for _ in range(TURNS)]
            for members, database in databases.items()
        }
        yield Figure(
            18,
            f"report of {CROWD:,} members as {format_}: time",
            f"of {SMALLER_CROWD:,}",
            f"<= {LINEAR:g} times",
            [many / few for many, few in zip(took_s[CROWD], took_s[SMALLER_CROWD], strict=True)],
            LINEAR,
            details=f"{spread(took_s[CROWD], 1)} s against {spread(took_s[SMALLER_CROWD], 1)}",
        )


def report(database: Path, format_: str, output: Path) -> float:
    """Report all sessions; return the seconds it took."""
    output.unlink(missing_ok=True)
    options = ["--db", database, "--session", "all", "--format", format_, "-o", output]
    return run_program("report", *options).took_s


def open_(page: Path) -> str:
    """Open the page in a browser without a window, and see that its charts are drawn and no script fails."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        return "not opened: there is no Chromium here"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=20000"]
    began_at = time.perf_counter()
    done = subprocess.run([browser, *options, "--dump-dom", page.as_uri()], capture_output=True, text=True, check=True)
    took_s = time.perf_counter() - began_at
    if faults := re.findall(r"CONSOLE.*(?:Error|error).*", done.stderr):
        raise RuntimeError(f"the page's scripts fail: {faults}")
    drawn = len(re.findall(r"<(?:svg|canvas)\b", done.stdout))
    if not drawn:
        raise RuntimeError("the page draws nothing")
    return f"opened and drawn in {took_s:.1f} s by Chromium, {drawn} drawings, no script failed"
