"""A room against servers that misbehave: over real sockets, and judged by what is in the database."""

import errno
import logging
import os
import re
import ssl
import time
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trustme
from hostile_server import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Act,
    Visit,
    answer,
    close,
    frame,
    open_hostile_server,
    reading,
    text,
)
from recording_run import FAST, connection_events, make_recorder, rows, running, until
from simulator_control import open_simulator

from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS
from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE
from pulsoid_rec.recorder.recorder import Recorder
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

pytestmark = pytest.mark.process

LOST = ("lost", 1006, "the connection was lost (1006)")
STOPPED = ("closed", 1000, "the recorder was stopped")
OPENED = ("opened", None, None)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(TOKEN_VARIABLE, DEMO_TOKEN)
    return tmp_path / "room.duckdb"


async def stay(visit: Visit) -> None:
    """Be a good server, whose room is silent."""
    await visit.accept()
    await visit.until_gone()


def readings(recorder: Recorder) -> int:
    return recorder.rooms[0].status.readings


async def record(
    database: Path, *acts: Act, expect: int = 0, limits: Limits = DEFAULT_LIMITS
) -> list[tuple[str, int | None, str | None]]:
    """Record from a server that does these acts and then behaves; return the events of the connections."""
    async with open_hostile_server(*acts, stay) as server:
        async with running(make_recorder(server.url, database, limits=limits)) as recorder:
            await until(lambda: len(server.heads) == len(acts) + 1 and recorder.rooms[0].status.state == "live")
            await until(lambda: readings(recorder) == expect)
    events = connection_events(database)
    assert events[-2:] == [OPENED, STOPPED]
    return events[:-2]


def stored(database: Path) -> list[str]:
    """List who had a reading, in the order of the table."""
    return [profile for (profile,) in rows(database, "SELECT profile_id FROM heart_rate ORDER BY rowid")]


# No WebSocket comes about


def answering(data: bytes, *, closes: bool = True) -> Act:
    async def act(visit: Visit) -> None:
        await visit.send(data)
        if not closes:
            await visit.until_gone()

    return act


async def close_silently(visit: Visit) -> None:
    """Close without an answer."""


async def reset(visit: Visit) -> None:
    await visit.reset()


NO_UPGRADE = "the server answered {} instead of opening a WebSocket"
NONSENSE = ("lost", None, "the server's answer does not open a WebSocket")


