"""Login and logout against the simulator: what is saved where, that `record` uses it, and that nothing is left."""

import itertools
import json
import logging
import os
import stat
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keyring
import pytest
import trio
from file_keyring import FileKeyring
from hostile_server import VALID, Visit, answer, open_hostile_server
from keyring.errors import PasswordSetError
from recording_run import FAST, running, until
from simulator_control import ControlledSimulator, open_simulator

from pulsoid_rec.recorder.connection.server_url import parse_server_url
from pulsoid_rec.recorder.contract.errors import RefusedError, StorageError, UsageError
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.pulsoid import login as login_module
from pulsoid_rec.recorder.pulsoid import system_keyring
from pulsoid_rec.recorder.pulsoid.device_login import DeviceCode
from pulsoid_rec.recorder.pulsoid.login import log_in, log_out
from pulsoid_rec.recorder.pulsoid.messages import KINDS
from pulsoid_rec.recorder.pulsoid.saved_login import find_credentials, login_path
from pulsoid_rec.recorder.pulsoid.token_check import Validity
from pulsoid_rec.recorder.recorder import Options, Recorder
from pulsoid_rec.recorder.simulator.oauth import DeviceFlow, DeviceMode
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_APPLICATION, Token

pytestmark = pytest.mark.process
QUICK = replace(FAST, shortest_login_poll_s=0.01, login_slow_down_s=0.02, token_lock_timeout_s=0.3)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of logins, which does not exist at first."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("PULSOID_TOKEN", raising=False)
    monkeypatch.setenv("PULSOID_CLIENT_SECRET", DEMO_APPLICATION.client_secret)
    return tmp_path / "config" / "pulsoid-rec"


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A keyring in a file."""
    file = tmp_path / "keyring.json"
    monkeypatch.setenv("PULSOID_TEST_KEYRING", str(file))
    before = keyring.get_keyring()
    keyring.set_keyring(FileKeyring())  # type: ignore[no-untyped-call] # of the library
    system_keyring.read.cache_clear()
    yield file
    keyring.set_keyring(before)


def simulated(mode: DeviceMode = "approve", **changes: Any) -> Any:
    flow = DeviceFlow(mode, interval_s=0.01)
    return open_simulator(SimulatorConfig(device_flow=flow, **changes))


async def enter(server: ControlledSimulator, *, in_keyring: bool = False) -> Validity | None:
    shown: list[DeviceCode] = []
    url = parse_server_url(server.url)
    client = DEMO_APPLICATION.client_id
    validity = await log_in(url, client, shown.append, in_keyring=in_keyring, timings=QUICK)
    assert shown[0].user_code in shown[0].link
    return validity


async def leave(server: ControlledSimulator, *, force: bool = False) -> str | None:
    return await log_out(parse_server_url(server.url), force=force, timings=QUICK)


def saved(server: ControlledSimulator) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(login_path(parse_server_url(server.url)).read_text())
    return found


def make_recorder(server: ControlledSimulator, database: Path, timings: Timings = QUICK) -> Recorder:
    url = parse_server_url(server.url)
    return Recorder(Options(("demo",), database, url, find_credentials(None, url), KINDS), timings=timings)


def tokens_of(server: ControlledSimulator) -> list[str]:
    return [
        text for token, _ in server.server.tokens.issued.values() for text in (token.access_token, token.refresh_token)
    ]


def found_in(folder: Path, texts: list[str]) -> list[str]:
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file()
        for text in texts
        if text.encode() in path.read_bytes()
    ]


async def test_a_login_is_saved_for_its_owner_alone_and_record_uses_it(tmp_path: Path, folder: Path) -> None:
    async with simulated() as server:
        validity = await enter(server)
        assert validity is not None
        assert validity.can_record
        assert saved(server)["access_token"] in server.server.tokens.issued
        if os.name == "posix":
            assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())] == [0o700, 0o600]
        async with running(make_recorder(server, tmp_path / "a.duckdb")):
            await until(lambda: server.accepted == 1)
    assert [path.suffix for path in folder.iterdir()] == [".json"]


async def test_an_option_goes_before_the_variable_and_that_before_the_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "given"
    file.write_text('{"access_token": "of-the-file", "server": "ws://127.0.0.1:1"}')
    url = parse_server_url("ws://127.0.0.1:1")
    with pytest.raises(UsageError, match=r"There is no token\. Log in with"):
        find_credentials(None, url).read(url)
    path = login_path(url)
    path.parent.mkdir(parents=True, mode=0o700)
    path.write_text('{"access_token": "of-the-login", "server": "ws://127.0.0.1:1"}')
    assert find_credentials(None, url).read(url).token == "of-the-login"
    other = parse_server_url("ws://127.0.0.1:2")
    assert find_credentials(None, other).token_file is None
    monkeypatch.setenv("PULSOID_TOKEN", "of-the-variable")
    assert find_credentials(None, url).read(url).token == "of-the-variable"
    assert find_credentials(file, url).read(url).token == "of-the-file"


@pytest.mark.skipif(os.name != "posix", reason="access is not in the mode elsewhere")
async def test_a_folder_that_others_can_write_to_is_not_used(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    with pytest.raises(UsageError, match="others can write to it"):
        find_credentials(None, parse_server_url("wss://dev.pulsoid.net"))


@pytest.mark.parametrize("in_keyring", [False, True])
async def test_two_recorders_refresh_a_login_once_and_save_it_before_they_use_it(
    in_keyring: bool, tmp_path: Path, entries: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="pulsoid_rec.recorder")
    async with simulated() as server:
        await enter(server, in_keyring=in_keyring)
        url = parse_server_url(server.url)
        old = find_credentials(None, url).read(url)
        recorders = [make_recorder(server, tmp_path / f"{name}.duckdb") for name in "ab"]
        async with running(recorders[0]), running(recorders[1]):
            await until(lambda: server.accepted == 2)
            await server.expire_token(old.token)
            await until(lambda: server.accepted == 4)
            await until(lambda: find_credentials(None, url).read(url).previous is None)
        new = find_credentials(None, url).read(url)
        assert new.token in server.server.tokens.issued
        assert new.client_id == DEMO_APPLICATION.client_id
    assert caplog.text.count("The token was refreshed") == 1
    assert ("keyring" in caplog.text) == in_keyring
    assert entries.exists() == in_keyring
    assert new.token in entries.read_text() if in_keyring else "access_token" in saved(server)
    assert not in_keyring or old.token not in entries.read_text()
    assert found_in(tmp_path, [old.token, old.refresh_token or "-"]) == []


async def test_a_new_login_replaces_one_before_only_once_it_has_succeeded(folder: Path) -> None:
    async with simulated() as server:
        await enter(server)
        before = saved(server)
        oauth = server.server._oauth
        for mode, words in (("deny", "Access was denied"), ("expire", "The code expired")):
            oauth._flow = DeviceFlow(mode, interval_s=0.01)  # type: ignore[arg-type] # a mode
            with pytest.raises(RefusedError, match=words):
                await enter(server)
            assert saved(server) == before
        oauth._flow = DeviceFlow("slow", interval_s=0.01)
        await enter(server)
        after = saved(server)
        assert after["access_token"] != before["access_token"]
        assert after["previous"] == {name: before[name] for name in ("access_token", "refresh_token")}
        await enter(server)
        assert saved(server)["previous"] == after["previous"]  # the last that has worked
        assert await leave(server) == ""
    assert not folder.exists()
    assert len(server.server.tokens.issued) == 2  # demo-token; and the login between, which no recorder used


async def test_a_token_without_the_scope_is_not_saved_but_revoked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with simulated() as server:
        monkeypatch.setattr("pulsoid_rec.recorder.pulsoid.device_login.SCOPE", "data:heart_rate:read")
        before = list(server.server.tokens.issued)
        with pytest.raises(
            RefusedError, match=r"lacks the scope data:room:read, so the login was not saved. .*ui/keys"
        ):
            await enter(server)
        assert list(server.server.tokens.issued) == before
    assert list(folder.iterdir()) == []


async def test_a_login_that_cannot_be_saved_is_revoked_and_what_was_there_is_unchanged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with simulated() as server:
        await enter(server)
        before, issued = saved(server), set(server.server.tokens.issued)

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("pulsoid_rec.recorder.pulsoid.token_file._replace", full)
            with pytest.raises(StorageError, match="No space left on device, so the login was not saved"):
                await enter(server)
        assert saved(server) == before
        assert set(server.server.tokens.issued) == issued
    assert [path.suffix for path in folder.iterdir()] == [".json"]


@pytest.mark.parametrize("place", ["a file", "/proc/nowhere"])
async def test_where_nothing_can_be_written_the_user_is_not_asked_for_anything(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / place))
    async with simulated() as server:
        with pytest.raises(
            (StorageError, UsageError), match=r"Cannot save the login|The folder of logins .* is not used"
        ):
            await enter(server)
        assert server.server._oauth._logins == {}


@pytest.mark.parametrize("in_keyring", [False, True])
async def test_after_logout_no_byte_of_a_token_is_left_here_or_valid_there(
    in_keyring: bool, tmp_path: Path, folder: Path, entries: Path
) -> None:
    async with simulated() as server:
        await enter(server, in_keyring=in_keyring)
        await enter(server, in_keyring=in_keyring)
        path = login_path(parse_server_url(server.url))
        leftover = path.with_name(f".{path.name}.0123abcd.part")  # as a kill leaves it
        leftover.write_text(path.read_text())
        mine = [token for token in tokens_of(server) if not token.startswith("demo-")]
        assert found_in(tmp_path, mine)
        assert await leave(server) == ""
        assert list(server.server.tokens.issued) == ["demo-token"]
        assert await leave(server) is None
    assert found_in(tmp_path, mine) == []
    assert not folder.exists()
    assert not entries.exists() or json.loads(entries.read_text()) == {}


async def test_a_logout_that_cannot_revoke_removes_nothing_unless_forced(folder: Path) -> None:
    async with simulated() as server:
        await enter(server)
        before = saved(server)
    with pytest.raises(RefusedError, match=r"may still be valid: no connection to .*\. Nothing was removed.*--force"):
        await leave(server)
    assert saved(server) == before
    assert "The token was not revoked, and may still be valid" in (await leave(server, force=True) or "")
    assert not folder.exists()


async def test_a_login_without_refresh_tokens_is_revoked_with_the_one_before_it(folder: Path) -> None:
    async with simulated(tokens=(Token("token-now-0123"), Token("token-before-0123"), Token("of-another"))) as server:
        url = parse_server_url(server.url)
        folder.mkdir(parents=True, mode=0o700)
        fields = {"access_token": "token-now-0123", "previous": {"access_token": "token-before-0123"}}
        login_path(url).write_text(json.dumps(fields | {"server": url.url}))
        assert await leave(server) == ""
        assert list(server.server.tokens.issued) == ["of-another"]


async def test_a_server_without_revocation_is_asked_whether_the_token_is_still_valid() -> None:
    expired = answer(403, b'{"error_code": 7006, "error_message": "token_expired"}')
    for validate, is_gone in ((answer(200, VALID), False), (answer(500), False), (expired, True)):

        async def refuse(visit: Visit) -> None:
            await visit.send(answer(404))

        async with open_hostile_server(refuse, validate=validate) as server:
            url = parse_server_url(server.url)
            path = login_path(url)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_text(json.dumps({"access_token": "token-0123", "server": url.url}))
            refusal = None
            try:
                await log_out(url, timings=QUICK)
            except RefusedError as error:
                refusal = str(error)
            assert path.exists() != is_gone
            assert is_gone or "did not revoke the token, which is still valid. Nothing was removed" in str(refusal)


async def test_a_login_that_cannot_be_read_is_removed_only_by_force(folder: Path) -> None:
    url = parse_server_url("ws://127.0.0.1:1")
    folder.mkdir(parents=True, mode=0o700)
    login_path(url).write_text('{"access_token": "token-')
    with pytest.raises(UsageError, match=r"not valid JSON\. Nothing was removed"):
        await log_out(url, timings=QUICK)
    assert "not valid JSON" in (await log_out(url, force=True, timings=QUICK) or "")
    assert not folder.exists()


async def test_a_login_in_clear_beyond_this_machine_is_refused_and_nothing_is_sent(folder: Path) -> None:
    with pytest.raises(UsageError, match="anybody on the way could take the token"):
        await log_in(parse_server_url("ws://192.0.2.1"), "an-id", lambda _: None, timings=QUICK)
    assert not folder.exists()


async def test_a_lock_that_is_never_released_ends_login_and_logout(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated() as server:
        await enter(server)
        before = saved(server)
        async with login_module._lock(login_path(parse_server_url(server.url)), QUICK):
            with pytest.raises(StorageError, match="The login is in use: another process keeps"):
                await leave(server)
            with pytest.raises(StorageError, match="so the login was not saved"):
                await enter(server)
        assert saved(server) == before


async def test_cancelled_while_it_waits_nothing_is_saved(folder: Path) -> None:
    async with simulated("ask") as server:
        with trio.move_on_after(0.2) as scope:
            await enter(server)
        assert scope.cancelled_caught
    assert list(folder.iterdir()) == []


# The keyring


async def test_in_the_keyring_no_token_is_in_a_file_and_a_login_moves_between_both(folder: Path, entries: Path) -> None:
    async with simulated() as server:
        await enter(server, in_keyring=True)
        assert saved(server).keys() == {"server", "keyring"}
        url = parse_server_url(server.url)
        first = find_credentials(None, url).read(url)
        await enter(server)
        assert json.loads(entries.read_text()) == {}
        assert saved(server)["previous"]["access_token"] == first.token
        await enter(server, in_keyring=True)
        assert found_in(folder, tokens_of(server)) == []
        assert len(json.loads(entries.read_text())) == 1


async def test_a_first_entry_is_named_by_the_file_before_it_is_written_and_not_if_it_cannot_be(
    entries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = FileKeyring.set_password
    named: list[str] = []

    async with simulated() as server:

        def note(self: FileKeyring, service: str, entry: str, text: str) -> None:
            if not entry.endswith("test"):
                named.append(saved(server)["keyring"])
                assert entry == named[-1]
                if len(named) == 1:
                    raise PasswordSetError
            write(self, service, entry, text)

        monkeypatch.setattr(FileKeyring, "set_password", note)
        with pytest.raises(StorageError, match="it refused to store the login, so the login was not saved"):
            await enter(server, in_keyring=True)
        assert not login_path(parse_server_url(server.url)).exists()
        await enter(server, in_keyring=True)
        assert len(named) == 2
        assert "access_token" in entries.read_text()


async def test_a_keyring_that_is_locked_lacking_or_without_the_login_is_one_clear_sentence(
    folder: Path, entries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with simulated() as server:
        await enter(server, in_keyring=True)
        url = parse_server_url(server.url)
        credentials = find_credentials(None, url)
        system_keyring.read.cache_clear()
        with monkeypatch.context() as patch:
            patch.delenv("PULSOID_TEST_KEYRING")
            for attempt in (lambda: credentials.read(url), lambda: system_keyring.require_usable(url.url)):
                with pytest.raises(UsageError, match=r"keyring cannot be used: it is locked\. Unlock it") as error:
                    attempt()
                assert "token-in-an-error" not in repr(error.value)
            with pytest.raises(OSError, match="it is locked"):
                credentials.write({"previous": None})
            with pytest.raises(UsageError, match="it is locked"):
                await enter(server, in_keyring=True)
            with pytest.raises(StorageError, match="Cannot remove the login"):
                await leave(server, force=True)
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "keyring", None)
            with pytest.raises(UsageError, match=r"pip install pulsoid-rec\[keyring\]"):
                credentials.read(url)
        with monkeypatch.context() as patch:
            patch.setattr(FileKeyring, "set_password", lambda *_: None)
            with pytest.raises(UsageError, match="keyring stores nothing"):
                await enter(server, in_keyring=True)
        entries.write_text("{}")
        system_keyring.read.cache_clear()
        with pytest.raises(UsageError, match=r"There is no login .* in the system's keyring\. Log in again"):
            credentials.read(url)
        assert await leave(server) == ""
    assert not folder.exists()


async def test_while_a_keyring_hangs_messages_are_received_and_the_end_comes_in_time(
    tmp_path: Path, entries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, released = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        hangs.set()
        released.wait(10)

    def hangs_for_a_new_login() -> bool:
        """Make the file look like a new login: again, since a read before the hang may be under way."""
        os.utime(login_path(parse_server_url(server.url)), ns=(0, next(times)))
        return hangs.is_set()

    times = itertools.count()
    async with simulated() as server:
        await enter(server, in_keyring=True)
        recorder = make_recorder(server, tmp_path / "a.duckdb", replace(QUICK, token_end_interval_s=0.05))
        status = recorder.rooms[0].status
        with trio.fail_after(8):
            async with running(recorder):
                await until(lambda: server.connected("demo") == 1)
                monkeypatch.setattr(FileKeyring, "get_password", hang)
                await until(hangs_for_a_new_login)
                await server.update_room("demo", {"name": "Final"})
                await until(lambda: status.messages == 1)
                await server.drop_connections()  # now the room waits for the keyring
                await until(lambda: server.connected("demo") == 0)
        assert not released.is_set()
        released.set()


@pytest.mark.skipif(os.name != "posix", reason="Windows has a home folder, and links only for administrators")
async def test_where_a_login_cannot_be_saved_for_long_nobody_is_asked_for_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with simulated() as server:
        url = parse_server_url(server.url)
        folder.mkdir(parents=True)
        login_path(url).symlink_to(folder / "elsewhere")
        with pytest.raises(UsageError, match=r"is a symbolic link, and no token is written through one\. Remove it"):
            await log_in(url, "an-id", lambda _: pytest.fail("asked"), timings=QUICK)
        monkeypatch.delenv("XDG_CONFIG_HOME")
        monkeypatch.delenv("HOME", raising=False)
        monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # as of a user in a container
        with pytest.raises(UsageError, match=r"no home folder, and so no folder of logins\. Set HOME"):
            find_credentials(None, url)


async def test_a_file_cannot_send_an_entry_of_the_keyring_to_another_server(tmp_path: Path, entries: Path) -> None:
    async with simulated() as server:
        await enter(server, in_keyring=True)
        evil = parse_server_url("wss://evil.example")
        file = tmp_path / "evil.json"
        file.write_text(json.dumps(saved(server) | {"server": evil.url}))
        with pytest.raises(UsageError, match=f"belongs to {server.url}, and is not sent to wss://evil.example"):
            find_credentials(file, evil).read(evil)
