"""The live page in a real browser, of a real recorder that records from a simulator.

The recorder begins on a recording that is there already: of Ada, with a gap of a minute, until half a minute ago.
"""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from live_stage import ROOM, LiveRecorder, Room, open_browser, open_room, until
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from recordings import Reading, make_recording

pytestmark = pytest.mark.process

HOSTILE = "<img src=x onerror=alert(1)>&amp;<b>"
MEMBERS_TOML = """
[ada]
name = "Ada"
hr_max = 190
[zoe]
name = "Zoe"
"""
GAP_S = (180, 240)  # ago, as the recorder starts
LINE_S = 300  # that a tile shows
FAST_CLOCK = "{ const now = Date.now; Date.now = () => now() + 3_600_000; }"
"""The viewer's clock is an hour fast, which nobody is to notice."""


@dataclass
class Stage:
    """What the tests share: they look at one page, one after another."""

    room: Room
    recorder: LiveRecorder
    database: Path
    browser: Browser
    page: Page
    started_at: datetime
    asked: set[str] = field(default_factory=set)
    said: list[str] = field(default_factory=list)

    def tile(self, name: str) -> str:
        return f"#tiles li:has(button:text-is({json.dumps(name)}))"

    def bpm(self, name: str) -> str:
        return f"{self.tile(name)} .bpm"

    def rows(self, query: str) -> list[tuple[object, ...]]:
        try:
            with duckdb.connect(self.database, read_only=True) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                return connection.execute(query).fetchall()
        except duckdb.IOException:  # the recorder has it for a moment
            return []


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("live")
    database = folder / "pulsoid.duckdb"
    (folder / "members.toml").write_text(MEMBERS_TOML, encoding="utf-8")
    now = datetime.now(UTC)
    make_earlier_recording(database, now)
    with sync_playwright() as playwright, open_room() as room:
        browser = open_browser(playwright)
        recorder = LiveRecorder(database, room)
        try:
            recorder.start()
            page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
            page.add_init_script(FAST_CLOCK)
            stage = Stage(room, recorder, database, browser, page, now)
            page.on("request", lambda request: stage.asked.add(request.url))
            page.on("console", lambda message: stage.said.append(described(message)))
            page.on("pageerror", lambda error: stage.said.append(str(error)))
            page.goto(recorder.url)
            yield stage
        finally:
            recorder.close()
            browser.close()


def described(message: ConsoleMessage) -> str:
    return f"{message.type}: {message.text}"


def make_earlier_recording(database: Path, now: datetime) -> None:
    seconds = [ago for ago in range(400, 30, -1) if not GAP_S[0] <= ago <= GAP_S[1]]
    times = [now - timedelta(seconds=ago) for ago in seconds]
    make_recording(
        database,
        [Reading(ROOM, "ada", 90 + ago % 7, at, at) for ago, at in zip(seconds, times, strict=True)],
        connection_events=[(ROOM, "c1", "opened", times[0], None, None), (ROOM, "c1", "closed", times[-1], 1000, None)],
    )


def test_a_tile_shows_what_was_sent(stage: Stage) -> None:
    for bpm in (120, 171, 150):
        stage.room.send("ada", bpm)
        time.sleep(0.002)  # a reading each millisecond at most
    tile = stage.page.locator(stage.tile("Ada"))
    expect(tile.locator(".bpm")).to_have_text("150")
    expect(tile.locator(".zone")).to_have_text("3")  # from 133, of 190
    expect(tile.locator(".range")).to_have_text("120 to 171")
    expect(tile.locator(".age")).to_have_text(re.compile(r"^(now|[1-4] s ago)$"))
    expect(stage.page.locator("#absent")).to_have_text(re.compile("Zoe$"))


def test_a_gap_of_what_was_recorded_before_stays_a_gap(stage: Stage) -> None:
    """Where nothing was heard, no pixel of the line is drawn; before and after it some are."""
    script = """canvas => {
        const { width, height } = canvas;
        const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0);
        const pixels = copy.getImageData(0, 0, width, height).data;
        const isDrawn = (x) => Array.from({ length: height }, (_, y) => pixels[(y * width + x) * 4 + 3]).some(Boolean);
        return Array.from({ length: width }, (_, x) => isDrawn(x));
    }"""
    canvas = stage.page.locator(stage.tile("Ada")).locator("canvas")
    until(lambda: any(canvas.evaluate(script)), "the line is drawn")
    drawn: list[bool] = canvas.evaluate(script)
    ago_s = (datetime.now(UTC) - stage.started_at).total_seconds()

    def share(since_s: float, until_s: float) -> float:
        """Look at the columns between two times ago, as the recorder started."""
        columns = [int(len(drawn) * (1 - (ago + ago_s) / LINE_S)) for ago in (since_s, until_s)]
        part = drawn[max(columns[0], 0) : columns[1]]
        return sum(part) / len(part)

    assert share(GAP_S[1] - 6, GAP_S[0] + 6) == 0
    assert share(GAP_S[0] - 6, 40) == 1


