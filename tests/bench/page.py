"""The report's page of twelve hours of 40 members."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from figures import Figure
from made_recordings import make_recording
from processes import run_program

MEMBERS = 40
READINGS = 12 * 3600 * MEMBERS
TURNS = 3
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def measure(scratch: Path) -> Iterator[Figure]:
    """Make the page, and open it where there is a browser."""
    database, page = scratch / "day.duckdb", scratch / "day.html"
    make_recording(database, READINGS, MEMBERS)
    took_s = []
    for _ in range(TURNS):
        page.unlink(missing_ok=True)
        options = ["--db", database, "--session", "all", "--format", "html", "-o", page]
        took_s.append(run_program("report", *options).took_s)
    what = f"HTML report of 12 hours of {MEMBERS} members"
    yield Figure(11, f"{what}: time", "", "<= 5 s", took_s, 5.0, unit="s", details=f"{READINGS:,} readings")
    yield Figure(11, "the same: size", "", "<= 5 MB", [page.stat().st_size / 1e6], 5.0, unit="MB", details=open_(page))


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
