"""`pulsoid-rec simulate` as its user meets it: a process, its messages, its exit code."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import trio
from command import PULSOID_REC, run_command, run_here
from recordings import make_recording, reading
from room_client import BEARER, closing, open_client, path, texts
from trio_websocket import ConnectionRejected

from pulsoid_rec.recorder.simulator.tokens import DEMO_APPLICATION, DEMO_REFRESH_TOKEN, DEMO_TOKEN

pytestmark = pytest.mark.process

CSV = "time_s,member,bpm\n" + "".join(
    f"{second},{member},{70 + second % 50}\n" for second in range(300) for member in "ab"
)


@dataclass
class Running:
    """A simulator in a process of its own, and its output so far."""

    process: trio.Process
    output: str = ""
    port: int = 0
    _more: trio.Event = field(default_factory=trio.Event)
    _ended: trio.Event = field(default_factory=trio.Event)

    async def read(self) -> None:
        assert self.process.stderr is not None
        async for piece in self.process.stderr:
            self.output += piece.decode()
            self._more.set()
            self._more = trio.Event()
        self._ended.set()

    async def wait_for(self, words: str) -> None:
        with trio.fail_after(10):
            while words not in self.output:
                await self._more.wait()

    async def end(self) -> int:
        """Wait for it to end, and read its last messages; return its exit code."""
        with trio.fail_after(10):
            code = await self.process.wait()
            await self._ended.wait()
        return code

    async def close(self) -> None:
        assert self.process.stderr is not None
        await self.process.stderr.aclose()


@asynccontextmanager
async def simulate(*arguments: str) -> AsyncIterator[Running]:
    command = [*PULSOID_REC, "simulate", "--port", "0", *arguments]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    running = Running(process)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(running.read)
            await running.wait_for("/control")
            match = re.search(r"--server wss?://127.0.0.1:(\d+)\s", running.output)
            assert match is not None
            running.port = int(match[1])
            yield running
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            process.kill()
            await process.wait()
            await running.close()


NO_SIGNALS = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signals to single processes")


async def test_replay_is_for_those_who_know_its_new_token_and_played_once_ends_after_every_reading(
    tmp_path: Path,
) -> None:
    file = tmp_path / "match.csv"
    file.write_text(CSV, encoding="utf-8")
    async with simulate("--room", "gym", "--replay", str(file), "--speed", "600", "--once") as running:
        shown = re.search(r"PULSOID_TOKEN=(\S+)|PULSOID_TOKEN = '(\S+)'", running.output)
        assert shown is not None
        token = shown[1] or shown[2]
        assert token != DEMO_TOKEN
        assert await renew(running.port) == 400
        login = urlencode({"client_id": DEMO_APPLICATION.client_id, "scope": "data:room:read"})
        assert (await request(running.port, "POST", "/oauth2/device_authorization", login))[0] == 400
        with pytest.raises(ConnectionRejected):
            async with open_client(running.port, path("gym"), BEARER):
                pass
        async with open_client(running.port, path("gym", access_token=token), {}) as websocket:
            received = await texts(websocket, 600)
            assert all(text.startswith('{"kind":"heart_rate",') for text in received)
            assert await closing(websocket) == (1001, "server is going away")
        assert await running.end() == 0
        assert "gym: client 1 connected for heart_rate\n" in running.output
        assert running.output.count(token) == 3  # in the lines to copy, and in no other
        assert "gym: the play begins\n" in running.output
        assert "gym: the play is over after 600 readings\n" in running.output
        assert running.output.splitlines()[-1].startswith(
            "Played 600 readings and sent 600 messages over 1 connection (1 refused) in "
        )


@pytest.mark.slow
async def test_a_replay_is_not_to_be_recorded_into_the_recording_that_it_comes_from(tmp_path: Path) -> None:
    recording = make_recording(tmp_path / "a.duckdb", [reading(second, 80) for second in range(3)])
    async with simulate("--replay", str(recording)) as running:
        assert " --db replayed.duckdb\n" in running.output


ROOM_PATH = path("demo", kinds="room_updated")


@pytest.mark.slow
async def test_tokens_of_every_kind_are_refused_as_pulsoid_does() -> None:
    kinds = {"stranger": (403, None, 200), "no-scope": (401, 7008, 200), "no-plan": (401, 7007, 402)}
    kinds["expired"] = (401, 7006, 403)
    tokens = [option for kind in kinds for option in ("--token", f"{kind}:a-{kind}")]
    async with simulate(*tokens, "--fault", "expire:60") as running:
        for kind, (status, code, checked) in kinds.items():
            bearer = {"Authorization": f"Bearer a-{kind}"}
            with pytest.raises(ConnectionRejected) as caught:
                async with open_client(running.port, ROOM_PATH, bearer):
                    pass
            assert caught.value.status_code == status
            assert json.loads(caught.value.body or b"{}").get("error_code") == code
            answer = await request(running.port, "GET", "/api/v1/token/validate", headers=bearer)
            assert answer[0] == checked
            assert answer[1].get("error_code") == (code if checked > 200 else None)
        async with open_client(running.port, ROOM_PATH, BEARER):  # the demo's own is still there
            await running.wait_for("client 1 connected")
        assert "a-stranger" not in running.output


@pytest.mark.slow
async def test_events_come_at_their_seconds_and_the_printed_lines_show_and_change_the_room(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("time_s,member,bpm\n0,Ada,70\n1,Ada,71\n", encoding="utf-8")
    events = ("--event", "4:rename:Ada:Ada B.", "--event", "2:remove:Nobody", "--event", "3:join:Zoe")
    async with simulate("--replay", str(file), "--speed", "20", *events) as running:
        url = re.search(r'npx wscat -c "ws://127.0.0.1:\d+(/[^"]+)"', running.output)
        curl = re.search(r'curl "http://127.0.0.1:\d+(/control)" -H "(\w+): ([^"]+)" -d (\S+)', running.output)
        assert url is not None
        assert curl is not None
        async with open_client(running.port, url[1], {}) as websocket:
            received = [json.loads(text) for text in await texts(websocket, 6)]
            assert await request(running.port, "POST", curl[1], curl[4], {curl[2]: curl[3]}) == (
                200,
                {"room": "demo", "event": "close:1012", "connections": 1},
            )
        kinds = [message["kind"].removeprefix("room_") for message in received]
        assert kinds == ["updated", "member_updated", "heart_rate", "heart_rate", "member_updated", "member_updated"]
        assert [message[message["kind"]]["config"]["name"] for message in received[-2:]] == ["Zoe", "Ada B."]
        assert "demo: No member of demo is called 'Nobody'. Its members: Owner, Ada." in running.output


@pytest.mark.slow
async def test_tls_is_trusted_by_the_file_that_it_prints_and_removes_at_the_end(tmp_path: Path) -> None:
    async with simulate("--tls", "--members", "1") as running:
        shown = re.search(r"SSL_CERT_FILE=(\S+ca\.pem)|SSL_CERT_FILE = '(\S+ca\.pem)'", running.output)
        assert shown is not None
        authority = Path(shown[1] or shown[2])
        if os.name == "posix":
            assert authority.parent.stat().st_mode & 0o777 == 0o700
        assert "PRIVATE KEY" not in authority.read_text(encoding="ascii")
        server, database = f"wss://localhost:{running.port}", tmp_path / "a.duckdb"
        arguments = ("record", "demo", "--server", server, "--db", database, "--duration", "2")
        done = await trio.to_thread.run_sync(
            lambda: run_command(*arguments, PULSOID_TOKEN=DEMO_TOKEN, SSL_CERT_FILE=str(authority))
        )
        assert done.returncode == 0, done.stderr
        assert re.search(r"Recorded [1-9]\d* readings? of 1 member", done.stderr)
        if os.name == "posix":
            running.process.terminate()
            assert await running.end() == 0
            assert not authority.parent.exists()


def test_tls_without_its_extra_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    done = run_here("simulate", "--tls", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "pulsoid-rec: --tls needs trustme. Install it with `pip install 'pulsoid-rec[tls]'`.\n"


async def request(
    port: int, method: str, where: str, body: str | None = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """Send a plain HTTP request; return status and content of the answer."""

    def send() -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request(method, where, body=body, headers=headers or {})
        response = connection.getresponse()
        content = json.loads(response.read())
        connection.close()
        return response.status, content

    return await trio.to_thread.run_sync(send)


async def renew(port: int) -> int:
    """Try to renew a token with what everybody knows; return the status of the answer."""
    form = {"refresh_token": DEMO_REFRESH_TOKEN, **asdict(DEMO_APPLICATION), "grant_type": "refresh_token"}

    status, _ = await request(port, "POST", "/oauth2/token", urlencode(form))
    return status


@NO_SIGNALS
async def test_sigterm_ends_it_in_good_order_with_one_line_of_totals() -> None:
    async with simulate("--members", "3", "--speed", "60", "--room", "gym") as running:
        async with open_client(running.port, path("gym"), BEARER) as websocket:
            assert "heart_rate" in str(await websocket.get_message())
            running.process.terminate()
            assert await running.end() == 0
        assert running.output.splitlines()[-1].startswith("Played ")
        assert "Traceback" not in running.output


@NO_SIGNALS
async def test_interrupt_ends_it_before_anybody_came() -> None:
    async with simulate() as running:
        running.process.send_signal(signal.SIGINT)
        assert await running.end() == 0
        assert "Played 0 readings and sent 0 messages over 0 connections in " in running.output


async def test_record_command_it_prints_is_shown_for_every_room_and_a_given_token_is_not() -> None:
    rooms = ("--room", "gym", "--room", "my room", "--room", "gym")
    async with simulate(*rooms, "--token", "sesame-42", "--cors") as running:
        assert running.output.count(" gym") == 1
        assert "'my room'" in running.output
        assert "PULSOID_TOKEN" in running.output
        every = "heart_rate,room_member_updated,room_member_removed,room_updated"
        page = {"Origin": "https://own.example"}
        async with open_client(running.port, path("gym", access_token="sesame-42", kinds=every), page):
            await running.wait_for("gym: client 1 connected for all kinds\n")
        assert "sesame" not in running.output
        assert await renew(running.port) == 400
    async with simulate() as running:
        assert "demo-token" in running.output
        assert await renew(running.port) == 200


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "--port"),
        (["--members", "0"], "--members"),
        (["--speed", "0"], "--speed is 0."),
        (["--speed", "-1"], "--speed is -1."),
        (["--speed", "nan"], "--speed is nan."),
        (["--duration", "0"], "--duration is 0."),
        (["--room", ""], "A room's id is empty."),
        (["--token", ""], "--token is empty"),
        (["--token", "two words"], "has characters that no token has"),
        (["--replay", "nowhere.csv"], "Cannot read the replay nowhere.csv: no such file or directory."),
        (["--replay", "x.csv", "--members", "2"], "--members and --replay are both given"),
        (["--fault", "flood:1"], "There is no fault 'flood:1'"),
        (["--token", "a", "--token", "stranger:a"], "A --token is given twice"),
        (["--token", "strager:a"], "--token has no kind 'strager'. Write KIND:TEXT; the kinds are stranger, no-scope"),
        (["--token", "expired:"], "--token is empty"),
        (["--event", "remove:Ada"], "The event 'remove:Ada' does not begin with its time"),
        (["--event", "5:jump"], "The event 'jump' is none. Write one of join:NAME"),
        (["--event", "60:binary", "--duration", "60"], "An --event is at 60 s, when the play has ended"),
        (["--event", "3600:binary", "--speed", "2"], "An --event is at 3600 s, when the play has ended"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = run_here("simulate", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.startswith("pulsoid-rec: ")
    assert done.stderr.count("\n") == 1
    assert not done.stdout


async def test_port_in_use_is_reported_with_what_to_do() -> None:
    async with simulate() as running:
        port = str(running.port)
        done = await trio.to_thread.run_sync(lambda: run_command("simulate", "--port", port))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"pulsoid-rec: Cannot listen on port {port}: it is in use. Choose another with --port, or 0 for any free one."
    )
    assert done.stderr.count("\n") == 1


def test_help_names_units_and_every_fault() -> None:
    text = " ".join(run_here("simulate", "--help").stdout.replace("│", " ").split())
    for words in ("(seconds, may be fractional)", "(beats per minute)", "for 3600 s"):
        assert words in text
    for fault in ("drop:S", "stall:S", "expire:S", "refuse:STATUS", "garbage:N", "repeat:N"):
        assert fault in text
