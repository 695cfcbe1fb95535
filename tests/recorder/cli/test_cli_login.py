"""`pulsoid-rec login` and `logout` as their user meets them: what is shown, the exit code, and Ctrl-C."""

import json
import os
import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keyring
import pytest
import trio
from command import PULSOID_REC, run_here
from keyring.backends.fail import Keyring

from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS
from pulsoid_rec.recorder.pulsoid.login import log_in
from pulsoid_rec.recorder.simulator.oauth import DeviceFlow, DeviceMode
from pulsoid_rec.recorder.simulator.simulator import Simulator, SimulatorConfig, open_simulator
from pulsoid_rec.recorder.simulator.tokens import Token

pytestmark = pytest.mark.process
CLIENT = ("--client-id", "demo-client")


@contextmanager
def simulated(mode: DeviceMode = "approve") -> Iterator[Simulator]:
    """Simulate a server in a thread, since the command runs in this one."""
    opened: queue.Queue[tuple[Simulator, Callable[[], None]]] = queue.Queue()

    async def serve() -> None:
        with trio.CancelScope() as scope:
            async with open_simulator(SimulatorConfig(device_flow=DeviceFlow(mode, interval_s=0.01))) as simulator:
                token = trio.lowlevel.current_trio_token()
                opened.put((simulator, lambda: token.run_sync_soon(scope.cancel)))
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    simulator, stop = opened.get(timeout=10)
    try:
        yield simulator
    finally:
        stop()
        thread.join(10)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setitem(log_in.__kwdefaults__ or {}, "timings", replace(DEFAULT_TIMINGS, shortest_login_poll_s=0.01))
    return tmp_path / "config" / "pulsoid-rec"


def test_login_check_record_and_logout_one_after_the_other(folder: Path, tmp_path: Path) -> None:
    with simulated() as server:
        at = ("--server", server.url)
        done = run_here("login", *at, *CLIENT)
        assert done.returncode == 0
        assert "Open this page, in any browser:" in done.stderr
        assert "/oauth2/device_authorization_consent?user_code=" in done.stderr
        assert "Logged in at 127.0.0.1:" in done.stderr
        [file] = folder.iterdir()
        checked = run_here("login", "--check", *at)
        assert checked.returncode == 0
        assert checked.stdout.splitlines()[:4] == [
            f"server   {server.url}",
            f"token    in {file}",
            "profile  00000000-0000-4000-8000-000000000000",
            "scopes   data:room:read",
        ]
        assert "in 29 d 23 h, and may not be refreshed, since PULSOID_CLIENT_SECRET is not set" in checked.stdout
        checked = run_here("login", "--check", *at, PULSOID_CLIENT_SECRET="a-secret")
        assert "and is refreshed then" in checked.stdout
        again = run_here("login", *at)  # with the client id of the one before
        assert "You are logged in at" in again.stderr
        assert "already. A new login replaces that once it succeeds." in again.stderr
        tokens = json.loads(file.read_text())
        hint = run_here("login", *at, PULSOID_TOKEN="demo-token")
        assert "But PULSOID_TOKEN is set, and goes before it" in hint.stderr
        recorded = run_here("record", "demo", *at, "--db", tmp_path / "a.duckdb", "--duration", "0.5")
        assert recorded.returncode == 0, recorded.stderr
        out = run_here("logout", *at)
        assert out.stderr.endswith("Nothing of the login is left on this machine.\n")
        assert not folder.exists()
        assert "There is no login at 127.0.0.1:" in run_here("logout", *at).stderr
        said = "".join(each.stdout + each.stderr for each in (done, checked, again, hint, recorded, out))
        assert tokens["access_token"] not in said
        assert tokens["refresh_token"] not in said


