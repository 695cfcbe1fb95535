"""A token goes to the server it is for, and to no other: for the room, the check and the refresh alike."""

import json
import os
import socket
import ssl
from pathlib import Path

import pytest
import trio
from command import run_command, run_here
from hostile_server import HostileServer, Visit, answer, open_hostile_server
from recording_run import make_recorder, running, until

from pulsoid_rec.recorder.connection.server_url import parse_server_url
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE
from pulsoid_rec.recorder.pulsoid.token_gate import refresh_server, require_permitted

TOKEN = "t0ken-nobody-may-see"


@pytest.mark.parametrize(
    ("server", "owner"),
    [
        ("wss://dev.pulsoid.net", "wss://dev.pulsoid.net"),
        ("WSS://Dev.Pulsoid.net:443/", "wss://dev.pulsoid.net"),
        ("wss://own.example/a", "wss://own.example:443/a/"),
        ("wss://own.example", None),
        ("ws://127.0.0.1:8765", "ws://127.0.0.1:8765"),
        ("ws://127.0.0.1:8765", None),
        ("ws://localhost", None),
        ("ws://[::1]:8765", "ws://[::1]:8765"),
    ],
)
def test_a_token_may_go_to_the_server_it_is_for(server: str, owner: str | None) -> None:
    require_permitted(parse_server_url(server), "x", owner, allow_unencrypted=False)


@pytest.mark.parametrize("allow_unencrypted", [False, True])
@pytest.mark.parametrize(
    ("server", "owner"),
    [
        ("wss://evil.example", "wss://dev.pulsoid.net"),
        ("wss://pulsoid.net.evil.example", "wss://dev.pulsoid.net"),
        ("wss://dev.pulsoid.net.", "wss://dev.pulsoid.net"),
        ("ws://dev.pulsoid.net", "wss://dev.pulsoid.net"),
        ("ws://dev.pulsoid.net:443", "wss://dev.pulsoid.net"),
        ("wss://dev.pulsoid.net:8443", "wss://dev.pulsoid.net"),
        ("wss://dev.pulsoid.net/proxy", "wss://dev.pulsoid.net"),
        ("wss://pulsoid.net", "wss://dev.pulsoid.net"),
        ("wss://evil.example", "wss://own.example"),
        ("wss://dev.pulsoid.net", "wss://own.example"),
        ("ws://127.0.0.1:8765", "wss://dev.pulsoid.net"),
        ("ws://127.0.0.1:8765", "ws://127.0.0.1:8766"),
        ("ws://localhost:8765", "ws://127.0.0.1:8765"),
        ("ws://127.0.0.1:8765", "wss://127.0.0.1:8765"),
    ],
)
def test_a_token_goes_to_nobody_else_whatever_is_allowed(server: str, owner: str, allow_unencrypted: bool) -> None:
    with pytest.raises(UsageError, match=r"The token in FILE belongs to .*, and is not sent to"):
        require_permitted(parse_server_url(server), "FILE", owner, allow_unencrypted=allow_unencrypted)


@pytest.mark.parametrize(
    "server",
    ["ws://own.example", "ws://192.168.1.5:8080", "ws://0.0.0.0:80", "ws://localhost.evil.example", "ws://127.1"],
)
@pytest.mark.parametrize("is_named", [False, True])
def test_beyond_this_machine_it_goes_in_clear_only_where_that_is_allowed(server: str, is_named: bool) -> None:
    owner = server if is_named else None
    with pytest.raises(UsageError, match=r"would not be encrypted.*--allow-unencrypted"):
        require_permitted(parse_server_url(server), "x", owner, allow_unencrypted=False)
    require_permitted(parse_server_url(server), "x", owner, allow_unencrypted=True)


@pytest.mark.parametrize("owner", ["nonsense", "https://dev.pulsoid.net", "5"])
def test_a_server_in_the_file_that_is_none_stops_the_token(owner: str) -> None:
    with pytest.raises(UsageError, match='"server" in FILE is not the URL of a server'):
        require_permitted(parse_server_url("wss://dev.pulsoid.net"), "FILE", owner, allow_unencrypted=True)


def test_pulsoids_tokens_are_refreshed_at_pulsoid_and_others_where_they_are_used() -> None:
    pulsoid = refresh_server(parse_server_url("wss://dev.pulsoid.net"))
    assert (pulsoid.url, pulsoid.token_path) == ("wss://pulsoid.net", "/oauth2/token")
    assert pulsoid.tls is not None
    assert pulsoid.tls.verify_mode is ssl.CERT_REQUIRED
    for url in ("wss://own.example/a", "ws://127.0.0.1:8765"):
        assert refresh_server(parse_server_url(url)).token_path.endswith("/oauth2/token")
        assert refresh_server(parse_server_url(url)).url == url


