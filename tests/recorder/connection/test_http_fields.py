"""What a server that refuses says: when to come back, and where it moved to."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsoid_rec.recorder.connection.http_fields import parse_origin, parse_retry_after

NOW = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("60", 60),
        ("9" * 5000, 1e9),
        ("Sun, 29 Nov 2026 12:01:30 GMT", 90),
        ("Sunday, 29-Nov-26 12:01:30 GMT", 90),
        ("Sun Nov 29 12:01:30 2026", 90),
        ("Sun, 29 Nov 2026 11:00:00 GMT", 0),  # over
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("Sun, 99 Nov 2026 12:01:30 GMT", None),
        (f"Sun, 29 Nov {'9' * 20} 12:01:30 GMT", None),
        (f"Sun, 29 Nov 2026 12:01:30 +{'9' * 20}", None),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert parse_retry_after(text, NOW) == seconds


@pytest.mark.parametrize(
    ("location", "origin"),
    [
        (None, None),
        ("/elsewhere", None),
        ("https://new.example/a/secret?token=secret#secret", "https://new.example"),
        ("wss://user:secret@new.example:8443/", "wss://new.example:8443"),
        ("http://127.0.0.1:1/new", "http://127.0.0.1:1"),
        ("http://[::1]:8080/new", "http://[::1]:8080"),
        ("http://new.example:port/", None),
        ("http://[::1/", None),
        ("http://a\x1b[2J/", None),
        ("javascript:alert(1)", None),
        ("http://" + "a" * 300, None),
    ],
)
def test_of_a_location_only_scheme_host_and_port_are_shown(location: str | None, origin: str | None) -> None:
    assert parse_origin(location) == origin


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_whatever_a_server_sends_raises_nothing(text: str) -> None:
    wait_s = parse_retry_after(text, NOW)
    assert wait_s is None or wait_s >= 0
    assert (parse_origin(text) or "").isascii()
    assert (parse_origin(f"http://{text}") or "").isprintable()
