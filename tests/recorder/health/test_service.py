"""What systemd hears over its socket, and the watchdog that starves when nobody reads."""

import configparser
import os
import plistlib
import re
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import trio
from command import run_here
from numbered_server import open_numbered_server
from recorder_process import end, journal_of, start_recorder

from pulsoid_rec.recorder.connection.poller import Poller
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.health.judge import judge
from pulsoid_rec.recorder.health.service import Service, find_service

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform != "linux", reason="systemd is of Linux")]


class Systemd:
    """A stand-in for systemd's end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)
        self.heard: list[str] = []

    def hear(self) -> list[str]:
        """Return the lines that came since the last call."""
        lines: list[str] = []
        with suppress(BlockingIOError):
            while True:
                lines += self._socket.recv(4096).decode().split("\n")
        self.heard += lines
        return lines

    async def wait_for(self, line: str, within_s: float = 15) -> None:
        with trio.fail_after(within_s):
            while line not in self.hear():
                await trio.sleep(0.02)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@test-{secrets.token_hex(8)}"
    with closing(Systemd(name)) as stand_in:
        yield stand_in


def test_a_service_is_found_by_its_variables_and_anything_else_is_none() -> None:
    assert find_service({}) is None
    assert find_service({"NOTIFY_SOCKET": "vsock:2:1"}) is None
    for variables, watchdog_s in (
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
        ({"WATCHDOG_USEC": "9" * 400}, None),
    ):
        service = find_service({"NOTIFY_SOCKET": "/nowhere", **variables})
        assert service is not None
        with closing(service):
            assert service.watchdog_s == watchdog_s
            service.send("READY=1")  # nobody listens: nothing happens


async def test_the_watchdog_is_fed_by_who_reads_and_starves_without_though_the_timer_lives(systemd: Systemd) -> None:
    with closing(Service(systemd.address, watchdog_s=0.06)) as service:
        service.set_status("all is\nwell")
        service.set_status("all is\nwell")
        assert systemd.hear() == ["STATUS=all is well"]
        poller = Poller()
        async with trio.open_nursery() as timer:
            timer.start_soon(service.feed_watchdog, poller)
            async with trio.open_nursery() as reading:
                reading.start_soon(poller.run)
                await systemd.wait_for("WATCHDOG=1")
                await systemd.wait_for("WATCHDOG=1")
                reading.cancel_scope.cancel()
            systemd.hear()
            await trio.sleep(0.2)
            assert systemd.hear() == []
            async with trio.open_nursery() as reading:
                reading.start_soon(poller.run)
                await systemd.wait_for("WATCHDOG=1")
                reading.cancel_scope.cancel()
            timer.cancel_scope.cancel()


async def test_a_recorder_says_that_it_records_and_starves_the_watchdog_while_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "a.duckdb"
    with closing(Systemd(str(tmp_path / "notify"))) as systemd:
        monkeypatch.setenv("NOTIFY_SOCKET", systemd.address)
        monkeypatch.setenv("WATCHDOG_USEC", "600000")
        async with open_numbered_server(20) as server:
            process = start_recorder(database, server)
            await systemd.wait_for("READY=1")
            await systemd.wait_for("STATUS=1 of 1 room live")
            await systemd.wait_for("WATCHDOG=1")
            process.send_signal(signal.SIGSTOP)
            systemd.hear()
            await trio.sleep(0.9)
            assert systemd.hear() == []
            [stopped] = judge(database, Timings(stale_status_s=0.1))
            assert (stopped.state, stopped.pid) == ("unresponsive", process.pid)
            process.send_signal(signal.SIGCONT)
            await systemd.wait_for("WATCHDOG=1")
            ended = await end(process, signal.SIGTERM)
        systemd.hear()
        assert ended.code == 0, ended.said
        assert not journal_of(database).exists()
        assert "STOPPING=1" in systemd.heard


def test_the_units_of_the_documentation_are_what_the_command_and_the_system_take() -> None:
    page = (Path(__file__).parents[3] / "docs" / "service.md").read_text("utf-8")
    [unit] = re.findall(r"^```ini\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign] # systemd's names have capitals
    parsed.read_string(unit)
    assert parsed["Service"]["Type"] == "notify"
    assert float(parsed["Service"]["WatchdogSec"]) > 3 * Timings().pong_timeout_s
    [plist] = re.findall(r"^```xml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    known = run_here("record", "--help").stdout
    for words in (parsed["Service"]["ExecStart"].split(), plistlib.loads(plist.encode())["ProgramArguments"]):
        assert Path(words[0]).name == "pulsoid-rec"
        assert words[1:3] == ["record", "ROOM_ID"]
        assert all(word in known for word in words if word.startswith("--"))