@pytest.mark.parametrize(
    ("mode", "words"),
    [("deny", "Access was denied on the page"), ("expire", "The code expired before access was allowed")],
)
def test_a_login_that_is_denied_or_expires_is_one_sentence_and_exit_code_3(
    mode: DeviceMode, words: str, folder: Path
) -> None:
    with simulated(mode) as server:
        done = run_here("login", "--server", server.url, *CLIENT)
    assert done.returncode == 3
    assert f"pulsoid-rec: {words}" in done.stderr.splitlines()[-1]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ["login"],
            2,
            "needs the client id of an application of yours. Make one at https://pulsoid.net/ui/api-clients",
        ),
        (["login", "--check", "--keyring"], 2, "--check and --keyring are both given"),
        (["login", "--check"], 2, "There is no token. Log in with `pulsoid-rec login`"),
        (["login", "--server", "ws://192.0.2.1", *CLIENT], 2, "anybody on the way could take the token"),
        (["login", "--server", "ws://127.0.0.1:1", *CLIENT], 3, "Cannot log in: no connection to 127.0.0.1:1"),
        (["login", "--server", "ws://127.0.0.1:1", "--keyring", *CLIENT], 2, "keyring cannot be used"),
        (["login", "--token", "t"], 2, "No such option: --token"),
        (["logout", "--server", "http://x"], 2, "is not the URL of a WebSocket server"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: list[str], code: int, words: str) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())  # type: ignore[no-untyped-call] # of the library
    done = run_here(*arguments)
    keyring.set_keyring(before)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("unknown-token", "The token is unknown to the server. Log in again"),
        ("no-scope", "The token lacks the scope data:room:read. Get one with the scope"),
    ],
)
def test_a_check_of_a_token_that_cannot_record_ends_with_3(token: str, words: str) -> None:
    with simulated() as server:
        server.server.tokens.issued["no-scope"] = (Token("no-scope", scopes=("profile:read",)), 1e12)
        done = run_here("login", "--check", "--server", server.url, PULSOID_TOKEN=token)
    assert done.returncode == 3
    assert words in done.stderr
    assert ("scopes   profile:read" in done.stdout) == (token == "no-scope")


def test_a_check_that_reaches_no_server_says_why() -> None:
    done = run_here("login", "--check", "--server", "ws://127.0.0.1:1", PULSOID_TOKEN="a-token")
    assert (done.returncode, done.stdout) == (3, "")
    assert re.fullmatch(
        r"pulsoid-rec: The token could not be checked: no connection to 127\.0\.0\.1:1: .+\. Try again later\.\n",
        done.stderr,
    )


def test_a_server_that_says_the_token_back_or_controls_a_terminal_shows_neither() -> None:
    echo = Token("echoed-token-0123", profile_id="\x1b[2Jechoed-token-0123\nforged", scopes=("data:room:read", "a\nb"))
    with simulated() as server:
        server.server.tokens.issued[echo.access_token] = (echo, 1e12)
        done = run_here("login", "--check", "--server", server.url, PULSOID_TOKEN=echo.access_token)
    assert done.returncode == 0
    assert "profile  \N{REPLACEMENT CHARACTER}[2J[secret]\N{REPLACEMENT CHARACTER}forged\n" in done.stdout
    assert done.stdout.count("\n") == 5


@pytest.mark.skipif(os.name != "posix", reason="it interrupts with a POSIX signal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_it_waits_is_a_clean_end_and_others_see_no_secret(number: signal.Signals, folder: Path) -> None:
    with simulated("ask") as server:
        process = subprocess.Popen(
            [*PULSOID_REC, "login", "--server", server.url, *CLIENT], stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        shown = [process.stderr.readline()]
        while "Waiting for" not in shown[-1]:
            shown.append(process.stderr.readline())
        [code] = server.server._oauth._logins
        command_line = Path(f"/proc/{process.pid}/cmdline")
        if command_line.exists():
            assert code not in command_line.read_text()
        began_at = time.monotonic()
        process.send_signal(number)
        rest = process.communicate(timeout=20)[1]
    assert process.returncode == 128 + signal.SIGINT
    assert rest == "Cancelled.\n"
    assert time.monotonic() - began_at < 10
    assert code not in "".join(shown)
    assert list(folder.iterdir()) == []
