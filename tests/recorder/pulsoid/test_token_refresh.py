"""An expired token is refreshed: saved before it is used, once, and kept beside the old one until it worked."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import recording_run
import trio
from hostile_server import HostileServer, Visit, answer, open_hostile_server, reading, text
from recording_run import FAST, connection_events, rows, running, until
from simulator_control import open_simulator

from pulsoid_rec.recorder.connection.reconnect import State
from pulsoid_rec.recorder.connection.server_url import parse_server_url
from pulsoid_rec.recorder.contract.errors import RefusedError
from pulsoid_rec.recorder.disk.lock_file import LockFile
from pulsoid_rec.recorder.pulsoid.credentials import Credentials
from pulsoid_rec.recorder.pulsoid.token_refresh import TokenRefresh
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


def make_recorder(server: str, database: Path, *rooms: str, token_file: Path, **changes: Any) -> Recorder:
    """Make a recorder with a token file that names this server."""
    _with(token_file, server=server)
    return recording_run.make_recorder(server, database, *rooms, token_file=token_file, **changes)


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
            _with(file, access_token="by-hand")
            await simulator.expire_token(DEMO_TOKEN)
            await until(lambda: simulator.accepted == 2)
        assert content(file)["refresh_token"] == DEMO_REFRESH_TOKEN


@pytest.mark.parametrize("trouble", ["gone", "", "two words", '{"access_token"', "another-servers-token"])
async def test_a_token_that_goes_missing_is_waited_for(
    file: Path, database: Path, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_simulator() as simulator:
        async with running(make_recorder(simulator.url, database, token_file=file)) as recorder:
            await until(lambda: simulator.accepted == 1)
            before = file.read_text()
            if trouble == "gone":
                file.unlink()
            else:
                file.write_text(trouble)
            await simulator.drop_connections()
            await until(lambda: recorder.rooms[0].status.state is State.REFUSED)
            assert str(file) in caplog.text
            file.write_text(before)
            await until(lambda: simulator.accepted == 2)
    assert [event for event, _, _ in connection_events(database)] == ["opened", "lost", "refused", "opened", "closed"]


# With a server that misbehaves


class Issuer:
    """A server that knows one good token, and answers refreshes as configured."""

    def __init__(self, *answers: bytes, delay_s: float = 0) -> None:
        self.forms: list[dict[str, list[str]]] = []
        self.good = "new-token"
        self.on_used: Callable[[], None] = lambda: None
        self.on_refresh: Callable[[], None] = lambda: None
        self._answers = list(answers)
        self._delay_s = delay_s

    async def act(self, visit: Visit) -> None:
        head, _, body = visit.head.partition(b"\r\n\r\n")
        if head.startswith(b"POST /oauth2/token "):
            assert b"content-type: application/x-www-form-urlencoded" in head.lower()
            self.forms.append(parse_qs(body.decode()))
            self.on_refresh()
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
    kept = {"server": server.url, "mine": [1, "ü"]}
    old = {"access_token": DEMO_TOKEN, "refresh_token": DEMO_REFRESH_TOKEN}
    new = {"access_token": "new-token", "refresh_token": "new-refresh", "expires_in": 60}
    assert seen == [{**kept, **new, "previous": old}]
    assert content(file) == {**kept, **new}  # it has worked
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
    kept = {"server": server.url, "mine": [1, "ü"]}
    assert content(file) == {"access_token": "new-token", "refresh_token": DEMO_REFRESH_TOKEN, **kept}


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
    issuer = Issuer(NEW)

    def refuse(path: Path, _: Path) -> None:
        raise OSError(16, "Device or resource busy", str(path))

    async with open_hostile_server(issuer.act) as server:
        recorder = _going_on(make_recorder(server.url, database, token_file=file))
        before = file.read_text()
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", refuse)
            async with running(recorder):
                await settle(server)
                assert issuer.forms == []
                assert file.read_text() == before
                assert caplog.text.count("credentials.json cannot be replaced: Device or resource busy") == 1
                patch.undo()
                await until(lambda: recorder.rooms[0].status.readings == 1)


async def test_a_disk_that_is_full_when_the_new_pair_is_saved_is_waited_for_also_at_the_start(
    file: Path, database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    issuer = Issuer(NEW)
    replace_file = Path.replace

    def refuse_the_new(path: Path, target: Path) -> Path:
        if "new-token" in path.read_text():
            raise OSError(28, "No space left on device")
        return replace_file(path, target)

    timings = replace(FAST, rewrite_after_s=0.02)
    async with open_hostile_server(issuer.act, validate=answer(401)) as server:
        recorder = make_recorder(server.url, database, token_file=file, timings=timings)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", refuse_the_new)
            with pytest.RaisesGroup(RefusedError):  # as this server's check refuses any token
                async with running(recorder):
                    await until(lambda: "No space left on device. It is kept in memory" in caplog.text)
                    await trio.sleep(0.1)
                    assert content(file)["access_token"] == DEMO_TOKEN
                    patch.undo()
                    await until(lambda: content(file)["access_token"] == "new-token")
    assert content(file)["refresh_token"] == "new-refresh"
    assert caplog.text.count("No space left") == 1
    assert len(issuer.forms) == 1


# An answer that is half right


OLD = {"access_token": DEMO_TOKEN, "refresh_token": DEMO_REFRESH_TOKEN}


def issued(**fields: Any) -> bytes:
    return answer(200, json.dumps(fields).encode())


@pytest.mark.parametrize("life", [{"expires_in": "3600"}, {"expires_in": [None]}, {"expires_in": True}, {}])
async def test_of_an_answer_only_the_tokens_are_required(file: Path, database: Path, life: dict[str, Any]) -> None:
    issuer = Issuer(issued(access_token="new-token", refresh_token="new-refresh", token_type=7, **life))
    async with open_hostile_server(issuer.act) as server:
        async with running(make_recorder(server.url, database, token_file=file)) as recorder:
            await until(lambda: recorder.rooms[0].status.readings == 1)
    assert len(issuer.forms) == 1
    assert (content(file)["access_token"], content(file)["refresh_token"]) == ("new-token", "new-refresh")


@pytest.mark.parametrize("malformed", ["new a\nX-Evil: 1", "", "ü", 7, None, ["new-token"]])
async def test_a_malformed_token_is_never_saved_and_the_refresh_token_beside_it_is_used(
    file: Path, database: Path, malformed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    half = issued(access_token=malformed, refresh_token="new-refresh")
    issuer = Issuer(half, NEW)
    between: list[dict[str, Any]] = []
    issuer.on_refresh = lambda: between.append(content(file))
    async with open_hostile_server(issuer.act) as server:
        async with running(_going_on(make_recorder(server.url, database, token_file=file))) as recorder:
            await until(lambda: recorder.rooms[0].status.readings == 1)
    assert [form["refresh_token"] for form in issuer.forms] == [[DEMO_REFRESH_TOKEN], ["new-refresh"]]
    assert between[1]["access_token"] == DEMO_TOKEN
    assert between[1]["previous"] == OLD
    assert "previous" not in content(file)
    assert "the answer holds no access token, or what cannot be one" in caplog.text
    assert "X-Evil" not in caplog.text


@pytest.mark.parametrize("refresh_token", ["new a\nX-Evil: 1", "", 7, None])
async def test_a_malformed_refresh_token_leaves_the_old_one(file: Path, database: Path, refresh_token: Any) -> None:
    issuer = Issuer(issued(access_token="new-token", refresh_token=refresh_token))
    async with open_hostile_server(issuer.act) as server:
        async with running(make_recorder(server.url, database, token_file=file)) as recorder:
            await until(lambda: recorder.rooms[0].status.readings == 1)
    assert content(file)["refresh_token"] == DEMO_REFRESH_TOKEN


async def test_if_the_new_refresh_token_is_refused_before_it_ever_worked_the_one_before_is_used(
    file: Path, database: Path
) -> None:
    issuer = Issuer(answer(400), NEW)
    async with open_hostile_server(issuer.act) as server:
        recorder = make_recorder(server.url, database, token_file=file)
        _with(file, access_token="never-worked", refresh_token="never-worked-either", previous=OLD)
        kept: list[Any] = []
        issuer.on_used = lambda: kept.append(content(file)["previous"])
        async with running(recorder):
            await until(lambda: recorder.rooms[0].status.readings == 1)
    assert [form["refresh_token"] for form in issuer.forms] == [["never-worked-either"], [DEMO_REFRESH_TOKEN]]
    assert content(file) == {**content(file), "access_token": "new-token", "refresh_token": "new-refresh"}
    assert kept == [OLD]  # the last pair that worked
    assert "previous" not in content(file)


async def test_the_pair_before_is_kept_while_the_new_one_is_refused(file: Path, database: Path) -> None:
    issuer = Issuer(NEW)
    issuer.good = "none is"
    async with open_hostile_server(issuer.act) as server:
        async with running(_going_on(make_recorder(server.url, database, token_file=file))):
            await settle(server)
    assert content(file)["previous"] == OLD


async def test_a_pair_that_another_process_replaces_meanwhile_is_not_touched(file: Path) -> None:
    refresh = TokenRefresh(parse_server_url("wss://dev.pulsoid.net"), Credentials(file))
    _with(file, previous=OLD)
    lock = LockFile(file.with_name(f".{file.name}.lock"))
    await refresh.confirm(DEMO_TOKEN)
    assert content(file)["previous"] == OLD
    lock.release()
    await refresh.confirm("another")
    assert content(file)["previous"] == OLD
    await refresh.confirm(DEMO_TOKEN)
    assert "previous" not in content(file)


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


async def test_a_token_of_the_environment_or_of_a_plain_file_is_not_refreshed(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PULSOID_TOKEN", "dead")
    file.write_text("dead")
    for given in (file, None):
        refresh = TokenRefresh(parse_server_url("wss://dev.pulsoid.net"), Credentials(given))
        assert not await refresh.replace("dead")
        assert await refresh.replace("another")
    assert caplog.text == ""