class Listener:
    """Any program that listens on a port of this machine, and keeps what it is sent."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port = self._socket.getsockname()[1]

    def received(self) -> bytes:
        said = b""
        try:
            while True:
                client, _ = self._socket.accept()
                client.settimeout(0.05)
                said += b"connected " + client.recv(10_000)
                client.close()
        except TimeoutError:
            return said
        finally:
            self._socket.close()


PAIR = {"access_token": TOKEN, "refresh_token": "r3fresh-nobody-may-see"}


@pytest.mark.process
@pytest.mark.parametrize(
    ("file", "host", "words"),
    [
        (json.dumps(PAIR), "127.0.0.1", "belongs to wss://dev.pulsoid.net, and is not sent to ws://127.0.0.1:"),
        (json.dumps(PAIR | {"server": "wss://dev.pulsoid.net"}), "127.0.0.1", "belongs to wss://dev.pulsoid.net"),
        (json.dumps(PAIR | {"server": "wss://own.example"}), "localhost", "belongs to wss://own.example"),
        (TOKEN, "127.0.0.1", "belongs to wss://dev.pulsoid.net"),
        (json.dumps(PAIR | {"server": "ws://0.0.0.0:{port}"}), "0.0.0.0", "would not be encrypted"),
        (None, "0.0.0.0", "would not be encrypted"),
    ],
)
def test_the_command_connects_to_no_other_server_and_makes_no_file(
    tmp_path: Path, file: str | None, host: str, words: str
) -> None:
    listener = Listener()
    options: list[str] = []
    if file is not None:
        (tmp_path / "token").write_text(file.replace("{port}", str(listener.port)))
        (tmp_path / "token").chmod(0o600)
        options = ["--token-file", "token"]
    secrets = {"PULSOID_CLIENT_ID": "id", "PULSOID_CLIENT_SECRET": "s3cret", TOKEN_VARIABLE: TOKEN}
    server = ("--server", f"ws://{host}:{listener.port}", "--duration", "0.1")
    done = run_here("record", "x", *server, *options, cwd=tmp_path, **secrets)
    assert listener.received() == b""
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == (["token"] if options else [])


@pytest.mark.process
@pytest.mark.skipif(os.name != "posix", reason="elsewhere 0.0.0.0 is not this machine")
async def test_a_server_elsewhere_gets_the_token_in_clear_after_allow_unencrypted(tmp_path: Path) -> None:
    async with open_hostile_server(lambda visit: visit.send(answer(403))) as server:
        arguments = ("record", "x", "--server", f"ws://0.0.0.0:{server.port}", "--allow-unencrypted")
        done = await trio.to_thread.run_sync(lambda: run_command(*arguments, cwd=tmp_path, PULSOID_TOKEN=TOKEN))
    assert done.returncode == 3
    assert f"Bearer {TOKEN}".encode() in server.heads[0]


@pytest.mark.process
async def test_a_redirect_of_the_check_the_refresh_or_the_room_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener()
    redirect = answer(307, b"", f"Location: http://127.0.0.1:{listener.port}/")
    monkeypatch.setenv("PULSOID_CLIENT_ID", "id")
    monkeypatch.setenv("PULSOID_CLIENT_SECRET", "s3cret")

    async def act(visit: Visit) -> None:
        await visit.send(redirect if visit.head.startswith(b"POST") or len(server.heads) % 2 else answer(401))

    server: HostileServer
    async with open_hostile_server(act, validate=redirect) as server:
        file = tmp_path / "token"
        file.write_text(json.dumps(PAIR | {"server": server.url}))
        recorder = make_recorder(server.url, tmp_path / "room.duckdb", token_file=file)
        recorder.rooms[0].connection.was_live = True
        async with running(recorder):
            await until(lambda: len(server.heads) > 5)
    assert any(head.startswith(b"POST") for head in server.heads)
    assert listener.received() == b""


@pytest.mark.process
async def test_a_file_that_comes_to_belong_to_another_server_is_waited_for_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_hostile_server(Visit.accept) as server:
        file = tmp_path / "token"
        file.write_text(json.dumps(PAIR | {"server": server.url}))
        async with running(make_recorder(server.url, tmp_path / "room.duckdb", token_file=file)):
            await until(lambda: len(server.heads) == 1)
            file.write_text(TOKEN + "-2")
            await until(lambda: "and is not sent to" in caplog.text)
            heads = len(server.heads)
            await trio.sleep(0.1)
    assert len(server.heads) == heads
    assert not any(TOKEN.encode() + b"-2" in head for head in server.heads)
