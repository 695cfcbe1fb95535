"""Proxies: which is used for which server, what passes through, and what is said when nothing does."""

import logging
import ssl
import threading
from functools import partial
from pathlib import Path

import pytest
import trio
import trustme
from command import run_command
from hostile_server import Visit, open_hostile_server, reading, text
from proxy_servers import ProxyServer, Shake, http, open_proxy, socks4, socks5
from recording_run import connection_events, make_recorder, rows, running, until

from pulsoid_rec.recorder.connection import proxy as proxy_module
from pulsoid_rec.recorder.connection.proxy import find_proxy
from pulsoid_rec.recorder.connection.server_url import ServerUrl, parse_server_url
from pulsoid_rec.recorder.connection.websocket import CannotConnectError, open_stream
from pulsoid_rec.recorder.contract.errors import ExitCode, UsageError
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE
from pulsoid_rec.recorder.pulsoid.http_client import request
from pulsoid_rec.recorder.pulsoid.token_check import check_token

TOKEN = "t0ken-nobody-may-see"
PASSWORD = "p@ss/w0rd:nobody may see"
QUOTED = "p%40ss%2Fw0rd%3Anobody%20may%20see"
HOST = "pulsoid.example"  # resolved by proxies alone
ADDRESS = "192.0.2.7"  # reached through proxies alone


@pytest.mark.parametrize(
    ("url", "environment", "found"),
    [
        ("wss://h", {}, None),
        ("wss://h", {"https_proxy": "http://p:3128"}, "http://p:3128"),
        ("wss://h", {"HTTPS_PROXY": "p:3128"}, "http://p:3128"),
        ("wss://h", {"http_proxy": "http://p:3128"}, None),
        ("ws://h", {"http_proxy": "http://p:3128"}, "http://p:3128"),
        ("ws://h", {"https_proxy": "http://p:3128"}, None),
        ("wss://h", {"all_proxy": "socks5h://p"}, "socks5h://p:1080"),
        ("ws://h", {"ALL_PROXY": "socks://p:9/"}, "socks5h://p:9"),
        ("wss://h", {"all_proxy": "socks4://a", "https_proxy": "HTTPS://b"}, "https://b:443"),
        ("wss://h", {"all_proxy": "http://a", "socks_proxy": "b:1"}, "socks5h://b:1"),
        ("wss://h", {"https_proxy": "http://a", "wss_proxy": "http://b:1"}, "http://b:1"),
        ("ws://h", {"http_proxy": "http://a", "WS_PROXY": "http://b:1"}, "http://b:1"),
        ("wss://h", {"https_proxy": "", "HTTPS_PROXY": "http://a"}, None),
        ("wss://h", {"https_proxy": "http://[2001:db8::1]:8080"}, "http://[2001:db8::1]:8080"),
        ("wss://a.h", {"https_proxy": "http://p", "no_proxy": "x, h"}, None),
        ("wss://a.h", {"https_proxy": "http://p", "NO_PROXY": ".h"}, None),
        ("wss://a.h", {"https_proxy": "http://p", "NO_PROXY": "*"}, None),
        ("wss://a.h:8443", {"https_proxy": "http://p", "no_proxy": "a.h:8443"}, None),
        ("wss://a.h", {"https_proxy": "http://p", "no_proxy": "a.h:8443,b.h"}, "http://p:80"),
        *(
            (f"{url}:8765", {"all_proxy": "http://p"}, None)
            for url in ("ws://127.0.0.1", "ws://localhost", "ws://[::1]")
        ),
        ("wss://localhost", {"https_proxy": "http://p"}, None),
        ("wss://localhost", {"https_proxy": "no proxy at all"}, None),
    ],
)
def test_the_environment_names_the_proxy(
    monkeypatch: pytest.MonkeyPatch, url: str, environment: dict[str, str], found: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    proxy = find_proxy(parse_server_url(url))
    assert (proxy and f"{proxy.scheme}://{proxy.authority}") == found


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"socks": "http://10.0.0.1:1080"}, "socks5h"),  # as macOS has it
        ({"socks": "socks://10.0.0.1:1080", "https": "socks4://10.0.0.1:1080"}, "socks4"),  # as Windows has it
        ({"socks": "http://10.0.0.1:1080", "https": "http://10.0.0.1:3128"}, "http"),
    ],
)
def test_the_systems_own_settings_name_it_too(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], found: str
) -> None:
    monkeypatch.setattr(proxy_module, "getproxies", lambda: settings)
    proxy = find_proxy(parse_server_url("wss://h"))
    assert proxy is not None
    assert proxy.scheme == found


