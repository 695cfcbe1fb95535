"""The live page's server beside a recorder in this process, and a client that follows it over a real socket."""

import http.client
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import trio
from recording_run import FAST, make_recorder

from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.live.server import LiveServer, open_listeners
from pulsoid_rec.recorder.recorder import Recorder


@dataclass
class Answer:
    """The answer to a request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Live:
    """A recorder with a live page."""

    recorder: Recorder
    server: LiveServer
    timings: Timings = field(default=FAST)

    @property
    def netloc(self) -> str:
        return urlsplit(self.server.url).netloc

    @property
    def port(self) -> int:
        return int(self.netloc.rpartition(":")[2])

    async def request(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str | None) -> Answer:
        """Send a request; headers are named with underscores, and None leaves one out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await trio.to_thread.run_sync(request, self.port, path, method, body, named)

    async def mark(self, content: object, **headers: str | None) -> Answer:
        body = json.dumps(content).encode()
        return await self.request("/marks", "POST", body, **{"content_type": "application/json", **headers})


def request(port: int, path: str, method: str, body: bytes | None, headers: Mapping[str, str | None]) -> Answer:
    """Send one request on a connection of its own."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.putrequest(method, path, skip_host="host" in headers)
        for name, value in headers.items():
            if value is not None:
                connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


class Follower:
    """Follows `/events`; `members` is what a page would have by now."""

    def __init__(self, port: int, path: str = "/events") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._connection.request("GET", path)
        self.answer = self._connection.getresponse()
        self.names: list[str] = []
        self.members: dict[int, dict[str, Any]] = {}
        self.marks: dict[str, dict[str, Any]] = {}
        self.rooms: dict[int, dict[str, Any]] = {}
        self.latest: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.answer.close()
        self._connection.close()

    def next(self) -> dict[str, Any]:
        """Wait for the next event, and take it in as the page does."""
        name = data = ""
        while line := self.answer.readline().decode().rstrip("\n"):
            kind, _, text = line.partition(": ")
            name, data = (text, data) if kind == "event" else (name, text)
        if not name:
            raise ConnectionError("the events have ended")
        event: dict[str, Any] = json.loads(data)
        self.names.append(name)
        self.latest = event
        if name == "snapshot":
            self.members, self.marks, self.rooms = {}, {}, {}
        for member in event.get("members", []):
            known = self.members.setdefault(member["member"], {"line": []})
            readings = sorted([*known["line"], *member.pop("line", []), *member.pop("new", [])])
            known.update(member, line=readings)
        self.rooms.update((room["room"], room) for room in event.get("rooms", []))
        for mark in event.get("marks", []):
            if mark["kind"] == "undo":
                self.marks.pop(mark["id"], None)
            else:
                self.marks[mark["id"]] = mark
        return event

    async def until(self, condition: Any, events: int = 100) -> dict[str, Any]:
        """Follow until something is true of this follower."""
        for _ in range(events):
            event = await trio.to_thread.run_sync(self.next)
            if condition(self):
                return event
        raise AssertionError("it did not happen")


@asynccontextmanager
async def live(
    server: str,
    database: Path,
    *rooms: str,
    host: str = "127.0.0.1",
    timings: Timings = FAST,
    limits: Limits = DEFAULT_LIMITS,
    consent_file: Path | None = None,
) -> AsyncIterator[Live]:
    """Record with a live page while the block runs, then end in good order."""
    async with open_listeners(host, 0) as listeners:
        recorder = make_recorder(server, database, *rooms, timings=timings, limits=limits, consent_file=consent_file)
        page = LiveServer(recorder, listeners, host, timings=timings, limits=limits)

        async def show(_recorder: Recorder) -> None:
            await page.run()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(recorder.run, show)
            yield Live(recorder, page, timings)
            recorder.stop.set()
