"""`pulsoid-rec simulate` as its user meets it: a process, its messages, its exit code."""

import http.client
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest
import trio
from command import PULSOID_REC, run_command, run_here
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
            await running.wait_for("--server ws://127.0.0.1:")
            match = re.search(r"--server ws://127.0.0.1:(\d+)\s", running.output)
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
        with pytest.raises(ConnectionRejected):
            async with open_client(running.port, path("gym"), BEARER):
                pass
        async with open_client(running.port, path("gym", access_token=token), {}) as websocket:
            received = await texts(websocket, 600)
            assert all(text.startswith('{"kind":"heart_rate",') for text in received)
            assert await closing(websocket) == (1001, "server is going away")
        assert await running.end() == 0
        assert "gym: client 1 connected for heart_rate\n" in running.output
        assert running.output.count(token) == 1
        assert "gym: the play begins\n" in running.output
        assert "gym: the play is over after 600 readings\n" in running.output
        assert running.output.splitlines()[-1].startswith(
            "Played 600 readings and sent 600 messages over 1 connection (1 refused) in "
        )


async def renew(port: int) -> int:
    """Try to renew a token with what everybody knows; return the status of the answer."""
    form = {"refresh_token": DEMO_REFRESH_TOKEN, **asdict(DEMO_APPLICATION), "grant_type": "refresh_token"}

    def request() -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("POST", "/oauth2/token", body=urlencode(form))
        status = connection.getresponse().status
        connection.close()
        return status

    return await trio.to_thread.run_sync(request)


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