def test_user_and_password_are_decoded_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", f"http://us%C3%A9r:{QUOTED}@p:1")
    proxy = find_proxy(parse_server_url("wss://h"))
    assert proxy is not None
    assert (proxy.user, proxy.password) == ("usér", PASSWORD)
    assert not {"usér", PASSWORD} & set(repr(proxy).split("'"))


INVALID = [
    *(
        "ftp://u:secret@p:1",
        "u:secret://p",
        "http://",
        "http://u:secret@",
        "http://u:sec#ret@p:1",
        "http://u:sec/ret@p:1",
    ),
    *("http://sec/ret:x@p:1", "http://u:sec?ret@p:1", "http://u:secret@p:0", "http://u:secret@p:99999", "secret thing"),
    *(
        "http://u:secret@[::1",
        f"http://{'secret' * 20}.com",
        "socks5://u:secr%C3%A9t@p",
        f"socks5://u:{'secret' * 50}@p",
    ),
    *("http://u:secret%00@p", "http://u:secret\udcff@p", "http://u:secret@p:http"),
]


@pytest.mark.parametrize("url", INVALID)
def test_a_setting_that_is_no_proxy_is_wrong_usage_and_not_repeated(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(proxy_module, "getproxies", lambda: {"https": url})
    with pytest.raises(UsageError, match="The setting https_proxy is not the URL of a proxy") as caught:
        find_proxy(parse_server_url("wss://h"))
    assert caught.value.exit_code is ExitCode.USAGE
    assert "sec" not in str(caught.value)


@pytest.mark.process
def test_the_command_refuses_such_a_setting_before_it_makes_a_file(tmp_path: Path) -> None:
    done = run_command("record", "x", cwd=tmp_path, PULSOID_TOKEN=TOKEN, https_proxy="http://u:sec#ret@p:1")
    assert done.returncode == 2
    assert done.stderr.startswith("pulsoid-rec: The setting https_proxy is not the URL of a proxy. Give it as ")
    assert done.stderr.count("\n") == 1
    assert "sec" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate, of an authority that is trusted here."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST, ADDRESS, "localhost").configure_cert(context)
    return context


def use(monkeypatch: pytest.MonkeyPatch, scheme: str, proxy: ProxyServer, credentials: str = "") -> None:
    monkeypatch.setenv("all_proxy", f"{scheme}://{credentials}localhost:{proxy.port}")


KINDS: list[tuple[str, Shake, str]] = [
    ("http", http, HOST),
    ("http", http, ADDRESS),
    ("https", http, HOST),
    ("socks5h", socks5, HOST),
    ("socks5", socks5, ADDRESS),
    ("socks4a", socks4, HOST),
    ("socks4", socks4, ADDRESS),
]


@pytest.mark.process
@pytest.mark.parametrize(("scheme", "shake", "host"), KINDS)
@pytest.mark.parametrize("has_user", [False, True])
async def test_check_refresh_and_room_pass_through_every_kind_of_proxy(
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tls: ssl.SSLContext,
    scheme: str,
    shake: Shake,
    host: str,
    has_user: bool,
) -> None:
    async def talk(visit: Visit) -> None:
        await visit.accept(*(text(reading(number)) for number in range(3)))
        await visit.until_gone()

    caplog.set_level(logging.DEBUG)
    password = PASSWORD if has_user and shake is not socks4 else ""
    user = "user" if has_user else ""
    async with open_hostile_server(talk, tls=tls) as server:
        own_tls = tls if scheme == "https" else None
        async with open_proxy(shake, server.port, user=user, password=password, tls=own_tls) as proxy:
            use(monkeypatch, scheme, proxy, f"{user}:{QUOTED if password else ''}@" if user else "")
            where = parse_server_url(f"wss://{host}:8443")
            assert (await request(where, "POST", "/api/v1/token/validate", {}, b"x"))[0] == 200
            async with running(make_recorder(where, tmp_path / "room.duckdb")) as recorder:
                await until(lambda: recorder.rooms[0].status.readings == 3)
    assert proxy.targets == [f"{host}:8443"] * 3
    assert [event for event, *_ in connection_events(tmp_path / "room.duckdb")] == ["opened", "closed"]
    left = caplog.text.encode() + b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert not any(secret.encode() in left for secret in (TOKEN, PASSWORD, QUOTED))
    assert proxy.connections == 0


@pytest.mark.process
async def test_an_unencrypted_server_elsewhere_is_reached_through_a_tunnel_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_hostile_server(Visit.accept) as server, open_proxy(http, server.port) as proxy:
        use(monkeypatch, "http", proxy)
        await check_token(ServerUrl(HOST, 80, None), TOKEN)
    assert proxy.targets == [f"{HOST}:80"]


@pytest.mark.process
async def test_a_server_on_this_machine_never_sees_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_hostile_server(Visit.accept) as server, open_proxy(http, server.port) as proxy:
        use(monkeypatch, "http", proxy)
        await check_token(parse_server_url(server.url), TOKEN)
    assert proxy.targets == []


def sending(data: bytes, *, stays: bool = False) -> Shake:
    async def act(reader: object, _: ProxyServer) -> bool:
        await reader.take(1)  # type: ignore[attr-defined] # a name of the test server alone
        await reader.send(data)  # type: ignore[attr-defined] # a name of the test server alone
        if stays:
            await trio.sleep_forever()
        return False

    return act


@pytest.mark.process
@pytest.mark.parametrize(
    ("scheme", "shake", "options", "words"),
    [
        ("http", http, {"refusal": 403}, "the proxy {} answered 403 instead of opening a tunnel"),
        ("http", http, {"refusal": 502}, "the proxy {} answered 502 instead of opening a tunnel"),
        ("http", sending(b"HTTP/1.1 103 X\r\n\r\nHTTP/1.1 503 Y\r\n\r\n", stays=True), {}, "the proxy {} answered 503"),
        ("http", http, {"user": "u"}, "the proxy {} requires a user and a password in its URL (407)"),
        ("http://u:wrong@", http, {"user": "u"}, "the proxy {} refused the user or the password in its URL (407)"),
        (
            "https",
            sending(b"HTTP/1.1 400 No\r\n\r\n"),
            {},
            "no connection to the proxy {}: it does not answer in TLS; perhaps its URL should begin",
        ),
        ("socks5h", socks5, {"refusal": 2}, "the proxy {} opened no tunnel: connection not allowed by ruleset"),
        ("socks5h", socks5, {"refusal": 99}, "the proxy {} opened no tunnel: invalid reply code"),
        ("socks5h", socks5, {"user": "u"}, "the proxy {} opened no tunnel: no acceptable authentication methods"),
        ("socks5h://u:wrong@", socks5, {"user": "u"}, "the proxy {} opened no tunnel: username and password auth"),
        ("socks4a", socks4, {"refusal": 0x5B}, "the proxy {} opened no tunnel: request rejected or failed"),
        (
            "socks5h",
            sending(b"\x05\x02", stays=True),
            {},
            "the proxy {} opened no tunnel: unexpected SOCKS authentication method",
        ),
        (
            "socks5h",
            sending(b"\x05\0\x05\0\0\x03\x01\xff\0\0", stays=True),
            {},
            "the proxy {} opened no tunnel: 'utf-8' codec",
        ),
        ("socks5h", http, {}, "{}"),
        ("http", socks5, {}, "{}"),
    ],
)
async def test_a_proxy_that_refuses_is_named_and_waiting_may_help(
    monkeypatch: pytest.MonkeyPatch, scheme: str, shake: Shake, options: dict[str, object], words: str
) -> None:
    async with open_proxy(shake, 1, **options) as proxy:  # type: ignore[arg-type] # any of them
        scheme, _, credentials = scheme.partition("://")
        use(monkeypatch, scheme, proxy, credentials)
        with pytest.raises(CannotConnectError) as caught:
            await open_stream(parse_server_url(f"wss://{HOST}"), Timings(connect_timeout_s=0.5))
    assert words.format(f"localhost:{proxy.port}") in caught.value.reason
    assert caught.value.status is None  # it is the proxy's, not the server's
    assert "wrong" not in str(caught.value)
    assert "\n" not in caught.value.reason


@pytest.mark.process
@pytest.mark.parametrize("scheme", ["http", "https", "socks5h", "socks4a"])
@pytest.mark.parametrize(
    "shake",
    [
        sending(b"", stays=True),
        sending(b""),
        sending(b"SSH-2.0-OpenSSH_9.6\r\n"),
        sending(b"\0" * 100_000),
        sending(b"H"),
    ],
    ids=["silent", "closing", "ssh", "zeros", "short"],
)
async def test_what_is_no_proxy_is_named_within_the_timeout_and_left(
    monkeypatch: pytest.MonkeyPatch, scheme: str, shake: Shake
) -> None:
    async with open_proxy(shake, 1) as proxy:
        use(monkeypatch, scheme, proxy)
        with trio.fail_after(5), pytest.raises(CannotConnectError, match=f"proxy localhost:{proxy.port}"):
            await open_stream(parse_server_url(f"wss://{HOST}"), Timings(connect_timeout_s=0.2))


@pytest.mark.process
@pytest.mark.parametrize("scheme", ["http", "https", "socks5h", "socks4a"])
async def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("https_proxy", f"{scheme}://user:{QUOTED}@127.0.0.1:1")
    with pytest.raises(CannotConnectError, match=r"no connection to the proxy 127\.0\.0\.1:1: connection refused"):
        await open_stream(parse_server_url(f"wss://{HOST}"))


@pytest.mark.process
async def test_a_name_that_the_proxy_leaves_to_us_and_nobody_knows_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_proxy(socks5, 1) as proxy:
        use(monkeypatch, "socks5", proxy)
        with pytest.raises(CannotConnectError, match=r"nowhere\.invalid was not found; a proxy of socks5h://"):
            await open_stream(parse_server_url("wss://nowhere.invalid"))


@pytest.mark.process
@pytest.mark.parametrize("scheme", ["http", "socks5h"])
async def test_a_cancelled_attempt_leaves_no_connection_to_the_proxy(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    async with open_proxy(_wait_for_the_end, 1) as proxy:
        use(monkeypatch, scheme, proxy)
        with trio.move_on_after(0.2):
            await open_stream(parse_server_url(f"wss://{HOST}"))
        await until(lambda: proxy.connections == 0)


@pytest.mark.process
async def test_a_system_that_takes_long_to_choose_a_proxy_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(proxy_module, "getproxies", lambda: {"https": "p:1"} if release.wait(10) else {})
    try:
        with (
            trio.fail_after(2),
            pytest.raises(CannotConnectError, match="the system's choice of a proxy for h does not"),
        ):
            await open_stream(parse_server_url("wss://h"), Timings(connect_timeout_s=0.1))
    finally:
        release.set()


async def _wait_for_the_end(reader: object, _: ProxyServer) -> bool:
    await reader.take(2**20)  # type: ignore[attr-defined] # a name of the test server alone
    return False


@pytest.mark.process
async def test_a_proxy_of_https_has_to_have_a_certificate_that_is_trusted(
    monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext
) -> None:
    async with open_proxy(http, 1, tls=tls) as proxy:
        monkeypatch.setenv("https_proxy", f"https://127.0.0.1:{proxy.port}")  # it is localhost's
        with pytest.raises(CannotConnectError, match=rf"the proxy 127\.0\.0\.1:{proxy.port}: its certificate is not"):
            await open_stream(parse_server_url(f"wss://{HOST}"))
    assert proxy.targets == []


@pytest.mark.process
async def test_the_certificate_has_to_be_the_servers_whatever_the_proxy_does(
    monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext
) -> None:
    async with open_hostile_server(Visit.accept, tls=tls) as server, open_proxy(http, server.port) as proxy:
        use(monkeypatch, "http", proxy)
        with pytest.raises(
            CannotConnectError, match=r"other.example \(through the proxy localhost:\d+\): its certificate is not"
        ):
            await open_stream(parse_server_url("wss://other.example"))
    assert server.heads == []


@pytest.mark.process
async def test_a_recorder_waits_for_a_proxy_as_for_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext
) -> None:
    async def talk(visit: Visit) -> None:
        await visit.accept(text(reading(1)))
        await visit.until_gone()

    database = tmp_path / "room.duckdb"
    async with open_hostile_server(talk, tls=tls) as server:
        async with open_proxy(http, server.port) as proxy:
            use(monkeypatch, "http", proxy)
            port = proxy.port
        async with running(make_recorder(f"wss://{HOST}", database)) as recorder:
            await until(lambda: recorder.rooms[0].status.problem is not None)
            async with open_proxy(http, server.port, refusal=403, port=port):  # no refusal of the room
                await until(lambda: "answered 403" in str(recorder.rooms[0].status.problem))
            async with open_proxy(http, server.port, port=port):
                await until(lambda: recorder.rooms[0].status.readings == 1)
                recorder.stop.set()
    reasons = [reason for event, _, reason in connection_events(database) if event == "lost"]
    assert reasons[0] == f"no connection to the proxy localhost:{port}: connection refused"
    assert f"the proxy localhost:{port} answered 403 instead of opening a tunnel" in reasons
    assert rows(database, "SELECT count(*) FROM heart_rate") == [(1,)]


@pytest.mark.process
@pytest.mark.parametrize(("scheme", "shake"), [("http", http), ("socks5h", socks5)])
async def test_the_command_takes_it_from_its_environment_and_names_it_once(
    tmp_path: Path, tls: ssl.SSLContext, scheme: str, shake: Shake
) -> None:
    async def talk(visit: Visit) -> None:
        await visit.accept(text(reading(1)))
        await visit.until_gone()

    database = tmp_path / "room.duckdb"
    async with open_hostile_server(talk, tls=tls) as server:
        async with open_proxy(shake, server.port, user="user", password=PASSWORD) as proxy:
            environment = {
                "https_proxy": f"{scheme}://user:{QUOTED}@localhost:{proxy.port}",
                "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
                "PULSOID_TOKEN": TOKEN,
            }
            options = ("--server", f"wss://{HOST}", "--db", database, "--duration", "1")
            run = partial(run_command, cwd=tmp_path, **environment)
            done = await trio.to_thread.run_sync(run, "record", "room", *options)
    assert done.returncode == 0, done.stderr
    announced, connected, totals = done.stderr.splitlines()
    assert announced.endswith(f"Connecting through the proxy localhost:{proxy.port}.")
    assert connected.endswith("room: connected.")
    assert totals.startswith("Recorded 1 reading of 1 member")
    assert proxy.targets == [f"{HOST}:443"] * 2
    left = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert not any(secret in left for secret in (PASSWORD.encode(), QUOTED.encode()))
