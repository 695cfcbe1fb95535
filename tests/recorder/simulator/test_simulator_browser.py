"""A page of another origin in a real browser, as overlays are: plain WebSocket and fetch, with `--cors` and without."""

import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_stage import ROOM, Room, open_browser, open_room
from playwright.sync_api import Page, expect, sync_playwright
from room_client import ALL_KINDS

from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN, OWNER_ID

pytestmark = [pytest.mark.process, pytest.mark.slow]

SCRIPT = """
const received = [];
const call = async (method, path, token, body) => {
  const headers = token ? {Authorization: `Bearer ${token}`, "Content-Type": "application/json"} : {};
  const response = await fetch(SERVER + path, {method, headers, body});
  return [response.status, await response.json()];
};
const connect = token => new Promise(done => {
  const url = SERVER.replace("http", "ws") + `/api/v2/data/rooms/demo/real_time?kinds=KINDS&access_token=${token}`;
  const socket = new WebSocket(url);
  socket.onopen = () => done("open");
  socket.onmessage = ({data}) =>
    received.push(data instanceof Blob ? {kind: "binary", size: data.size} : JSON.parse(data));
  socket.onclose = ({code, reason}) => { received.push({kind: "close", code, reason}); done("closed"); };
});
const take = async count => {
  for (let tries = 0; received.length < count && tries < 500; tries++) await new Promise(go => setTimeout(go, 10));
  return received.splice(0);
};
"""


class Overlay(http.server.BaseHTTPRequestHandler):
    """The page, as those who write one serve it on their machine."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>overlay</title>")

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with http.server.HTTPServer(("127.0.0.1", 0), Overlay) as overlay, sync_playwright() as playwright:
        browser = open_browser(playwright)
        thread = threading.Thread(target=overlay.serve_forever)
        thread.start()
        page = browser.new_page(base_url=f"http://localhost:{overlay.server_port}")
        try:
            yield page
        finally:
            browser.close()
            overlay.shutdown()
            thread.join()


def load(page: Page, room: Room) -> None:
    """Open the overlay anew, with its script for this server."""
    page.goto("/")
    server = room.url.replace("ws", "http", 1)
    page.add_script_tag(content=SCRIPT.replace("SERVER", f'"{server}"').replace("KINDS", ALL_KINDS))


def call(page: Page, method: str, path: str, token: str | None = DEMO_TOKEN, body: str | None = None) -> Any:
    return page.evaluate("a => call(...a)", [method, path, token, body])


def control(page: Page, event: str) -> Any:
    body: str = page.evaluate("event => JSON.stringify({event})", event)
    return call(page, "POST", "/control", body=body)[0]


def take(page: Page, count: int) -> list[dict[str, Any]]:
    taken: list[dict[str, Any]] = page.evaluate("count => take(count)", count)
    return taken


def test_an_overlay_gets_every_kind_steers_the_room_and_is_disconnected_by_a_removal_and_an_expiry(page: Page) -> None:
    with open_room(SimulatorConfig(rooms={ROOM: None}, admits_pages=True)) as room:
        load(page, room)
        status, content = call(page, "GET", "/api/v1/token/validate")
        assert (status, content["scopes"]) == (200, ["data:room:read"])
        assert page.evaluate("connect", DEMO_TOKEN) == "open"
        events = (
            "join:Zoe",
            "bpm:Zoe:121",
            "rename:Zoe:Zed",
            'room:{"name": "Final"}',
            'send:{"kind": "new"}',
            "binary",
        )
        assert [control(page, event) for event in (*events, "remove:Zed")] == [200] * 7
        received = take(page, 8)
        for message in received:
            message.pop("timestamp", None)
        assert received == [
            {"kind": "room_member_updated", "room_member_updated": {"profile_id": "Zoe", "config": {"name": "Zoe"}}},
            {"kind": "room_updated", "room_updated": {"room_id": ROOM, "config": {"name": "Room demo"}}},
            {"kind": "heart_rate", "heart_rate": {"profile_id": "Zoe", "bpm": 121}},
            {"kind": "room_member_updated", "room_member_updated": {"profile_id": "Zoe", "config": {"name": "Zed"}}},
            {"kind": "room_updated", "room_updated": {"room_id": ROOM, "config": {"name": "Final"}}},
            {"kind": "new"},
            {"kind": "binary", "size": 256},
            {"kind": "room_member_removed", "room_member_removed": {"profile_id": "Zoe"}},
        ]

        assert control(page, "remove:Owner") == 200
        removed, closed = take(page, 2)
        assert removed["room_member_removed"] == {"profile_id": OWNER_ID}
        assert closed == {"kind": "close", "code": 1008, "reason": "removed from the room"}
        assert page.evaluate("connect", DEMO_TOKEN) == "closed"  # 403, which a page does not see
        take(page, 1)

        assert control(page, "join:Owner") == 200
        assert page.evaluate("connect", DEMO_TOKEN) == "open"
        assert control(page, "close:1012") == 200
        assert take(page, 1) == [{"kind": "close", "code": 1012, "reason": "closed on request"}]
        assert page.evaluate("connect", DEMO_TOKEN) == "open"
        room.expire(DEMO_TOKEN)
        assert take(page, 1) == [{"kind": "close", "code": 1008, "reason": "token expired"}]
        expired = [403, {"error_code": 7006, "error_message": "token_expired"}]
        assert call(page, "GET", "/api/v1/token/validate") == expired


def test_an_overlay_can_read_every_refusal(page: Page) -> None:
    with open_room(SimulatorConfig(rooms={ROOM: None}, admits_pages=True)) as room:
        load(page, room)
        assert call(page, "GET", "/api/v1/token/validate", "nobody")[1]["error_code"] == 7005
        assert call(page, "POST", "/oauth2/token", body="grant_type=password") == [
            400,
            {"error": "unsupported_grant_type"},
        ]
        assert call(page, "POST", "/control", "nobody", "join:Zoe")[0] == 401
        assert call(page, "POST", "/control", body="jump:Zoe")[0] == 400
        assert call(page, "POST", "/control", body="x" * 100_000)[0] == 413
        assert call(page, "GET", "/control")[0] == 405
        assert call(page, "GET", "/nowhere")[0] == 404


def test_the_page_of_the_documentation_shows_the_room(page: Page, tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```html\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    with open_room(SimulatorConfig(rooms={ROOM: None}, admits_pages=True)) as room:
        file = tmp_path / "overlay.html"
        file.write_text(example.replace("ws://127.0.0.1:8765", room.url), encoding="utf-8")
        page.goto(file.as_uri())
        room.wait_for_recorder()
        room.send("user-1", 72)
        room.send("user-2", 180)
        room.name("user-1", "Ada")
        room.send("user-1", 73)
        expect(page.locator("li")).to_have_text(["Ada 73", "user-2 180"])


def test_without_cors_a_page_gets_nothing_and_changes_nothing(page: Page) -> None:
    with open_room() as room:
        load(page, room)
        assert page.evaluate("connect", DEMO_TOKEN) == "closed"
        for options in ("{}", f"{{headers: {{Authorization: 'Bearer {DEMO_TOKEN}'}}}}", "{mode: 'no-cors'}"):
            script = f"fetch(SERVER + '/control', {{method: 'POST', body: 'join:Zoe', ...{options}}})"
            script = script.replace("SERVER", f"'{room.url.replace('ws', 'http', 1)}'")
            page.evaluate(f"() => {script}.catch(error => error.name)")
        assert "Zoe" not in room.members