def test_a_name_is_text_whatever_it_says(stage: Stage) -> None:
    stage.room.name("mallory", HOSTILE)
    stage.room.send("mallory", 88)
    name = stage.page.locator("#tiles .name", has_text="<img")
    expect(name).to_have_text(HOSTILE)
    assert stage.page.locator("img, b:not(.bpm)").count() == 0


def test_sorted_by_bpm_the_highest_is_first(stage: Stage) -> None:
    stage.room.name("mallory", HOSTILE)
    for name, bpm in (("mallory", 88), ("ben", 155), ("cleo", 165), ("ada", 100)):
        stage.room.send(name, bpm)
    expect(stage.page.locator(stage.bpm("cleo"))).to_have_text("165")
    names = stage.page.locator("#tiles .name")
    expect(names).to_have_text([HOSTILE, "Ada", "ben", "cleo"])
    stage.page.select_option("#sort", "bpm")
    expect(names).to_have_text(["cleo", "ben", "Ada", HOSTILE])
    stage.page.select_option("#sort", "name")
    expect(names).to_have_text([HOSTILE, "Ada", "ben", "cleo"])


def test_nobody_changes_places_for_less_than_three_bpm(stage: Stage) -> None:
    script = """async (bpms) => {
        const { sortMembers } = await import("SORTING");
        const member = (bpm, member) => ({ member, name: `${member}`, bpm, at: 99_000, times: [99_000], bpms: [bpm] });
        const first = sortMembers(bpms[0].map(member), "bpm", [], 100_000).map((each) => each.member);
        return [first, sortMembers(bpms[1].map(member), "bpm", first, 100_000).map((each) => each.member)];
    }"""
    sorting = stage.page.locator("script[src]").evaluate("script => new URL('sorting.js', script.src).href")
    bpms = [[100, 101, 90, 150], [100, 98, 102, 140]]
    first, then = stage.page.evaluate(script.replace("SORTING", sorting), bpms)
    assert first == [3, 1, 0, 2]
    assert then == [3, 2, 1, 0]  # 102 passed 98, and with it 100; but 100 does not pass 98


def test_a_moment_marked_in_the_browser_is_recorded_as_of_the_key_press(stage: Stage) -> None:
    before = datetime.now(UTC)
    stage.page.keyboard.press("m")
    after = datetime.now(UTC)
    stage.page.wait_for_timeout(400)
    stage.page.keyboard.type("goal <b>")
    stage.page.keyboard.press("Enter")
    expect(stage.page.locator("#toast")).to_contain_text(re.compile(r"Marked \d\d:\d\d:\d\d goal <b>"))
    stage.page.click("#toast button")
    expect(stage.page.locator("#toast")).to_contain_text("Undone: goal <b>")
    query = "SELECT label, kind, marked_at, profile_id, source FROM marks ORDER BY rowid"
    until(lambda: len(stage.rows(query)) == 2, "the mark and its undo are in the database")
    (label, kind, marked_at, profile_id, source), (_, undo, *_) = stage.rows(query)
    assert (label, kind, profile_id, source, undo) == ("goal <b>", "mark", None, "page", "undo")
    assert isinstance(marked_at, datetime)
    assert before - timedelta(seconds=0.05) <= marked_at <= after + timedelta(seconds=0.2)


def test_a_letter_typed_into_a_field_marks_nothing(stage: Stage) -> None:
    stage.page.keyboard.press("p")
    assert stage.page.locator("input[value=phase]").is_checked()
    stage.page.keyboard.type("map m")
    expect(stage.page.locator("#mark-label")).to_have_value("map m")
    stage.page.keyboard.press("Escape")
    assert not stage.page.locator("#mark-dialog").is_visible()


def test_dark_is_what_the_system_prefers_or_the_viewer_chooses(stage: Stage) -> None:
    paper = stage.page.locator("html")
    expect(paper).to_have_css("background-color", "rgb(253, 252, 250)")
    stage.page.emulate_media(color_scheme="dark")
    expect(paper).to_have_css("background-color", "rgb(21, 24, 28)")
    stage.page.click("#theme")
    expect(paper).to_have_css("background-color", "rgb(253, 252, 250)")


