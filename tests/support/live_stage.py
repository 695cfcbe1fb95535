"""A room on a simulator, a recorder of it that shows it live, and a browser to look at the page with."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from command import PULSOID_REC
from playwright.sync_api import Browser, Playwright
from simulator_control import ControlledSimulator, open_simulator

from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

ROOM = "demo"
SWITCHES = ("no-sandbox", "disable-gpu", "disable-background-networking", "disable-component-update", "disable-sync")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def open_browser(playwright: Playwright) -> Browser:
    """Start Chromium, or skip the test where there is none."""
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium is installed to look at the page with")
    switches = [f"--{switch}" for switch in (*SWITCHES, "no-first-run")]
    return playwright.chromium.launch(executable_path=found, args=switches)


class Room:
    """A simulator that runs in a thread of its own, and is told from the test's what to send."""

    def __init__(self, simulator: ControlledSimulator, token: trio.lowlevel.TrioToken) -> None:
        self.url = simulator.url
        self._simulator = simulator
        self._token = token

    def send(self, profile_id: str, bpm: int) -> None:
        trio.from_thread.run(self._simulator.send_heart_rate, ROOM, profile_id, bpm, trio_token=self._token)

    def name(self, profile_id: str, name: str) -> None:
        trio.from_thread.run(self._simulator.update_member, ROOM, profile_id, {"name": name}, trio_token=self._token)

    @property
    def members(self) -> set[str]:
        return set(self._simulator.server.rooms[ROOM].members)

    def expire(self, access_token: str) -> None:
        trio.from_thread.run(self._simulator.expire_token, access_token, trio_token=self._token)

    def wait_for_recorder(self) -> None:
        trio.from_thread.run(self._simulator.wait_for_clients, ROOM, trio_token=self._token)


@contextmanager
def open_room(config: SimulatorConfig | None = None) -> Iterator[Room]:
    """Serve a room, by default a silent one, until the block ends."""
    served = config or SimulatorConfig(rooms={ROOM: None})
    opened: list[Room] = []
    is_open, is_over = threading.Event(), trio.Event()

    async def serve() -> None:
        async with open_simulator(served) as simulator:
            opened.append(Room(simulator, trio.lowlevel.current_trio_token()))
            is_open.set()
            await is_over.wait()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    is_open.wait()
    try:
        yield opened[0]
    finally:
        opened[0]._token.run_sync_soon(is_over.set)
        thread.join()


class LiveRecorder:
    """`pulsoid-rec record --live`, as a process; can be ended and started anew on the same port."""

    def __init__(self, database: Path, room: Room) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._room = room
        self._command = [*PULSOID_REC, "record", ROOM, "--db", str(database), "--server", room.url]
        self._command += ["--live", str(self.port)]
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        variables = {key: value for key, value in os.environ.items() if not key.startswith("PULSOID")}
        self._process = subprocess.Popen(
            self._command, env=variables | {"PULSOID_TOKEN": DEMO_TOKEN}, stderr=subprocess.PIPE, text=True
        )
        self._room.wait_for_recorder()
        until(self._answers, "the page is served")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def end(self) -> str:
        """End it in good order; return what it said."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        _, said = self._process.communicate(timeout=20)
        assert self._process.returncode == 0, said
        self._process = None
        return said

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


def until(condition: Callable[[], Any], what: str, within_s: float = 15) -> None:
    """Wait for something to become true."""
    ends_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends_at, f"it did not happen: {what}"
        time.sleep(0.02)