ANSWERS: list[tuple[Act, tuple[str, int | None, str]]] = [
    (close_silently, ("lost", None, "the server closed the connection before it answered")),
    (reset, ("lost", None, "the server closed the connection before it answered")),
    (answering(answer(500, b"oops")), ("refused", 500, NO_UPGRADE.format(500))),
    (answering(answer(502, b"<html>Bad gateway</html>")), ("refused", 502, NO_UPGRADE.format(502))),
    (answering(answer(503, b"to the end of it", length=False)), ("refused", 503, NO_UPGRADE.format(503))),
    (
        answering(answer(200, b"<!doctype html>", "Content-Type: text/html")),
        ("refused", 200, NO_UPGRADE.format(200)),
    ),
    (answering(b"HTTP/1.0 400 Bad\r\n\r\n"), ("refused", 400, NO_UPGRADE.format(400))),
    (answering(answer(103)), ("lost", None, "the server closed the connection before it answered")),
    (answering(b"SSH-2.0-OpenSSH_9.6\r\n"), NONSENSE),
    (answering(bytes(range(256)) * 50), NONSENSE),
    (answering(b"HTTP/1.1 1O1 Switching\r\n\r\n"), NONSENSE),
    (answering(b"HTTP/1.1 101 No upgrade\r\n\r\n"), NONSENSE),
    (answering(b"HTTP/1.1 101 X\r\nConnection: \xfc\r\nUpgrade: websocket\r\n\r\n"), NONSENSE),
    (
        answering(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n"),
        NONSENSE,
    ),
    (lambda visit: visit.accept(lines="Sec-WebSocket-Extensions: permessage-deflate\r\n"), NONSENSE),
    (lambda visit: visit.accept(lines="Sec-WebSocket-Protocol: \xfc\r\n"), NONSENSE),
]


async def part(visit: Visit) -> None:
    """Be a good server that has to go."""
    await visit.accept(close(1001))
    await visit.until_gone()


async def test_whatever_is_answered_that_opens_no_websocket_is_noted_and_tried_again(database: Path) -> None:
    acts = [one for act, _ in ANSWERS for one in (act, part)]
    events = await record(database, *acts)
    parted = [OPENED, ("closed", 1001, "the server is going away (1001)")]
    assert events == [one for _, event in ANSWERS for one in (event, *parted)]


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (b"", ("lost", None, "localhost:{} does not answer")),
        (b"HTTP/1.1 101 Swi", ("lost", None, "localhost:{} does not answer")),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 10", ("lost", None, "localhost:{} does not answer")),
        (b"HTTP/1.1 502 Bad\r\n\r\nwithout an end", ("refused", 502, NO_UPGRADE.format(502))),
        (b"HTTP/1.1 401 No\r\nContent-Length: 999\r\n\r\n", ("refused", 401, NO_UPGRADE.format(401))),
    ],
)
async def test_an_upgrade_that_is_never_answered_to_its_end_is_given_up(
    database: Path, data: bytes, event: tuple[str, int | None, str]
) -> None:
    timings = replace(FAST, connect_timeout_s=0.2)
    silent = answering(data, closes=False)
    async with open_hostile_server(stay, silent, stay) as server:
        async with running(make_recorder(server.url, database, "a", "b", timings=timings)) as recorder:
            await until(lambda: len(server.heads) == 3)
            await until(lambda: all(room.status.state == "live" for room in recorder.rooms))
    kind, code, reason = event
    assert (kind, code, reason.format(server.port)) in connection_events(database)


async def test_a_redirect_is_not_followed_and_its_target_never_sees_the_token(database: Path) -> None:
    async with open_hostile_server(stay) as elsewhere:
        to_there = answering(answer(302, b"", f"Location: {elsewhere.url}/"))
        redirected = answer(307, b"", f"Location: {elsewhere.url.replace('ws', 'http', 1)}/")
        async with open_hostile_server(to_there, stay, validate=redirected) as server:
            async with running(make_recorder(server.url, database)) as recorder:
                await until(lambda: recorder.rooms[0].status.state == "live")
        assert [b"Bearer demo-token" in head for head in server.heads] == [True, True]
        assert elsewhere.heads == []
    reason = f"{NO_UPGRADE.format(302)}, and points to {elsewhere.url}"
    assert connection_events(database)[0] == ("refused", 302, reason)


async def test_interim_answers_are_skipped_and_what_comes_with_the_last_one_is_stored(database: Path) -> None:
    async def think_aloud(visit: Visit) -> None:
        hints = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\n"
        for byte in hints:
            await visit.send(bytes([byte]))
        await visit.send(hints)
        await visit.accept(text(reading(1)))
        await visit.until_gone()

    async with open_hostile_server(think_aloud) as server, running(make_recorder(server.url, database)) as recorder:
        await until(lambda: readings(recorder) == 1)
    assert stored(database) == ["user-1"]


async def test_interim_answers_without_an_end_are_given_up(database: Path) -> None:
    async def think_for_ever(visit: Visit) -> None:
        while True:
            await visit.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)
            await trio.sleep(0.01)

    timings = replace(FAST, connect_timeout_s=0.3)
    async with open_hostile_server(think_for_ever, stay) as server:
        async with running(make_recorder(server.url, database, timings=timings)) as recorder:
            await until(lambda: recorder.rooms[0].status.state == "live")
    assert connection_events(database)[0] == ("lost", None, f"localhost:{server.port} does not answer")


