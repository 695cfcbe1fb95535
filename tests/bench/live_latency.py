"""How soon a reading from the socket is on the live page, and what the page takes of a core: 40 members, each second.

The page notes when a tile shows another heart rate; the recording, when that was received. Needs Chromium.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import psutil
from figures import Figure
from playwright.sync_api import Page, sync_playwright
from processes import PROGRAM

MEMBERS = 40
SECONDS = 60
TOKEN = "demo-token"
SWITCHES = ("no-sandbox", "disable-gpu", "disable-background-networking", "disable-component-update", "disable-sync")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

NOTE = """() => {
    window.shown = [];
    const name = (node) => node.closest(".tile").querySelector(".name").textContent;
    new MutationObserver((changes) => {
        for (const { target } of changes) {
            const node = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
            if (node?.matches?.(".bpm")) window.shown.push([Date.now(), name(node), node.textContent]);
        }
    }).observe(document.querySelector("#tiles"), { subtree: true, childList: true, characterData: true });
}"""


def measure(scratch: Path) -> Iterator[Figure]:
    """Watch a room for a minute, on a television's number of pixels."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("no Chromium: the live page was not looked at", file=sys.stderr)
        return
    database = scratch / "live.duckdb"
    with open_room() as server, open_live_recorder(server, database) as (_, port), sync_playwright() as playwright:
        with playwright.chromium.launch(executable_path=browser, args=[f"--{name}" for name in SWITCHES]) as opened:
            page = opened.new_page(viewport={"width": 1920, "height": 1080})
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_function(f"document.querySelectorAll('.tile').length >= {MEMBERS}")
            page.select_option("#window", "60")
            page.evaluate(NOTE)
            tab_s, before_s, began_at = task_s(page), browser_s(), time.monotonic()
            page.wait_for_timeout(SECONDS * 1000)
            took_s = time.monotonic() - began_at
            tab, whole = (task_s(page) - tab_s) / took_s, (browser_s() - before_s) / took_s
            shown: list[tuple[float, str, str]] = page.evaluate("shown")
    ages_s = list(ages(shown, database))
    details = f"{len(ages_s):,} heart rates shown of {MEMBERS} members; an update is sent each second"
    for name, share, limit in (("median", 50, 1.0), ("99 %", 99, 2.0)):
        age_s = float(np.percentile(ages_s, share))
        what = f"from the socket to the live page: {name}"
        yield Figure(26, what, "", f"<= {limit:g} s", [age_s], limit, unit="s", details=details)
    details = f"1920 x 1080, drawn without a graphics card; all of the browser {100 * whole:.0f} %"
    what = f"the live page of {MEMBERS} members: CPU of its tab"
    yield Figure(27, what, "one core", "<= 15 %", [100 * tab], 15, unit="%", details=details)


@contextmanager
def open_room() -> Iterator[str]:
    """Let made-up people train; yield the server's URL."""
    command = [*PROGRAM, "simulate", "--port", "0", "--members", str(MEMBERS)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = next(filter(None, (re.search(r"ws://[\d.:]+", line) for line in process.stderr)))
        yield found[0]
        process.terminate()


@contextmanager
def open_live_recorder(
    server: str, database: Path, *, is_live: bool = True
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Record, with the page; yield the process and the page's port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [*PROGRAM, "record", "demo", "--db", str(database), "--server", server]
    if is_live:
        command += ["--live", str(port)]
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PULSOID")}
    with subprocess.Popen(command, env=variables | {"PULSOID_TOKEN": TOKEN}, stderr=subprocess.DEVNULL) as process:
        while is_live and not is_open(port):
            time.sleep(0.05)
        yield process, port
        process.terminate()


def is_open(port: int) -> bool:
    """Return whether somebody listens."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def ages(shown: list[tuple[float, str, str]], database: Path) -> Iterator[float]:
    """Yield how long before it was shown each heart rate had been received, in seconds."""
    names = "SELECT profile_id, max(name) AS name FROM member_events GROUP BY profile_id"
    query = f"SELECT name, bpm, epoch_ms(received_at) FROM heart_rate JOIN ({names}) USING (profile_id) ORDER BY rowid"
    received: dict[tuple[str, str], list[float]] = {}
    with duckdb.connect(str(database), read_only=True) as connection:
        for name, bpm, at_ms in connection.execute(query).fetchall():
            received.setdefault((name, str(bpm)), []).append(at_ms)
    for at_ms, name, bpm in shown:
        times = received.get((name, bpm), [])
        if place := bisect_right(times, at_ms):
            yield (at_ms - times[place - 1]) / 1000


def task_s(page: Page) -> float:
    """Return the CPU time of the page's process so far."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "ProcessTime"))


def browser_s() -> float:
    """Return the CPU time of the browser's processes so far."""
    found = [each for each in psutil.Process().children(recursive=True) if "chrom" in each.name()]
    return sum(sum(each.cpu_times()[:2]) for each in found)
