"""No token in anything a recording leaves behind, whatever goes wrong: the command as a process, and a search."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import duckdb
import pytest
import trio
from hostile_server import TEXT, HostileServer, Visit, answer, close, frame, open_hostile_server, text
from recording_run import until
from simulator_control import ControlledSimulator, open_simulator

from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_APPLICATION, Token

TOKEN = "t0ken-nobody-may-see-0123456789"
REFRESH_TOKEN = "refr3sh-nobody-may-see-0123456789"
SECRETS = [TOKEN, REFRESH_TOKEN, DEMO_APPLICATION.client_secret]
FAST = (
    "from functools import partial; from pulsoid_rec.recorder import recorder as r; "
    "from pulsoid_rec.recorder.contract.timings import Timings; "
    "timings = Timings(first_reconnect_s=0.05, longest_reconnect_s=0.05, refused_reconnect_s=0.05); "
    "r.Recorder = partial(r.Recorder, timings=timings); "
)
MAIN = "from pulsoid_rec.analysis.cli.app import main; main()"
STUMBLE = "from pulsoid_rec.recorder import room; room.parse_message = lambda *a, **k: 1 / 0; "

pytestmark = [
    pytest.mark.process,
    pytest.mark.unmeasured,
    pytest.mark.skipif(os.name != "posix", reason="it ends the process with POSIX signals"),
]


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    """A credentials file, in a folder that is not searched."""
    path = tmp_path / "secret" / "credentials.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"access_token": TOKEN, "refresh_token": REFRESH_TOKEN}))
    return path


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PULSOID")}
    return kept | {
        "PULSOID_CLIENT_ID": DEMO_APPLICATION.client_id,
        "PULSOID_CLIENT_SECRET": DEMO_APPLICATION.client_secret,
        "PULSOID_REC_TRACEBACK": "1",
        "PYTHONUTF8": "1",
        **changes,
    }


@asynccontextmanager
async def process(
    folder: Path, server: ControlledSimulator | HostileServer, *arguments: str, before: str = FAST, **variables: str
) -> AsyncIterator[trio.Process]:
    """Run `record` with what it says in files of the folder, and look at its command line as others can."""
    folder.mkdir()
    command = [sys.executable, "-c", before + MAIN, "record", "demo", "--server", server.url]
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        running = await trio.lowlevel.open_process(
            [*command, "--db", str(folder / "a.duckdb"), "--keep-journal", *arguments],
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            env=environment(**variables),
        )
        try:
            yield running
        finally:
            if running.returncode is None:
                running.send_signal(signal.SIGINT)
            with trio.move_on_after(10):
                await running.wait()
            running.kill()


def _keep_what_others_see(running: trio.Process, folder: Path) -> None:
    for name in ("cmdline", "comm", "status"):
        seen = Path(f"/proc/{running.pid}/{name}")
        if seen.exists():
            (folder / f"proc-{name}").write_bytes(seen.read_bytes())


def search(folder: Path, secrets: list[str]) -> list[str]:
    """List the files, by name or content, in which a secret is found; compressed ones are looked into."""
    found = []
    for path in folder.rglob("*"):
        data = path.name.encode()
        if path.is_file():
            data += path.read_bytes()
            if path.suffix == ".gz":
                data += subprocess.run(["gzip", "-dc", path], capture_output=True, check=True).stdout
        found += [str(path) for secret in secrets if secret.encode() in data]
    return found


async def test_a_run_through_every_failure_leaves_no_token_behind(tmp_path: Path, credentials: Path) -> None:
    tokens = (Token(TOKEN, refresh_token=REFRESH_TOKEN),)
    folder = tmp_path / "run"
    async with open_simulator(SimulatorConfig(tokens=tokens)) as simulator:
        credentials.write_text(json.dumps(json.loads(credentials.read_text()) | {"server": simulator.url}))
        async with process(folder, simulator, "--token-file", str(credentials)) as running:
            await until(lambda: simulator.accepted == 1, 15)
            _keep_what_others_see(running, folder)
            await simulator.send_heart_rate("demo", "user-1", 72)
            await simulator.send_raw("demo", "nonsense", '{"kind":"weather"}')
            await simulator.drop_connections()
            for status in (302, 401, 402, 403, 404, 500, 502):
                simulator.refuse_with(status)
                await simulator.drop_connections()
                await until(lambda status=status: simulator.refused[status] > 1)  # type: ignore[misc] # binds the value
            simulator.refuse_with(None)
            accepted = simulator.accepted
            await until(lambda: simulator.accepted > accepted)
            credentials_before = json.loads(credentials.read_text())
            await simulator.send_bytes("demo", b"\x81\x02\xff\xff")  # not UTF-8
            await until(lambda: simulator.accepted > accepted + 1)
            await simulator.send_bytes("demo", b"\xf3\x05hello")  # no WebSocket
            await until(lambda: simulator.accepted > accepted + 2)
            credentials.write_text("{" + TOKEN)
            await simulator.drop_connections()
            await trio.sleep(0.2)
            credentials.write_text(json.dumps(credentials_before))
            await until(lambda: simulator.accepted > accepted + 3)
            await simulator.send_heart_rate("demo", "user-2", 72)
            await simulator.flush("demo")
        new = json.loads(credentials.read_text())
    assert running.returncode == 0, (folder / "stderr").read_text()
    assert new["access_token"] != TOKEN  # a 401 among the failures was one refresh
    [log_file] = (folder / "a.duckdb.logs").iterdir()
    log = log_file.read_text()
    for word in ("refreshed", "401", "403", "500", "UTF-8", "violated the WebSocket protocol", "begins like JSON"):
        assert word in log
    assert search(folder, [*SECRETS, new["access_token"], new["refresh_token"]]) == []
    assert search(credentials.parent, [new["access_token"]]) == [str(credentials)]  # the search does find


async def test_a_server_that_says_the_token_back_in_every_way_leaves_none_of_it(tmp_path: Path) -> None:
    quoted = "".join(f"%{ord(each):02x}" for each in TOKEN)
    escaped = "".join(f"\\u{ord(each):04x}" for each in TOKEN)
    said = (TOKEN, TOKEN.upper(), quoted, escaped)
    at = "2024-01-15T10:30:00Z"

    def talk(form: str) -> list[str]:
        config = f'{{"name":"{form}","link":"https://x?access_token={form}"}}'
        member = f'{{"profile_id":"u","config":{config}}}'
        return [
            f'{{"kind":"heart_rate","timestamp":"{at}","heart_rate":{{"profile_id":"{form}","bpm":70}}}}',
            f'{{"kind":"room_updated","timestamp":"{at}","room_updated":{{"room_id":"r","config":{config}}}}}',
            f'{{"kind":"room_member_updated","timestamp":"{at}","room_member_updated":{member}}}',
            f'{{"kind":"{form}"}}',
            f'{{"kind":"heart_rate","timestamp":"{form}","heart_rate":{{"profile_id":"u","bpm":70}}}}',
            form,
            "x" * (2**16 - len(form) + 1) + form + "x" * 2**16,  # what is kept of it ends within the token
        ]

    async def redirect(visit: Visit) -> None:
        await visit.send(answer(301, TOKEN.encode(), f"Location: https://{TOKEN}.example/{TOKEN}", f"X-Echo: {TOKEN}"))

    async def violate(visit: Visit) -> None:
        await visit.accept(frame(TEXT, TOKEN.encode(), flags=0x70), lines=f"X-Echo: {TOKEN}\r\n")
        await visit.until_gone()

    async def speak(visit: Visit) -> None:
        messages = [text(message) for form in said for message in talk(form)]
        await visit.accept(*messages, close(1008, f"token {TOKEN} {quoted[:40]} "))  # cut off
        await visit.until_gone()

    async def stay(visit: Visit) -> None:
        await visit.accept()
        await visit.until_gone()

    folder = tmp_path / "run"
    validate = answer(200, json.dumps({"scopes": ["data:room:read"], "token": TOKEN}).encode(), f"X-Echo: {TOKEN}")
    async with open_hostile_server(redirect, violate, speak, stay, validate=validate) as server:
        async with process(folder, server, PULSOID_TOKEN=TOKEN) as running:
            await until(lambda: len(server.heads) == 4, 15)
    assert running.returncode == 0, (folder / "stderr").read_text()
    beginnings = [TOKEN[:8], TOKEN[:8].upper(), quoted[:24], escaped[:48]]
    assert search(folder, beginnings) == []
    with duckdb.connect(folder / "a.duckdb", read_only=True) as database:
        tables = [name for (name,) in database.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        stored = " ".join(
            str(row) for name in tables for row in database.execute(f"SELECT {name}::VARCHAR FROM {name}").fetchall()
        )
    assert not any(beginning in stored for beginning in beginnings)
    assert stored.count("[secret]") > 7 * len(said)
    assert "X-Echo" not in stored  # nor anything else of a head


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (Token(TOKEN, scopes=()), "lacks the scope"),
        (Token(TOKEN, premium=False), "paid plan"),
        (Token(TOKEN, profile_id="stranger"), "not a member of room"),
    ],
)
async def test_a_refusal_at_the_start_is_one_line_without_the_token(tmp_path: Path, token: Token, words: str) -> None:
    folder = tmp_path / "run"
    async with open_simulator(SimulatorConfig(tokens=(token,))) as simulator:
        async with process(folder, simulator, PULSOID_TOKEN=TOKEN) as running:
            with trio.fail_after(20):
                await running.wait()
    assert running.returncode == 3
    output = (folder / "stderr").read_text()
    assert words in output.splitlines()[-1]
    assert "Traceback" not in output
    assert search(folder, SECRETS) == []


async def test_not_even_a_traceback_of_a_fault_of_ours_holds_the_token(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    async with open_simulator(SimulatorConfig(tokens=(Token(TOKEN),))) as simulator:
        async with process(folder, simulator, before=FAST + STUMBLE, PULSOID_TOKEN=TOKEN) as running:
            await until(lambda: simulator.accepted == 1, 15)
            await simulator.send_heart_rate("demo", "user-1", 72)
            await until(lambda: simulator.accepted == 2, 15)  # the room goes on
            running.send_signal(signal.SIGINT)
            with trio.fail_after(20):
                await running.wait()
    assert running.returncode == 0
    [log_file] = (folder / "a.duckdb.logs").iterdir()
    said, log = (folder / "stderr").read_text(), log_file.read_text()
    assert "internal error: ZeroDivisionError. Please report it" in said
    assert "Traceback" not in said
    assert "Traceback" in log
    assert "ZeroDivisionError" in log
    assert search(folder, SECRETS) == []
