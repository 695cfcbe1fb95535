"""An expired token is refreshed: saved before it is used, once, and sent to nobody but its own server."""

import json
import logging
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import trio
from hostile_server import HostileServer, Visit, answer, open_hostile_server, reading, text
from recording_run import FAST, connection_events, make_recorder, rows, running, until
from simulator_control import open_simulator

from pulsoid_rec.recorder.connection.reconnect import State
from pulsoid_rec.recorder.connection.server_url import parse_server_url
from pulsoid_rec.recorder.contract.errors import RefusedError
from pulsoid_rec.recorder.disk.lock_file import LockFile
from pulsoid_rec.recorder.pulsoid.credentials import TokenPair
from pulsoid_rec.recorder.pulsoid.token_refresh import CannotRefreshError, TokenRefresh, issuer_of
from pulsoid_rec.recorder.recorder import Recorder
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_APPLICATION, DEMO_REFRESH_TOKEN, DEMO_TOKEN, Token

pytestmark = pytest.mark.process


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Credentials that can be refreshed."""
    monkeypatch.setenv("PULSOID_CLIENT_ID", DEMO_APPLICATION.client_id)
    monkeypatch.setenv("PULSOID_CLIENT_SECRET", DEMO_APPLICATION.client_secret)
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps({"access_token": DEMO_TOKEN, "refresh_token": DEMO_REFRESH_TOKEN, "mine": [1, "ü"]}))
    return path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "room.duckdb"


def content(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def is_live(recorder: Recorder) -> bool:
    return all(room.status.state is State.LIVE for room in recorder.rooms)


# With a server as Pulsoid's


async def test_a_token_that_dies_while_recording_is_refreshed_and_recording_goes_on(file: Path, database: Path) -> None:
    rooms = {f"room-{n}": None for n in range(5)}
    async with open_simulator(SimulatorConfig(rooms=rooms)) as simulator:
        async with running(make_recorder(simulator.url, database, *rooms, token_file=file)) as recorder:
            await until(lambda: is_live(recorder))
            await simulator.expire_token(DEMO_TOKEN)
            await until(lambda: simulator.accepted == 10 and is_live(recorder))
            await simulator.send_heart_rate("room-3", "user-1", 72)
            await until(lambda: recorder.rooms[3].status.readings == 1)
        new = content(file)
        assert simulator.refused[401] <= 5
    assert new["mine"] == [1, "ü"]
    assert new["access_token"] != DEMO_TOKEN
    assert new["refresh_token"] != DEMO_REFRESH_TOKEN
    assert rows(database, "SELECT count(*) FROM heart_rate") == [(1,)]
    reason = "the server answered 401 instead of opening a WebSocket; the token was replaced"
    assert ("refused", 401, reason) in connection_events(database)
    assert sorted(path.name for path in file.parent.iterdir() if "credentials" in path.name) == ["credentials.json"]


async def test_a_token_that_is_dead_at_the_start_is_refreshed_first(file: Path, database: Path) -> None:
    async with open_simulator() as simulator:
        await simulator.expire_token(DEMO_TOKEN)
        with pytest.raises(RefusedError, match="has expired"):
            await make_recorder(simulator.url, database, token_file=_with(file, refresh_token=None)).run()
        _with(file, refresh_token=DEMO_REFRESH_TOKEN)
        async with running(make_recorder(simulator.url, database, token_file=file)) as recorder:
            await until(lambda: is_live(recorder))
        assert content(file)["access_token"] != DEMO_TOKEN
        assert simulator.refused[401] == 0


def _with(file: Path, **changes: Any) -> Path:
    file.write_text(json.dumps(content(file) | changes))
    return file


async def test_two_recorders_that_share_the_file_refresh_it_once(
    file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="pulsoid_rec.recorder")
    async with open_simulator() as simulator:
        first = make_recorder(simulator.url, tmp_path / "a.duckdb", token_file=file)
        second = make_recorder(simulator.url, tmp_path / "b.duckdb", token_file=file)
        async with running(first), running(second):
            await until(lambda: simulator.accepted == 2)
            await simulator.expire_token(DEMO_TOKEN)
            await until(lambda: simulator.accepted == 4 and is_live(first) and is_live(second))
    assert caplog.text.count("The token was refreshed") == 1
    assert "cannot be refreshed" not in caplog.text


async def test_a_lock_that_is_never_released_is_named_once_and_given_up_and_recording_waits_for_a_token(
    file: Path, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lock = LockFile(file.with_name(f".{file.name}.lock"))
    timings = replace(FAST, token_lock_retry_s=0.01, token_lock_report_s=0.1, token_lock_timeout_s=0.2)
    async with open_simulator() as simulator:
        async with running(make_recorder(simulator.url, database, token_file=file, timings=timings)) as recorder:
            await until(lambda: is_live(recorder))
            await simulator.expire_token(DEMO_TOKEN)
            await until(lambda: simulator.refused[401] > 2)
            assert caplog.text.count(f"Waiting to refresh the token: another process keeps {lock._path} locked") == 1
            assert caplog.text.count(f"Cannot refresh the token: another process keeps {lock._path} locked") == 1
            lock.release()
            await until(lambda: is_live(recorder))
    assert content(file)["access_token"] != DEMO_TOKEN


async def test_a_token_that_its_owner_replaced_is_taken_without_a_refresh(file: Path, database: Path) -> None:
    tokens = (Token(DEMO_TOKEN, refresh_token=DEMO_REFRESH_TOKEN), Token("by-hand"))
    async with open_simulator(SimulatorConfig(tokens=tokens)) as simulator:
        async with running(make_recorder(simulator.url, database, token_file=file)):
            await until(lambda: simulator.accepted == 1)
            file.write_text("by-hand")
            await simulator.expire_token(DEMO_TOKEN)
            await until(lambda: simulator.accepted == 2)
        assert file.read_text() == "by-hand"


@pytest.mark.parametrize("trouble", ["gone", "", "two words", '{"access_token"', "wrong-token"])
async def test_a_token_that_goes_missing_is_waited_for(
    file: Path, database: Path, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_simulator() as simulator:
        async with running(make_recorder(simulator.url, database, token_file=file)) as recorder:
            await until(lambda: simulator.accepted == 1)
            if trouble == "gone":
                file.unlink()
            else:
                file.write_text(trouble)
            await simulator.drop_connections()
            await until(lambda: recorder.rooms[0].status.state is State.REFUSED)
            assert str(file) in caplog.text or "401" in caplog.text
            file.write_text(DEMO_TOKEN)
            await until(lambda: simulator.accepted == 2)
    assert [event for event, _, _ in connection_events(database)] == ["opened", "lost", "refused", "opened", "closed"]


# With a server that misbehaves


class Issuer:
    """A server that knows one good token, and answers refreshes as configured."""

    def __init__(self, *answers: bytes, delay_s: float = 0) -> None:
        self.forms: list[dict[str, list[str]]] = []
        self.good = "new-token"
        self.on_used: Callable[[], None] = lambda: None
        self._answers = list(answers)
        self._delay_s = delay_s

    async def act(self, visit: Visit) -> None:
        head, _, body = visit.head.partition(b"\r\n\r\n")
        if head.startswith(b"POST /oauth2/token "):
            assert b"content-type: application/x-www-form-urlencoded" in head.lower()
            self.forms.append(parse_qs(body.decode()))
            await trio.sleep(self._delay_s)
            await visit.send(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])
        elif f"Bearer {self.good}\r".encode() in head:
            self.on_used()
            await visit.accept(text(reading(1)))
            await visit.until_gone()
        else:
            await visit.send(answer(401))


NEW = answer(200, b'{"access_token":"new-token","refresh_token":"new-refresh","expires_in":60,"token_type":"bearer"}')


async def settle(server: HostileServer, visits: int = 6) -> None:
    """Wait until it was visited some more times."""
    before = len(server.heads)
    await until(lambda: len(server.heads) >= before + visits)


async def test_the_new_pair_is_on_the_disk_before_it_is_used(file: Path, database: Path) -> None:
    issuer = Issuer(NEW)
    seen = []
    issuer.on_used = lambda: seen.append(content(file))
    async with open_hostile_server(issuer.act) as server:
        async with running(make_recorder(server.url, database, token_file=file)) as recorder:
            await until(lambda: recorder.rooms[0].status.readings == 1)
    assert seen == [{"access_token": "new-token", "refresh_token": "new-refresh", "mine": [1, "ü"], "expires_in": 60}]
    assert issuer.forms == [
        {
            "grant_type": ["refresh_token"],
            "refresh_token": [DEMO_REFRESH_TOKEN],
            "client_id": [DEMO_APPLICATION.client_id],
            "client_secret": [DEMO_APPLICATION.client_secret],
        }
    ]


async def test_rooms_and_recorders_that_come_while_one_asks_wait_and_take_what_it_got(
    file: Path, tmp_path: Path
) -> None:
    issuer = Issuer(NEW, delay_s=0.3)
    async with open_hostile_server(issuer.act) as server:
        first, second = (
            _going_on(make_recorder(server.url, tmp_path / name, "a", "b", "c", token_file=file)) for name in "xy"
        )
        async with running(first), running(second):
            await until(lambda: is_live(first) and is_live(second))
    assert len(issuer.forms) == 1
    assert content(file)["access_token"] == "new-token"


async def test_a_server_that_sends_no_new_refresh_token_leaves_the_old_one(file: Path, database: Path) -> None:
    issuer = Issuer(answer(200, b'{"access_token":"new-token"}'))
    async with open_hostile_server(issuer.act) as server:
        async with running(make_recorder(server.url, database, token_file=file)) as recorder:
            await until(lambda: recorder.rooms[0].status.readings == 1)
    assert content(file) == {"access_token": "new-token", "refresh_token": DEMO_REFRESH_TOKEN, "mine": [1, "ü"]}


async def test_a_refresh_token_that_is_refused_is_tried_once_and_a_new_one_again(
    file: Path, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    issuer = Issuer(answer(400, b'{"error":"invalid_grant"}'), NEW)
    async with open_hostile_server(issuer.act) as server:
        async with running(_going_on(make_recorder(server.url, database, token_file=file))) as recorder:
            await settle(server)
            assert len(issuer.forms) == 1
            assert caplog.text.count("refused the refresh token") == 1
            _with(file, refresh_token="by-hand")
            await until(lambda: recorder.rooms[0].status.readings == 1)
    assert issuer.forms[1]["refresh_token"] == ["by-hand"]


@pytest.mark.parametrize(
    "trouble",
    [answer(500), answer(429), answer(302, b"", "Location: http://127.0.0.1:1/"), b"", answer(200, b"<html>")],
)
async def test_a_refresh_that_came_to_nothing_is_tried_again(file: Path, database: Path, trouble: bytes) -> None:
    issuer = Issuer(trouble, trouble, NEW)
    async with open_hostile_server(issuer.act) as server:
        async with running(_going_on(make_recorder(server.url, database, token_file=file))) as recorder:
            await until(lambda: recorder.rooms[0].status.readings == 1)
    assert len(issuer.forms) == 3


async def test_a_server_that_refuses_what_it_gave_is_not_asked_for_more(
    file: Path, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    issuer = Issuer(NEW)
    issuer.good = "none is"
    async with open_hostile_server(issuer.act) as server:
        async with running(_going_on(make_recorder(server.url, database, token_file=file))):
            await settle(server)
    assert len(issuer.forms) == 1
    assert "the server refuses the one it has just issued" in caplog.text


async def test_a_file_that_cannot_be_replaced_costs_no_refresh_token(
    file: Path, database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = file.read_text()
    issuer = Issuer(NEW)

    def refuse(path: Path, _: Path) -> None:
        raise OSError(16, "Device or resource busy", str(path))

    async with open_hostile_server(issuer.act) as server:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", refuse)
            async with running(_going_on(make_recorder(server.url, database, token_file=file))) as recorder:
                await settle(server)
                assert issuer.forms == []
                assert file.read_text() == before
                assert caplog.text.count("credentials.json cannot be replaced: Device or resource busy") == 1
                patch.undo()
                await until(lambda: recorder.rooms[0].status.readings == 1)


async def test_a_new_pair_that_cannot_be_saved_is_kept_and_not_used_until_it_can(
    file: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = Issuer(NEW)
    replace = Path.replace

    def refuse_the_new(path: Path, target: Path) -> Path:
        if "new-token" in path.read_text():
            raise OSError(28, "No space left on device")
        return replace(path, target)

    async with open_hostile_server(issuer.act) as server:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", refuse_the_new)
            async with running(_going_on(make_recorder(server.url, database, token_file=file))) as recorder:
                await settle(server)
                assert len(issuer.forms) == 1
                assert content(file)["access_token"] == DEMO_TOKEN
                assert not any(b"new-token" in head for head in server.heads)
                patch.undo()
                await until(lambda: recorder.rooms[0].status.readings == 1)
    assert len(issuer.forms) == 1
    assert content(file)["refresh_token"] == "new-refresh"


async def test_a_recording_that_ends_during_a_refresh_saves_the_new_pair_all_the_same(
    file: Path, database: Path
) -> None:
    timings = replace(FAST, disconnect_timeout_s=0.05)
    issuer = Issuer(NEW, delay_s=0.5)
    async with open_hostile_server(issuer.act) as server:
        with trio.fail_after(3):
            async with running(make_recorder(server.url, database, token_file=file, timings=timings)):
                await until(lambda: len(issuer.forms) == 1)
        assert content(file)["access_token"] == "new-token"


async def test_a_refresh_that_is_not_answered_does_not_hold_the_end(file: Path, database: Path) -> None:
    timings = replace(FAST, disconnect_timeout_s=0.05, refresh_timeout_s=0.2)
    issuer = Issuer(NEW, delay_s=60)
    async with open_hostile_server(issuer.act) as server:
        with trio.fail_after(2):
            async with running(make_recorder(server.url, database, token_file=file, timings=timings)):
                await until(lambda: len(issuer.forms) == 1)


@pytest.mark.parametrize("variable", ["PULSOID_CLIENT_ID", "PULSOID_CLIENT_SECRET"])
async def test_without_the_application_the_log_says_what_is_missing_once(
    file: Path, database: Path, monkeypatch: pytest.MonkeyPatch, variable: str, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(variable)
    issuer = Issuer(NEW)
    async with open_hostile_server(issuer.act) as server:
        async with running(_going_on(make_recorder(server.url, database, token_file=file))):
            await settle(server)
    assert issuer.forms == []
    assert caplog.text.count(f"{variable} is not set. Set PULSOID_CLIENT_ID and PULSOID_CLIENT_SECRET.") == 1


def _going_on(recorder: Recorder) -> Recorder:
    """Let a refusal at the start be retried as a later one is."""
    for room in recorder.rooms:
        room.connection.was_live = True
    return recorder


# Who may see a refresh token


@pytest.mark.parametrize(
    ("server", "named", "issuer"),
    [
        ("wss://dev.pulsoid.net", None, "pulsoid.net"),
        ("wss://dev.pulsoid.net:443/", "wss://dev.pulsoid.net", "pulsoid.net"),
        ("ws://127.0.0.1:8765", None, "127.0.0.1:8765"),
        ("ws://[::1]:8765", None, "[::1]:8765"),
        ("wss://localhost:8765", None, "localhost:8765"),
        ("wss://own.example", "wss://own.example", "own.example"),
        ("wss://own.example/a", "wss://own.example:443/a/", "own.example"),
        ("ws://127.0.0.1:8765", "ws://127.0.0.1:8765", "127.0.0.1:8765"),
    ],
)
def test_a_refresh_token_goes_to_its_own_server(server: str, named: str | None, issuer: str) -> None:
    found = issuer_of(parse_server_url(server), TokenPair("t", "r", named))
    assert found.authority == issuer
    assert found.tls is not None or found.is_this_machine
    assert found.refresh_path.endswith("/oauth2/token")
    if issuer == "pulsoid.net":
        assert found.tls is not None
        assert found.tls.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("server", "named", "words"),
    [
        ("wss://evil.example", None, "belongs to dev.pulsoid.net, and would be sent to evil.example"),
        ("wss://pulsoid.net.evil.example", None, "belongs to dev.pulsoid.net"),
        ("ws://dev.pulsoid.net", None, "belongs to dev.pulsoid.net"),
        ("wss://dev.pulsoid.net:8443", None, "belongs to dev.pulsoid.net"),
        ("wss://dev.pulsoid.net/proxy", None, "belongs to dev.pulsoid.net"),
        ("wss://evil.example", "wss://own.example", "belongs to own.example"),
        ("ws://127.0.0.1:8765", "wss://own.example", "belongs to own.example"),
        ("wss://dev.pulsoid.net", "wss://own.example", "belongs to own.example"),
        ("ws://own.example", "ws://own.example", "is not encrypted"),
        ("ws://localhost.evil.example", None, "belongs to dev.pulsoid.net"),
        ("ws://127.0.0.1:8765", "nonsense", "is not the URL of a server"),
    ],
)
def test_a_refresh_token_goes_to_nobody_else(server: str, named: str | None, words: str) -> None:
    with pytest.raises(CannotRefreshError, match=words):
        issuer_of(parse_server_url(server), TokenPair("t", "r", named))


async def test_a_token_of_the_environment_or_of_a_plain_file_is_not_refreshed(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PULSOID_TOKEN", "dead")
    file.write_text("dead")
    for recorder in (
        make_recorder("ws://127.0.0.1:1", tmp_path / "a.duckdb", token_file=given) for given in (file, None)
    ):
        refresh = TokenRefresh(parse_server_url("ws://127.0.0.1:1"), recorder.options.credentials)
        assert not await refresh.replace("dead")
        assert await refresh.replace("another")
        recorder.journal.release()
    assert caplog.text == ""
