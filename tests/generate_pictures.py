"""The pictures in README.md. `make pictures` draws them, from people who are made up and a day that never changes.

`terminal.svg` is what a terminal shows, and a test compares it with what the program prints today. `report.png` is the
HTML report in a window of Chromium, which has to be installed, `live.png` the live page during it, and `responses.png`
the page of `responses` on the notebooks' sample.
"""

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import trio
from command import PULSOID_REC, run_command
from live_training import make_snapshot, serve
from playwright.sync_api import sync_playwright
from recordings import Reading, at, make_recording, reading
from rich.console import Console
from rich.text import Text

from pulsoid_rec.recorder.simulator.people import make_people, play_people

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "pictures"
ROOM = "training"
SEED = 11
PEOPLE = make_people(6, SEED, ROOM)
SESSION_S = 25 * 60
COLUMNS = 104
WINDOW = "1100,1625"
"""Width and height in CSS pixels: the page down to the charts of the members."""
RESPONSES_WINDOW = "1100,985"
"""The page down to what the chart's lines are."""

MARKS = (
    *((120, "phase", "warm-up"), (500, "phase", "first half"), (900, "phase", "break"), (1040, "phase", "second half")),
    *((700, "mark", "goal"), (1250, "mark", "time out")),
)
"""Seconds after the start, kind and label."""

LIVE_S = 1362
"""The second that the live page shows."""

SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font: {char_height}px/{line_height}px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""As rich's own, but with fonts that are on the computer: rich's asks a server for one."""


def make_training(folder: Path) -> Path:
    """Make a recording of a training session, with `members.toml` beside it."""
    configs = [
        (ROOM, person.profile_id, "updated", f'{{"name": "{person.name}"}}', at(0), at(0), "c1") for person in PEOPLE
    ]
    connections = [(ROOM, "c1", "opened", at(-5), None, None), (ROOM, "c1", "closed", at(SESSION_S + 5), 1000, None)]
    database = make_recording(
        folder / "pulsoid.duckdb",
        training(),
        member_events=configs,
        room_events=[(ROOM, '{"name": "Team training"}', at(-5), at(-5), "c1")],
        connection_events=connections,
    )
    (folder / "members.toml").write_text(members_toml(), encoding="utf-8")
    return database


def training() -> Iterator[Reading]:
    """Play the session: one member comes late, and the sensor of another slips more and more often."""
    late, slipping = PEOPLE[1].profile_id, PEOPLE[-1].profile_id
    played = play_people(len(PEOPLE), SEED, ROOM).readings
    for each in takewhile(lambda each: each.time_s < SESSION_S, played):
        slips = each.profile_id == slipping and 0 <= each.time_s % 120 - 40 < each.time_s / 20
        if not slips and (each.profile_id != late or each.time_s >= 190):
            yield reading(each.time_s, each.bpm, each.profile_id, ROOM)


def members_toml() -> str:
    """Write what only the members can know of themselves; the last one gives nothing."""
    return "\n".join(
        f'[{person.profile_id}]\nhr_max = {person.max_bpm:.0f}\nhr_rest = {person.rest_bpm:.0f}\nsex = "{sex}"\n'
        for person, sex in zip(PEOPLE[:-1], ("female", "male") * 3, strict=False)
    )


def draw_terminal(database: Path) -> str:
    """Draw what `pulsoid-rec report` shows on a terminal."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), legacy_windows=False)
    console.print(Text.assemble(("$ ", "green"), ("pulsoid-rec report", "bold")))
    console.print(Text.from_ansi(_shown_on_terminal("report", "--db", str(database))))
    return console.export_svg(title="", code_format=SVG, unique_id="terminal")


def _shown_on_terminal(*arguments: str) -> str:
    ours, its = os.openpty()
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PULSOID")}
    variables |= {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "TZ": "UTC", "PYTHONUTF8": "1"}
    variables.pop("NO_COLOR", None)
    with subprocess.Popen([*PULSOID_REC, *arguments], stdin=its, stdout=its, env=variables) as process:
        os.close(its)
        shown = b""
        while piece := _read(ours):
            shown += piece
    os.close(ours)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, arguments)
    return shown.decode().replace("\r\n", "\n").strip("\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 2**16)
    except OSError:  # what Linux says when the other side is closed
        return b""


def draw_report(database: Path, picture: Path) -> None:
    """Draw the HTML report as a browser shows it."""
    page = database.with_name("report.html")
    run_command("report", "--db", database, "-o", page, TZ="UTC").check_returncode()
    _draw_page(page, picture, WINDOW)


def draw_responses(folder: Path, picture: Path) -> None:
    """Draw the page of `responses` to the kills of the notebooks' sample."""
    folder = folder / "sample"  # with members of its own
    folder.mkdir()
    database, page = folder / "sample.duckdb", folder / "responses.html"
    subprocess.run([sys.executable, ROOT / "notebooks" / "make_sample.py", database], check=True)
    run_command("responses", "kill", "--db", database, "-o", page, TZ="UTC").check_returncode()
    _draw_page(page, picture, RESPONSES_WINDOW)


def _draw_page(page: Path, picture: Path, window: str) -> None:
    chromium = find_chromium()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        switches = [
            *("no-sandbox", "disable-gpu", "no-first-run", "disable-sync", "hide-scrollbars"),
            *("disable-background-networking", "disable-component-update", f"user-data-dir={profile}"),
            *(f"window-size={window}", "force-device-scale-factor=1.15", "virtual-time-budget=20000"),
        ]
        command = [chromium, "--headless", *(f"--{switch}" for switch in switches), f"--screenshot={picture}"]
        subprocess.run([*command, page.as_uri()], check=True, capture_output=True, timeout=120)


def draw_live(picture: Path) -> None:
    """Draw the live page as a browser shows it in the training's second half."""
    readings = [each for each in training() if each.occurred_at <= at(LIVE_S)]
    names = {person.profile_id: person.name for person in PEOPLE}
    marks = [(at(second), kind, label) for second, kind, label in MARKS]
    snapshot = trio.run(make_snapshot, readings, names, members_toml(), marks, "Team training")
    with serve(snapshot) as address, sync_playwright() as playwright:
        with playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"]) as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 800}, timezone_id="UTC")
            page.goto(address)
            page.select_option("#window", "20")
            page.wait_for_timeout(300)
            page.screenshot(path=picture)


def find_chromium() -> str:
    """Find Chromium, or end."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        sys.exit("Only terminal.svg was drawn: the others need Chromium. Install it, then run `make pictures` again.")
    return found


def main() -> None:
    """Draw the pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        database = make_training(Path(folder))
        (FOLDER / "terminal.svg").write_text(draw_terminal(database), encoding="utf-8")
        draw_report(database, FOLDER / "report.png")
        draw_responses(Path(folder), FOLDER / "responses.png")
    draw_live(FOLDER / "live.png")


if __name__ == "__main__":
    main()
