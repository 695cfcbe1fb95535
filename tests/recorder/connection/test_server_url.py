"""The server's URL, taken apart."""

import pytest

from pulsoid_rec.recorder.connection.server_url import parse_server_url
from pulsoid_rec.recorder.contract.errors import UsageError


@pytest.mark.parametrize(
    ("url", "authority", "prefix", "is_safe", "is_here"),
    [
        ("wss://dev.pulsoid.net", "dev.pulsoid.net", "", True, False),
        ("wss://dev.pulsoid.net:443/", "dev.pulsoid.net", "", True, False),
        ("WSS://Dev.Pulsoid.NET:8443/a/b/", "dev.pulsoid.net:8443", "/a/b", True, False),
        ("ws://127.0.0.1:8765", "127.0.0.1:8765", "", False, True),
        ("ws://127.9.9.9", "127.9.9.9", "", False, True),
        ("ws://localhost:80", "localhost", "", False, True),
        ("ws://[::1]:8765", "[::1]:8765", "", False, True),
        ("ws://localhost.evil.example", "localhost.evil.example", "", False, False),
        ("ws://192.168.1.5", "192.168.1.5", "", False, False),
        ("ws://münchen.example/ü x", "münchen.example", "/%C3%BC%20x", False, False),
        ("ws://host/a%20b", "host", "/a%20b", False, False),
    ],
)
def test_a_url_says_where_the_server_is(url: str, authority: str, prefix: str, is_safe: bool, is_here: bool) -> None:
    server = parse_server_url(url)
    assert (server.authority, server.prefix, server.tls is not None) == (authority, prefix, is_safe)
    assert server.is_this_machine is is_here
    assert server.validate_path == f"{prefix}/api/v1/token/validate"
    assert server.token_path == f"{prefix}/oauth2/token"


def test_a_room_may_be_named_with_any_characters_and_the_url_holds_no_token() -> None:
    path = parse_server_url("ws://host/x").room_path("a/b?c#d ü%", ("heart_rate", "room_updated"))
    assert path == "/x/api/v2/data/rooms/a%2Fb%3Fc%23d%20%C3%BC%25/real_time?kinds=heart_rate,room_updated"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "dev.pulsoid.net",
        "https://dev.pulsoid.net",
        "ws://",
        "ws://:80",
        "ws://host:port",
        "ws://host:99999",
        "ws://host:0",
        "ws://[::1",
        "ws://a..b",
        f"ws://{'a' * 64}.example",
        "ws://user:s3cret@host",
        "ws://s3cret@host",
        "ws://user:s3cret@host:port",
        "ws://host?access_token=s3cret",
        "ws://a..b?access_token=s3cret",
        "ws://host#s3cret",
    ],
)
def test_what_is_no_url_of_a_server_is_refused_and_secrets_in_it_are_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_server_url(url)
    assert "--server" in caught.value.message
    assert "s3cret" not in str(caught.value)
    assert "wss://dev.pulsoid.net" in caught.value.hint
