"""Kill login, refresh and logout at lines of their code, and see that no token is lost, or left where it should not be.

Run as a program of its own, since it forks: python kill_login.py FOLDER SEED TRIALS [keyring]. The simulator is a
process of its own. In a trial somebody logs in, logs in again, a recorder refreshes an expired token, and they log out;
each of these is killed at a random line, looked at, and done again to its end. With 0 trials there is one for each line
of the longest step. It prints the number of lines of each step, and the lines at which a refresh that was killed lost
its pair: only between the server's answer and the file, since the old pair has ended and the new one is nowhere yet.
"""

import os
import random
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import trio
from killed_child import in_child

from pulsoid_rec.recorder.connection.server_url import parse_server_url
from pulsoid_rec.recorder.contract.errors import RefusedError
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.disk import lock_file, replace
from pulsoid_rec.recorder.pulsoid import (
    credentials,
    device_login,
    login,
    saved_login,
    system_keyring,
    token_check,
    token_file,
    token_lock,
    token_refresh,
)
from pulsoid_rec.recorder.pulsoid.saved_login import find_credentials, login_path

_MODULES = [
    credentials, device_login, lock_file, login, replace, saved_login, system_keyring, token_check, token_file,
    token_lock, token_refresh,
]  # fmt: skip
_WATCHED = {module.__file__ for module in _MODULES}
_QUICK = Timings(shortest_login_poll_s=0.01, refresh_interval_s=0)
_SIMULATOR = """
import sys, trio
from pulsoid_rec.recorder.simulator.oauth import DeviceFlow
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig, open_simulator
async def main():
    async with open_simulator(SimulatorConfig(device_flow=DeviceFlow("approve", interval_s=0.01))) as server:
        print(server.url, flush=True)
        issued = server.server.tokens.issued
        while line := await trio.to_thread.run_sync(sys.stdin.readline):
            what, token = line.split()
            if what == "expire":
                issued[token] = (issued[token][0], 0)
            print(int(token in issued and issued[token][1] > trio.current_time()), flush=True)
trio.run(main)
"""
"""It answers `valid TOKEN` and `expire TOKEN` with 1 or 0, whether the token is valid."""


class Simulator:
    """The simulator's process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SIMULATOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.url = self._answer()

    def is_valid(self, token: str, what: str = "valid") -> bool:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what} {token}\n")
        self.process.stdin.flush()
        return self._answer() == "1"

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


class Trial:
    """A configuration folder, and what is done with it."""

    def __init__(self, folder: Path, simulator: Simulator, *, in_keyring: bool) -> None:
        folder.mkdir(parents=True)
        os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
        os.environ["PULSOID_TEST_KEYRING"] = str(folder / "keyring.json")
        self.folder, self.simulator, self.in_keyring = folder, simulator, in_keyring
        self.url = parse_server_url(simulator.url)
        self.seen: set[str] = set()

    def log_in(self) -> None:
        work = partial(login.log_in, in_keyring=self.in_keyring, timings=_QUICK)
        trio.run(work, self.url, "demo-client", lambda _: None)

    def refresh(self) -> None:
        async def work() -> None:
            refresh = token_refresh.TokenRefresh(self.url, find_credentials(None, self.url), _QUICK)
            with suppress(RefusedError):
                await refresh.check_or_replace()
                await refresh.confirm(await refresh.read_token())

        trio.run(work)

    def log_out(self) -> None:
        trio.run(partial(login.log_out, self.url, timings=_QUICK))

    def do(self, step: Callable[[], None], kill_at: int) -> None:
        """Do a step until it is killed, and look; without a kill, to its end."""
        in_child(step, _WATCHED, kill_at)
        self.saved()

    def saved(self) -> dict[str, Any] | None:
        """Return what is saved, which is whole; None if nothing is. Every file is its owner's alone."""
        config = self.folder / "config" / "pulsoid-rec"
        for path in (config, *config.glob("*")):
            assert not path.exists() or stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        path = login_path(self.url)
        system_keyring.read.cache_clear()
        if not path.exists():
            entries = self.folder / "keyring.json"
            assert not entries.exists() or "access_token" not in entries.read_text(), "an entry that nothing leads to"
            return None
        try:
            fields = token_file.read_fields(path)
        except system_keyring.NoEntryError:
            return None
        pairs = (fields, fields.get("previous", {}))
        self.seen |= {pair[name] for pair in pairs for name in ("access_token", "refresh_token") if name in pair}
        return fields

    def token(self) -> str:
        fields = self.saved()
        assert fields is not None, "the login is lost"
        return str(fields["access_token"])

    def left(self) -> list[Path]:
        """Return the files that have a token in them."""
        return [
            path
            for path in self.folder.rglob("*")
            if path.is_file() and any(token in path.read_text() for token in self.seen)
        ]


def run_trial(trial: Trial, kills: list[int]) -> bool:
    """Kill each step once; return whether the pair was lost in the refresh."""
    simulator = trial.simulator
    trial.do(trial.log_in, kills[0])
    trial.do(trial.log_in, 0)
    assert simulator.is_valid(trial.token())
    trial.do(trial.log_in, kills[1])
    assert simulator.is_valid(trial.token()), "a new login that was killed has cost the old one"
    simulator.is_valid(trial.token(), "expire")
    trial.do(trial.refresh, kills[2])
    trial.do(trial.refresh, 0)
    is_lost = not simulator.is_valid(trial.token())
    if is_lost:
        trial.do(trial.log_in, 0)
        assert simulator.is_valid(trial.token())
    last = trial.token()
    trial.do(trial.log_out, kills[3])
    assert trial.saved() is None or trial.token() == last
    trial.do(trial.log_out, 0)
    assert not simulator.is_valid(last)
    assert trial.saved() is None
    assert trial.left() == []
    assert not (trial.folder / "config" / "pulsoid-rec").exists()
    shutil.rmtree(trial.folder)
    return is_lost


def main(folder: Path, seed: int, trials: int, *, in_keyring: bool) -> None:
    os.umask(0o022)
    os.environ["PULSOID_CLIENT_SECRET"] = "demo-secret"
    rng = random.Random(seed)
    simulator = Simulator()
    whole = Trial(folder / "whole", simulator, in_keyring=in_keyring)
    lines: list[int] = []
    for step in (whole.log_in, whole.log_in, whole.refresh, whole.log_out):
        if step == whole.refresh:
            simulator.is_valid(whole.token(), "expire")
        in_child(step, _WATCHED, report_to=folder / "lines")
        lines.append(int((folder / "lines").read_text()))
    lost = []
    for number in range(trials or max(lines)):
        kills = [rng.randint(1, most) if trials else 1 + number % most for most in lines]
        trial = Trial(folder / str(number), simulator, in_keyring=in_keyring)
        if run_trial(trial, kills):
            lost.append(kills[2])
    simulator.process.kill()
    sys.stdout.write(f"{lines} {sorted(lost)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), in_keyring=sys.argv[4:] == ["keyring"])