@pytest.mark.parametrize("status", [429, 503, 403])
async def test_a_server_that_demands_to_wait_is_left_alone_until_then_and_the_log_and_the_screen_say_so(
    database: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    busy = answering(answer(status, b"slow", "Retry-After: 1"))
    async with open_hostile_server(stay, busy, stay) as server:
        async with running(make_recorder(server.url, database, "a", "b")) as recorder:
            await until(lambda: any(room.status.problem for room in recorder.rooms))
            shown = "".join(room.status.problem or "" for room in recorder.rooms)
            await until(lambda: len(server.heads) == 3)
    assert server.visited_at[2] - server.visited_at[1] >= 1
    assert "Trying again in 1 s." in caplog.text
    if status != 403:
        assert shown == f"{NO_UPGRADE.format(status)}, and requires a wait of 1 s"
        assert ("refused", status, shown) in connection_events(database)


async def test_a_redirect_shows_where_to_without_path_or_token(database: Path) -> None:
    token = DEMO_TOKEN
    targets = [f"https://user:{token}@new.example:8443/{token}?t={token}", f"https://{token}.evil.example/"]
    acts = [answering(answer(301, b"", f"Location: {target}")) for target in targets]
    acts.append(answering(answer(301, b"some text\nLocation: https://new.example/\nRetry-After: 99\n\n")))
    events = await record(database, *acts)
    assert events == [
        ("refused", 301, f"{NO_UPGRADE.format(301)}, and points to https://new.example:8443"),
        ("refused", 301, f"{NO_UPGRADE.format(301)}, and points to https://[secret].evil.example"),
        ("refused", 301, NO_UPGRADE.format(301)),
    ]  # and once for two in a row that are alike


async def test_a_port_where_nobody_listens_is_tried_until_somebody_does(database: Path) -> None:
    async with open_hostile_server(stay) as server:
        url = server.url
    async with running(make_recorder(url, database)) as recorder:
        await until(lambda: recorder.rooms[0].connection.failures > 2)
    assert connection_events(database) == [
        ("lost", None, f"no connection to localhost:{server.port}: connection refused")
    ]


async def test_a_name_that_does_not_resolve_is_reported_and_tried_again(database: Path) -> None:
    async with running(make_recorder("wss://nobody.invalid", database)) as recorder:
        await until(lambda: recorder.rooms[0].connection.failures > 1)
    assert connection_events(database) == [("lost", None, "no connection to nobody.invalid: host not found")]


# TLS


def certificate(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_tls_with_a_certificate_of_an_authority_in_ssl_cert_file_is_trusted(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    async def talk(visit: Visit) -> None:
        await visit.accept(text(reading(1)))
        await visit.until_gone()

    async with open_hostile_server(talk, tls=certificate(authority, "localhost")) as server:
        async with running(make_recorder(server.url, database)) as recorder:
            await until(lambda: readings(recorder) == 1)
    assert stored(database) == ["user-1"]


@pytest.mark.parametrize(
    ("name", "is_known", "words"),
    [
        ("localhost", False, "unable to get local issuer certificate"),
        ("elsewhere.example", True, "Hostname mismatch, certificate is not valid for 'localhost'."),
    ],
)
async def test_tls_with_a_wrong_certificate_gets_no_token(
    database: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_known: bool, words: str
) -> None:
    authority = trustme.CA()
    (authority if is_known else trustme.CA()).cert_pem.write_to_path(database.with_name("ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(database.with_name("ca.pem")))
    async with open_hostile_server(stay, tls=certificate(authority, name)) as server:
        async with running(make_recorder(server.url, database)) as recorder:
            await until(lambda: recorder.rooms[0].connection.failures > 1)
        assert server.heads == []
    [(kind, code, reason)] = connection_events(database)
    assert (kind, code) == ("lost", None)
    assert reason is not None
    assert reason.startswith(f"no TLS connection to localhost:{server.port}: its certificate is not trusted")
    assert words in reason


async def test_a_server_without_tls_is_distinguished_from_one_that_is_not_there(database: Path) -> None:
    async with open_hostile_server(stay) as server:
        async with running(make_recorder(server.url.replace("ws", "wss", 1), database)) as recorder:
            await until(lambda: recorder.rooms[0].connection.failures > 0)
    [(_, _, reason)] = connection_events(database)
    assert reason is not None
    assert reason.startswith(f"no TLS connection to localhost:{server.port}: the handshake failed")


# A connection ends


async def test_what_came_with_the_answer_and_before_the_end_is_stored(database: Path) -> None:
    async def drop(visit: Visit) -> None:
        await visit.accept(*(text(reading(n)) for n in range(200)))

    assert await record(database, drop, expect=200) == [OPENED, LOST]
    assert stored(database) == [f"user-{n}" for n in range(200)]


@pytest.mark.parametrize("is_safe", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("is_reset", [False, True], ids=["closed", "reset"])
async def test_what_arrived_before_a_reset_is_stored_with_pings_among_it(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_reset: bool, is_safe: bool
) -> None:
    count = 500
    pieces = [part for n in range(count) for part in (text(reading(n)), frame(PING, b"are you there"))]
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    async def rush(visit: Visit) -> None:
        await visit.accept(*pieces)
        if is_reset:
            await visit.reset()
        await trio.aclose_forcefully(visit.wire)

    tls = certificate(authority, "localhost") if is_safe else None
    async with open_hostile_server(rush, stay, tls=tls) as server:
        async with running(make_recorder(server.url, database)) as recorder:
            await until(lambda: len(server.heads) == 2 and recorder.rooms[0].status.state == "live")
    assert stored(database) == [f"user-{n}" for n in range(count)]
    assert connection_events(database)[:2] == [OPENED, LOST]


async def test_accepting_and_dropping_a_hundred_times_loses_nothing(database: Path) -> None:
    def dropping(number: int) -> Act:
        async def act(visit: Visit) -> None:
            await visit.accept(text(reading(number)))

        return act

    assert await record(database, *map(dropping, range(100)), expect=100) == [OPENED, LOST] * 100
    assert stored(database) == [f"user-{n}" for n in range(100)]


async def test_after_a_connection_that_delivered_the_next_begins_within_half_a_second(database: Path) -> None:
    dropped_at = 0.0

    async def deliver_and_drop(visit: Visit) -> None:
        nonlocal dropped_at
        await visit.accept(text(reading(1)))
        await trio.sleep(0.1)
        dropped_at = trio.current_time()

    async with open_hostile_server(deliver_and_drop, stay) as server:
        async with running(make_recorder(server.url, database, timings=DEFAULT_TIMINGS)) as recorder:
            await until(lambda: len(server.heads) == 2 and recorder.rooms[0].status.state == "live")
    assert server.visited_at[1] - dropped_at < 0.6  # and what connecting takes


ENDS: list[tuple[list[bytes], tuple[str, int, str]]] = [
    ([close(1000)], ("closed", 1000, "the server closed the connection (1000)")),
    ([close(1001, "bye")], ("closed", 1001, "the server is going away (1001: bye)")),
    (
        [close(1008, "token expired")],
        ("closed", 1008, "the server closed the connection: policy violation (1008: token expired)"),
    ),
    ([close(1011)], ("closed", 1011, "the server closed the connection: internal error (1011)")),
    ([close(4321, "\x1b[2Jpwned\n")], ("closed", 4321, "the server closed the connection (4321: ?[2Jpwned?)")),
    ([frame(0x8)], ("closed", 1005, "the server closed the connection (1005)")),
    (
        [close(1000), frame(PING, b"late"), text(reading(9))],
        ("closed", 1000, "the server closed the connection (1000)"),
    ),
    ([frame(0x8, b"\x03")], ("lost", 1002, "the server violated the WebSocket protocol (1002)")),
    ([close(1005)], ("lost", 1002, "the server violated the WebSocket protocol (1002)")),
    ([frame(0x3)], ("lost", 1002, "the server violated the WebSocket protocol (1002)")),
    ([frame(TEXT, b"x", flags=0x40)], ("lost", 1002, "the server violated the WebSocket protocol (1002)")),
    ([frame(CONTINUATION, b"of nothing")], ("lost", 1002, "the server violated the WebSocket protocol (1002)")),
    (
        [frame(PING, b"in pieces", final=False)],
        ("lost", 1002, "the server violated the WebSocket protocol (1002)"),
    ),
    (
        [frame(TEXT, b"a", final=False), text("b")],
        ("lost", 1002, "the server violated the WebSocket protocol (1002)"),
    ),
    ([b"\x81\xff" + b"\xff" * 8], ("lost", 1002, "the server violated the WebSocket protocol (1002)")),
    ([text(b'{"kind":"\xff"}')], ("lost", 1007, "the server sent a text that is not UTF-8 (1007)")),
    ([text(b"\xed\xa0\x80")], ("lost", 1007, "the server sent a text that is not UTF-8 (1007)")),
    ([text(b"\xc3")], ("lost", 1007, "the server sent a text that is not UTF-8 (1007)")),
]


async def test_each_end_and_why_is_a_row_and_nothing_before_it_is_lost(database: Path) -> None:
    def ending(number: int, frames: list[bytes]) -> Act:
        async def act(visit: Visit) -> None:
            await visit.accept(*(text(reading(n)) for n in range(100 * number, 100 * number + 100)), *frames)
            await visit.until_gone()

        return act

    acts = [ending(number, frames) for number, (frames, _) in enumerate(ENDS)]
    events = await record(database, *acts, expect=100 * len(ENDS))
    assert events == [one for _, event in ENDS for one in (OPENED, event)]
    assert stored(database) == [f"user-{n}" for n in range(100 * len(ENDS))]


async def test_what_is_not_utf_8_and_all_that_came_with_it_is_kept_as_bytes(database: Path) -> None:
    async def rush(visit: Visit) -> None:
        await visit.accept()
        await visit.send(text(reading(1)), text(b'{"kind":"J\xfcrgen"}'), text(reading(2)))
        await visit.until_gone()

    assert await record(database, rush, expect=1) == [OPENED, ENDS[-1][1]]
    [(reason, raw)] = rows(database, "SELECT reason, raw FROM rejected_messages")
    assert reason == "the server sent a text that is not UTF-8 (1007); these are the last bytes of that connection"
    assert '{"kind":"J\\xfcrgen"}' in raw
    assert reading(2) in raw


async def test_a_message_without_an_end_costs_none_of_those_before_it(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(message_bytes=500, endless_bytes=100_000)

    async def flood(visit: Visit) -> None:
        await visit.accept(*(text(reading(n)) for n in range(40)), frame(TEXT, b"begin ", final=False))
        while True:
            await visit.send(frame(CONTINUATION, final=False) * 1000)

    with caplog.at_level(logging.INFO, logger="pulsoid_rec.recorder"):
        events = await record(database, flood, expect=40, limits=limits)
    assert events[:2] == [OPENED, ("lost", 1009, "the server sent a message that is too large (1009)")]
    assert stored(database)[:40] == [f"user-{n}" for n in range(40)]
    [raw, *_] = rows(database, "SELECT raw FROM rejected_messages ORDER BY rowid")[0]
    assert raw.startswith("begin ")
    assert "the server sent a message that is too large (1009). Trying again in" in caplog.text


# Frames of every shape


async def test_a_message_of_2_mib_is_rejected_and_the_connection_lives_on(database: Path) -> None:
    message = reading(0).replace("user-0", "ä" * 2**20)

    async def talk(visit: Visit) -> None:
        in_fragments = frame(TEXT, message.encode()[:99_999], final=False) + frame(
            CONTINUATION, message.encode()[99_999:]
        )
        await visit.accept(text(reading(1)), text(message), text(reading(2)), in_fragments, text(reading(3)))
        await visit.until_gone()

    async with open_hostile_server(talk) as server, running(make_recorder(server.url, database)) as recorder:
        await until(lambda: readings(recorder) == 3)
        assert len(server.heads) == 1
    assert stored(database) == ["user-1", "user-2", "user-3"]
    sent = message.encode()
    raw = sent[:65_536].decode(errors="ignore")
    kept = f"of {len(sent):,} bytes the first {len(raw.encode()):,} are kept"
    reason = f"it is larger than 131,072 bytes; {kept}"
    assert rows(database, "SELECT reason, raw FROM rejected_messages") == [(reason, raw)] * 2


async def test_frames_cut_into_fragments_and_bytes_are_put_together(database: Path) -> None:
    messages = [reading(n).replace("user", "Jürgen ☕") for n in range(3)]

    async def dribble(visit: Visit) -> None:
        await visit.accept()
        for message in messages:
            data = message.encode()
            frames = [frame(TEXT, data[:1], final=False), frame(PING, b"!")]
            frames += [frame(CONTINUATION, data[n : n + 1], final=False) for n in range(1, len(data))]
            frames += [frame(PONG), frame(CONTINUATION)]
            await visit.send(*frames[: len(frames) // 2])
            for byte in b"".join(frames[len(frames) // 2 :]):
                await visit.send(bytes([byte]))
        await visit.until_gone()

    async with open_hostile_server(dribble) as server, running(make_recorder(server.url, database)) as recorder:
        await until(lambda: readings(recorder) == 3)
    assert stored(database) == [f"Jürgen ☕-{n}" for n in range(3)]


async def test_binary_frames_are_ignored(database: Path) -> None:
    async def talk(visit: Visit) -> None:
        binary = frame(BINARY, reading(0).encode())
        await visit.accept(binary, text(reading(1)), binary, frame(BINARY), text(reading(2)))
        await visit.until_gone()

    async with open_hostile_server(talk) as server, running(make_recorder(server.url, database)) as recorder:
        await until(lambda: readings(recorder) == 2)
    assert stored(database) == ["user-1", "user-2"]
    assert rows(database, "SELECT count(*) FROM rejected_messages") == [(0,)]


async def test_pings_behind_a_full_queue_are_answered_and_cost_no_message(database: Path) -> None:
    limits = Limits(memory_bytes=100_000)  # some 300 messages; then the receiver is held back
    sent_back = b""

    async def rush(visit: Visit) -> None:
        nonlocal sent_back
        await visit.accept(*(text(reading(n)) for n in range(300)), frame(PING, b"behind"))
        await visit.send(*(text(reading(n)) for n in range(300, 500)), frame(PING, b"and again"))
        while data := await visit.receive():
            sent_back += data

    def are_answered() -> bool:
        return all(bytes([0x80 | PONG, 0x80 | len(payload)]) in sent_back for payload in (b"behind", b"and again"))

    async with open_hostile_server(rush) as server:
        async with running(make_recorder(server.url, database, limits=limits)) as recorder:
            await until(lambda: are_answered() and readings(recorder) == 500)
            assert len(server.heads) == 1
    assert stored(database) == [f"user-{n}" for n in range(500)]


async def test_stopping_in_a_flood_with_pings_leaves_no_hole(database: Path) -> None:
    sent_count = 0

    async def flood(visit: Visit) -> None:
        nonlocal sent_count
        await visit.accept()
        while True:
            await visit.send(*(text(reading(n)) + frame(PING, b"?") for n in range(sent_count, sent_count + 50)))
            sent_count += 50

    async with open_hostile_server(flood) as server:
        with trio.fail_after(5):
            async with running(make_recorder(server.url, database)) as recorder:
                await until(lambda: readings(recorder) > 2000)
    profiles = stored(database)
    assert len(profiles) > 2000
    assert profiles == [f"user-{n}" for n in range(len(profiles))]
    assert connection_events(database) == [OPENED, STOPPED]


# Dead, silent, or unwilling to part


async def test_a_peer_that_stops_answering_is_left_for_a_new_connection(database: Path) -> None:
    timings = replace(FAST, ping_interval_s=0.1, pong_timeout_s=0.2, recheck_delay_s=0.05)
    async with (
        open_simulator() as simulator,
        running(make_recorder(simulator.url, database, timings=timings)) as recorder,
    ):
        await simulator.wait_for_clients("demo")
        await simulator.send_heart_rate("demo", "user-1", 72)
        await until(lambda: readings(recorder) == 1)
        simulator.stall_connections()
        await until(lambda: simulator.accepted == 2)
        await until(lambda: recorder.rooms[0].status.state == "live")
        await simulator.send_heart_rate("demo", "user-2", 72)
        await until(lambda: readings(recorder) == 2)
    [opened, (kind, code, reason), *after] = connection_events(database)
    assert [opened, (kind, code), *after] == [OPENED, ("lost", None), OPENED, STOPPED]
    assert re.fullmatch(r"no answer to a ping, and nothing received for 0\.\d s", reason or "")


async def test_a_room_that_is_silent_but_alive_is_never_reconnected(database: Path) -> None:
    timings = replace(FAST, ping_interval_s=0.02, pong_timeout_s=0.2)
    pings = 0

    async def answer_pings_late(visit: Visit) -> None:
        nonlocal pings
        await visit.accept()
        while data := await visit.receive():
            if data[0] == 0x89:
                pings += 1
                await trio.sleep(0.05)
                mask, payload = data[2:6], data[6:10]
                await visit.send(frame(PONG, bytes(a ^ b for a, b in zip(mask, payload, strict=True))))

    async with (
        open_hostile_server(answer_pings_late) as server,
        running(make_recorder(server.url, database, timings=timings)),
    ):
        await until(lambda: pings > 8)
        assert len(server.heads) == 1
    assert connection_events(database) == [OPENED, STOPPED]


async def test_a_peer_that_answers_no_ping_but_goes_on_talking_is_not_dead(database: Path) -> None:
    timings = replace(FAST, ping_interval_s=0.02, pong_timeout_s=0.1)

    async def talk(visit: Visit) -> None:
        await visit.accept()
        for n in range(30):
            await visit.send(text(reading(n)))
            await trio.sleep(0.02)
        await visit.until_gone()

    async with (
        open_hostile_server(talk) as server,
        running(make_recorder(server.url, database, timings=timings)) as recorder,
    ):
        await until(lambda: readings(recorder) == 30)
        assert len(server.heads) == 1


def fill_disk(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Let nothing be written until what is returned is empty."""
    write, full = os.write, {"full"}

    def refuse(file: int, data: bytes) -> int:
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data)

    monkeypatch.setattr(os, "write", refuse)
    return full


async def test_a_receiver_that_the_journal_holds_back_does_not_take_the_server_for_dead(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pings = {"ping_interval_s": 0.05, "pong_timeout_s": 0.1, "recheck_delay_s": 0.05}
    timings = replace(FAST, sync_every_s=0.01, rewrite_after_s=0.01, **pings)
    limits = Limits(memory_bytes=0)  # full as long as a row is not on the disk
    disk = fill_disk(monkeypatch)

    async def talk(visit: Visit) -> None:
        await visit.accept(text(reading(0)))
        await trio.sleep(0.1)
        await visit.send(*(text(reading(n)) for n in range(1, 200)))
        await visit.until_gone()

    async with open_hostile_server(talk) as server:
        async with running(make_recorder(server.url, database, timings=timings, limits=limits)) as recorder:
            await until(lambda: readings(recorder) == 1)
            await trio.sleep(0.5)
            assert readings(recorder) == 1
            disk.clear()
            await until(lambda: readings(recorder) == 200)
            assert len(server.heads) == 1


async def test_after_a_connection_that_ended_while_the_journal_was_full_the_next_one_is_still_watched(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pings = {"ping_interval_s": 0.05, "pong_timeout_s": 0.1, "recheck_delay_s": 0.05}
    suspensions = {"tick_s": 0.02, "suspended_after_s": 0.3, "drain_timeout_s": 0.05}
    timings = replace(FAST, sync_every_s=0.01, rewrite_after_s=0.01, **pings, **suspensions)
    disk = fill_disk(monkeypatch)

    async def talk_once(visit: Visit) -> None:
        if len(server.heads) == 1:
            await visit.accept(text(reading(0)))
        else:
            disk.clear()
            await visit.accept()
        await visit.until_gone()  # without an answer to a ping

    async with open_hostile_server(talk_once) as server:
        recorder = make_recorder(server.url, database, timings=timings, limits=Limits(memory_bytes=0))
        async with running(recorder):
            await until(lambda: readings(recorder) == 1)
            await trio.sleep(0.1)
            time.sleep(0.4)  # noqa: ASYNC251 - as if the process was stopped
            await until(lambda: len(server.heads) == 3)


async def test_a_process_that_was_stopped_for_a_moment_does_not_take_the_server_for_dead(database: Path) -> None:
    timings = replace(FAST, ping_interval_s=0.01, pong_timeout_s=0.05, recheck_delay_s=0.02)
    stops = 0

    async def answer_and_stop_everything(visit: Visit) -> None:
        nonlocal stops
        await visit.accept()
        while (data := await visit.receive()) and stops < 10:
            if data[0] == 0x89:
                os.write(visit.wire.socket.fileno(), text(reading(stops)))
                stops += 1
                # As a laptop does that falls asleep: when it wakes, the answer is there, and the time is over.
                time.sleep(0.07)  # noqa: ASYNC251 - so that nothing runs
        await visit.until_gone()

    async with open_hostile_server(answer_and_stop_everything) as server:
        async with running(make_recorder(server.url, database, timings=timings)) as recorder:
            await until(lambda: readings(recorder) == 10)
        assert len(server.heads) == 1


async def test_a_peer_that_never_closes_does_not_hold_the_end(database: Path) -> None:
    async def ignore(visit: Visit) -> None:
        await visit.accept()
        await trio.sleep_forever()  # it reads nothing, answers nothing, and never closes

    async with open_hostile_server(ignore) as server:
        with trio.fail_after(3):
            async with running(make_recorder(server.url, database)) as recorder:
                await until(lambda: recorder.rooms[0].status.state == "live")
    assert connection_events(database) == [OPENED, STOPPED]


@pytest.mark.parametrize("answers", [True, False])
async def test_what_a_server_sends_until_it_closes_at_the_end_is_stored(database: Path, answers: bool) -> None:
    took_s = 0.0

    async def send_more_and_close(visit: Visit) -> None:
        nonlocal took_s
        await visit.accept(text(reading(0)))
        while (await visit.receive())[:1] != b"\x88":
            pass
        last = [frame(PING, b"?"), close(1000)] if answers else []
        await visit.send(*(text(reading(number)) for number in range(1, 100)), *last)
        closed_at = trio.current_time()
        await visit.until_gone()
        took_s = trio.current_time() - closed_at

    async with open_hostile_server(send_more_and_close) as server:
        async with running(make_recorder(server.url, database, timings=replace(FAST, close_timeout_s=1.0))) as recorder:
            await until(lambda: readings(recorder) == 1)
        await until(lambda: took_s > 0)
    assert (took_s < 0.5) is answers
    assert stored(database) == [f"user-{number}" for number in range(100)]
    assert connection_events(database) == [OPENED, STOPPED]


async def test_a_server_that_never_answers_the_upgrade_does_not_hold_the_end(database: Path) -> None:
    async with open_hostile_server(answering(b"", closes=False)) as server:
        with trio.fail_after(3):
            async with running(make_recorder(server.url, database)):
                await until(lambda: len(server.heads) == 1)
    assert not database.exists()