def test_a_member_that_falls_silent_is_said_to_be(stage: Stage) -> None:
    expect(stage.page.locator(stage.tile("Ada")).locator(".age")).to_have_text(
        re.compile(r"^no reading for \d+ s$"), timeout=10_000
    )
    expect(stage.page.locator(stage.tile("Ada"))).to_have_class(re.compile("stale"))


def test_an_overlay_shows_those_it_names_on_nothing(stage: Stage) -> None:
    stage.room.send("cleo", 90)
    stage.room.send("ada", 133)
    page = stage.browser.new_page(viewport={"width": 400, "height": 120})
    page.goto(f"{stage.recorder.url}?overlay=CLEO,ada")
    expect(page.locator("#overlay li")).to_have_text([re.compile("cleo"), re.compile("Ada1333")])
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
    assert page.screenshot(omit_background=True)
    page.close()


def test_forty_members_fit_on_a_television(stage: Stage) -> None:
    page = stage.browser.new_page(viewport={"width": 1920, "height": 1080})
    page.goto(stage.recorder.url)
    expect(page.locator("#tiles li").first).to_be_visible()
    for number in range(40 - page.locator("#tiles li").count()):  # those of other tests may be there
        stage.room.send(f"member {number}", 100 + number)
    expect(page.locator("#tiles li")).to_have_count(40)
    boxes = page.evaluate("""[...document.querySelectorAll("#tiles li, #chart")]
        .map((node) => node.getBoundingClientRect())
        .map(({ right, bottom, width, height }) => ({ right, bottom, width, height }))""")
    assert all(box["right"] <= 1920 and box["bottom"] <= 1080 and box["height"] > 100 for box in boxes)
    assert page.evaluate("document.documentElement.scrollHeight") == 1080
    sizes = page.evaluate(
        "[...document.querySelectorAll('.bpm')].map((node) => parseFloat(getComputedStyle(node).fontSize))"
    )
    assert min(sizes) >= 50  # pixels: 4 cm on a screen of 1.2 m
    page.close()


def test_it_asks_nobody_else_and_its_console_is_silent(stage: Stage) -> None:
    assert stage.asked
    assert {url for url in stage.asked if not url.startswith(stage.recorder.url)} == set()
    assert stage.said == []


def test_a_broken_connection_costs_no_reading_and_doubles_none(stage: Stage) -> None:
    """The browser's connection ends while the recorder goes on; what came meanwhile is there after it."""
    page = stage.browser.new_page()
    page.add_init_script(
        "window.EventSource = class extends EventSource { constructor(u) { super(u); window.source = this; } }"
    )
    page.goto(stage.recorder.url)
    page.evaluate("""async () => {
        const { Recording } = await import("/recording.js");
        const { change } = Recording.prototype;
        Recording.prototype.change = function (update) { window.recording = this; return change.call(this, update); };
    }""")
    readings = """() => {
        const [ada] = [...(window.recording?.members.values() ?? [])].filter(({ name }) => name === "Ada");
        return (ada?.times ?? []).map((at, i) => [at, ada.bpms[i]]); }"""

    def send_and_wait(bpms: list[int]) -> list[list[int]]:
        for bpm in bpms:
            stage.room.send("ada", bpm)
            time.sleep(0.002)
        until(lambda: [bpm for _, bpm in page.evaluate(readings)][-len(bpms) :] == bpms, "they are on the page")
        found: list[list[int]] = page.evaluate(readings)
        return found

    before = send_and_wait([131, 132])
    page.evaluate("source.close()")
    for bpm in (133, 134):
        stage.room.send("ada", bpm)
        time.sleep(0.002)
    until(lambda: page.evaluate("source.readyState === EventSource.OPEN"), "it is connected anew")
    after = send_and_wait([135])
    assert after[: len(before)] == before
    assert [bpm for _, bpm in after[len(before) :]] == [133, 134, 135]
    expect(page.locator("#lost")).to_be_hidden()
    page.close()


def test_a_recorder_that_is_gone_is_told_at_once_and_found_again(stage: Stage) -> None:
    stage.room.send("ben", 111)
    expect(stage.page.locator(stage.bpm("ben"))).to_have_text("111")
    stage.recorder.end()
    expect(stage.page.locator("#lost")).to_be_visible(timeout=1000)
    expect(stage.page.locator(stage.tile("ben"))).to_be_visible()
    stage.recorder.start()
    expect(stage.page.locator("#lost")).to_be_hidden()
    stage.room.send("ben", 112)
    expect(stage.page.locator(stage.bpm("ben"))).to_have_text("112")
