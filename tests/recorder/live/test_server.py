"""The live page's server: what is sent over real sockets, and that no viewer costs the recording anything."""

import json
import logging
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from command import run_here
from live_client import Follower, Live, live
from prometheus_client.parser import text_string_to_metric_families
from readings import Reading
from recording_run import rows, until
from recordings import make_recording
from simulator_control import ControlledSimulator, open_simulator

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.limits import Limits
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.live.server import open_listeners
from pulsoid_rec.recorder.live.state import LiveState
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

pytestmark = pytest.mark.process

SOON = Timings(first_reconnect_s=0.01, close_timeout_s=0.05, live_update_s=0.05, live_send_timeout_s=0.3,
               live_request_timeout_s=0.3)  # fmt: skip


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSOID_TOKEN", DEMO_TOKEN)


def follow(port: int, path: str = "/events") -> Follower:
    return Follower(port, path)


def figures_of(report: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    names = ("readings", "bpm_min", "bpm_max", "coverage", "hr_max")
    return {row["name"]: tuple(row[name] for name in names) for row in report}


async def test_what_is_shown_is_what_a_report_says_and_a_reconnect_changes_nothing(tmp_path: Path) -> None:
    database = tmp_path / "a.duckdb"
    (tmp_path / "members.toml").write_text(
        '[user-1]\nname = "Ada"\nhr_max = 200\n[user-2]\nbirth_year = 1990\n[user-9]\nname = "Absent"\n'
        '[user-8]\nname = "Gone"\nconsent = "withdrawn"\n',
        encoding="utf-8",
    )
    async with open_simulator() as simulator, live(simulator.url, database, timings=SOON) as page:
        await simulator.wait_for_clients("demo")
        with await trio.to_thread.run_sync(follow, page.port) as follower:
            now = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
            for second in range(120):
                for number in (1, 2, 3):
                    if second % 50 < 40 or number == 3:
                        bpm = 0 if second % 17 == 0 else 60 + number + second
                        at = now + timedelta(seconds=second, milliseconds=number)
                        await simulator.send_heart_rate("demo", f"user-{number}", bpm, at)
            await follower.until(lambda f: sum(m["readings"] + m["left_out"] for m in f.members.values()) == 320)
            with await trio.to_thread.run_sync(follow, page.port) as again:
                await again.until(lambda _: True)
            for number, member in follower.members.items():
                assert again.members[number] == member
    done = run_here("report", "--db", str(database), "--format", "json")
    shown = {
        member["name"]: tuple(member[name] for name in ("readings", "lowest", "highest", "coverage", "hr_max"))
        for member in follower.members.values()
    }
    assert shown.pop("Absent") == (0, None, None, None, None)
    assert shown == figures_of(json.loads(done.stdout))
    assert follower.names[0] == "snapshot"
    ada = next(member for member in follower.members.values() if member["name"] == "Ada")
    assert (ada["zone"], ada["bpm"], ada["expected"]) == (4, 179, True)
    assert [bpm for _, bpm in ada["line"]] == [61 + s for s in range(120) if s % 50 < 40 and s % 17]


async def test_it_opens_with_what_was_recorded_before_and_goes_on_without_a_seam(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    earlier = [
        Reading("demo", "user-1", 100 + second, at := now - timedelta(seconds=3_000 - second), at)
        for second in range(60)
    ]
    too_old = Reading("demo", "user-1", 99, at := now - timedelta(hours=2), at)
    other = Reading("other", "user-1", 98, at := now - timedelta(seconds=100), at)
    config = json.dumps({"name": "Bo"})
    database = make_recording(
        tmp_path / "a.duckdb",
        [too_old, *earlier, earlier[0]._replace(profile_id="user-2"), other],
        member_events=[("demo", "user-2", "updated", config, now - timedelta(hours=9), now - timedelta(hours=9), "c1")],
    )
    async with open_simulator() as simulator, live(simulator.url, database, timings=SOON) as page:
        await simulator.wait_for_clients("demo")
        with await trio.to_thread.run_sync(follow, page.port) as follower:
            await simulator.send_heart_rate("demo", "user-1", 120, now)
            await follower.until(lambda f: any(len(m["line"]) > 20 for m in f.members.values()))
            await simulator.send_heart_rate("demo", "user-1", 121)
            await follower.until(lambda f: any(m["bpm"] == 121 for m in f.members.values()))
        bo, member = sorted(follower.members.values(), key=lambda member: member["name"])
        assert (bo["name"], bo["bpm"], bo["readings"]) == ("Bo", 100, 0)
        *before, one, two = map(tuple, member["line"])
        assert (one, two[1]) == ((round(now.timestamp() * 1000), 120), 121)
        assert before == sorted(set(before))
        assert set(before) <= {(round(r.occurred_at.timestamp() * 1000), r.bpm) for r in earlier}
        assert {100, 159} <= {bpm for _, bpm in before}
        assert (member["name"], member["readings"], member["lowest"]) == ("user-1", 2, 120)  # figures are of this run
        [(since, until_), *_] = follower.rooms[0]["gaps"]
        assert abs(since - earlier[-1].received_at.timestamp() * 1000) < 3_000  # `now` has no fractions
        assert until_ is not None


async def test_nothing_is_shown_of_those_without_consent_or_who_withdraw_it(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    members = tmp_path / "members.toml"
    consents = (
        '[user-1]\nname = "Ada"\nconsent = 2026-01-01\n[user-2]\nname = "Ben"\nconsent = %s\n[user-3]\nname = "Cyd"\n'
    )
    members.write_text(consents % "2026-01-01", encoding="utf-8")
    database = make_recording(
        tmp_path / "a.duckdb", [Reading("demo", f"user-{n}", 90, at := now - timedelta(60), at) for n in (1, 2, 3)]
    )
    timings = Timings(live_update_s=0.05, consent_interval_s=0.05, first_reconnect_s=0.01, close_timeout_s=0.05)

    def names(follower: Follower) -> set[str]:
        return {member["name"] for member in follower.members.values()}

    async with open_simulator() as simulator:
        async with live(simulator.url, database, timings=timings, consent_file=members) as page:
            await simulator.wait_for_clients("demo")
            with await trio.to_thread.run_sync(follow, page.port) as follower:
                for n in (1, 2, 3):
                    await simulator.send_heart_rate("demo", f"user-{n}", 100)
                await follower.until(lambda f: sum(m["readings"] for m in f.members.values()) == 2)
                assert names(follower) == {"Ada", "Ben"}
                assert "Cyd" not in (await page.mark({"label": "x", "member": "Dee"})).json["error"]
                members.write_text(consents % '"withdrawn"', encoding="utf-8")
                await follower.until(lambda f: names(f) == {"Ada"})
                assert (await page.mark({"label": "x", "member": "Ben"})).status == 422
                members.write_text(consents % "2026-01-02", encoding="utf-8")
                await follower.until(lambda f: names(f) == {"Ada", "Ben"})
    assert rows(database, "SELECT count(*) FROM marks") == [(0,)]


async def test_what_a_killed_recorder_left_in_its_journal_is_shown_too(tmp_path: Path) -> None:
    database = tmp_path / "a.duckdb"
    async with open_simulator() as simulator:
        async with live(simulator.url, database, timings=SOON) as page:
            await simulator.wait_for_clients("demo")
            await simulator.send_heart_rate("demo", "user-1", 111)
            await until(lambda: page.recorder.rooms[0].status.readings == 1)
            journal = page.recorder.journal._folder
            await until(lambda: any(b"heart_rate" in path.read_bytes() for path in journal.glob("*.jsonl*")))
            [kept] = [path.read_bytes() for path in journal.glob("*.jsonl*")]
        database.unlink()
        journal.mkdir(mode=0o700)
        (journal / "20200101T000000-00000000-00000000.jsonl.open").write_bytes(kept + b'{"table":"heart_rate","room_i')
        async with live(simulator.url, database, timings=SOON) as page:
            with await trio.to_thread.run_sync(follow, page.port) as follower:
                await follower.until(lambda f: any(m["line"] for m in f.members.values()))
            assert [m["line"][0][1] for m in follower.members.values()] == [111]


async def test_a_mark_is_made_sent_to_all_and_recorded_and_undone(tmp_path: Path) -> None:
    database = tmp_path / "a.duckdb"
    async with open_simulator() as simulator, live(simulator.url, database, timings=SOON) as page:
        await simulator.wait_for_clients("demo")
        await simulator.send_heart_rate("demo", "user-1", 120)
        with await trio.to_thread.run_sync(follow, page.port) as follower:
            await follower.until(lambda f: f.members)
            made = await page.mark({"label": "goal", "member": 0, "ago_ms": 2_000})
            assert made.status == 201
            phase = await page.mark({"label": "match 1", "kind": "phase", "room": 0}, origin=f"http://{page.netloc}")
            await follower.until(lambda f: len(f.marks) == 2)
            mark = follower.marks[made.json["id"]]
            assert (mark["label"], mark["kind"], mark["member"], mark["room"]) == ("goal", "mark", 0, 0)
            assert abs(follower.marks[phase.json["id"]]["at"] - mark["at"] - 2_000) < 1_500
            undone = await page.mark({"kind": "undo", "id": made.json["id"]})
            assert undone.status == 201
            await follower.until(lambda f: list(f.marks) == [phase.json["id"]])
    found = rows(database, "SELECT label, kind, profile_id, source FROM marks ORDER BY rowid")
    assert found == [
        ("goal", "mark", "user-1", "api"),
        ("match 1", "phase", None, "page"),
        ("goal", "undo", "user-1", "api"),
    ]


@pytest.mark.parametrize(
    ("content", "status", "why"),
    [
        (b"{", 400, "not a mark as JSON"),
        (b"[]", 400, "not a mark as JSON"),
        (b'{"label": "x", "colour": 1}', 400, "colour"),
        (b'{"label": "x", "ago_ms": -1}', 400, "ago_ms"),
        (b"{}", 422, "needs a label"),
        (b'{"label": " "}', 422, "empty"),
        (b'{"label": "x", "room": 7}', 422, "no room 7"),
        (b'{"label": "x", "room": "nowhere"}', 422, "not recorded"),
        (b'{"label": "x", "member": 7}', 422, "no member 7"),
        (b'{"label": "x", "member": "Zoe"}', 422, "no member"),
        (b'{"kind": "undo"}', 422, "needs the id"),
        (b'{"kind": "undo", "id": "x"}', 422, "no such mark"),
        (b'{"label": "' + b"x" * 9_000 + b'"}', 413, "too long"),
    ],
)
async def test_what_is_no_mark_is_refused_with_a_sentence(
    tmp_path: Path, content: bytes, status: int, why: str
) -> None:
    async with open_simulator() as simulator, live(simulator.url, tmp_path / "a.duckdb", timings=SOON) as page:
        answer = await page.request("/marks", "POST", content, content_type="application/json")
        assert (answer.status, why in answer.json["error"]) == (status, True), answer.body
        assert page.recorder.marks.marks == []


async def test_while_the_journal_is_full_no_mark_is_taken(tmp_path: Path) -> None:
    database = tmp_path / "a.duckdb"
    async with open_simulator() as simulator, live(simulator.url, database, timings=SOON) as page:
        await simulator.wait_for_clients("demo")
        page.recorder.journal._unsynced_bytes += 2**30
        refused = await page.mark({"label": "goal"})
        assert (refused.status, "journal is full" in refused.json["error"]) == (503, True)
        page.recorder.journal._unsynced_bytes -= 2**30
        assert (await page.mark({"label": "goal"})).status == 201
    assert rows(database, "SELECT count(*) FROM marks") == [(1,)]


async def test_requests_of_other_pages_and_by_other_names_are_refused(tmp_path: Path) -> None:
    async with open_simulator() as simulator, live(simulator.url, tmp_path / "a.duckdb", timings=SOON) as page:
        mark = {"label": "goal"}
        for headers, status in (
            ({"origin": "http://evil.example"}, 403),
            ({"origin": "null"}, 403),
            ({"origin": f"http://127.0.0.1:{page.port + 1}"}, 403),
            ({"host": "evil.example"}, 403),
            ({"host": f"evil.example:{page.port}"}, 403),
            ({"content_type": "text/plain"}, 415),
            ({"content_type": None}, 415),
            ({"host": f"localhost:{page.port}", "origin": f"http://localhost:{page.port}"}, 201),
        ):
            answer = await page.mark(mark, **headers)
            assert answer.status == status, (headers, answer.body)
        for path in ("/", "/events", "/healthz", "/metrics"):
            assert (await page.request(path, host=f"evil.example:{page.port}")).status == 403
        assert (await page.request("/nothing")).status == 404
        assert (await page.request("/../server.py")).status == 404
        assert (await page.request("/marks")).status == 404
        for path in ("/", "/live.js", "/live.css", "/nothing"):
            found = (await page.request(path)).headers
            assert found["content-security-policy"].startswith("default-src 'none';")
            assert found["x-content-type-options"] == "nosniff"
            assert found["referrer-policy"] == "no-referrer"
            assert "server" not in found


async def test_beyond_the_loopback_all_needs_the_key_which_is_shown_and_logged_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_simulator() as simulator:
        async with live(simulator.url, tmp_path / "a.duckdb", host="0.0.0.0", timings=SOON) as page:
            key = page.server.url.partition("?key=")[2]
            assert len(key) >= 22
            for path in ("/", "/events", "/healthz", "/metrics", "/?key=wrong", "/?key="):
                assert (await page.request(path)).status == 403
            assert (await page.mark({"label": "goal"})).status == 403
            assert (await page.mark({"label": "goal"}, authorization=f"Bearer {key}")).status == 201
            assert (await page.mark({"label": "x"}, authorization=f"Bearer {key}", origin="http://e.org")).status == 403
            moved = await page.request(f"/?key={key}&overlay=Ada", host=f"{page.netloc}")
            assert (moved.status, moved.headers["location"]) == (303, "/?overlay=Ada")
            cookie = moved.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Lax" in cookie
            shown = await page.request("/", cookie=cookie.partition(";")[0])
            assert shown.status == 200
            assert key.encode() not in shown.body
            assert (await page.request("/", cookie="a=b; =;;")).status == 403
            beside_another = 'of another program={"a": 1}; ' + cookie.partition(";")[0]
            assert (await page.request("/", cookie=beside_another)).status == 200
            with await trio.to_thread.run_sync(follow, page.port, f"/events?key={key}") as follower:
                await follower.until(lambda _: True)
            assert (await page.request("/live.css")).status == 200  # nothing is in it
    assert key not in caplog.text
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]


async def test_health_is_good_while_rooms_are_live_and_says_what_is_wrong_otherwise(tmp_path: Path) -> None:
    timings = Timings(first_reconnect_s=0.01, longest_reconnect_s=0.02, live_update_s=0.05, unhealthy_after_s=0.3)
    async with open_simulator() as simulator, live(simulator.url, tmp_path / "a.duckdb", timings=timings) as page:
        await simulator.wait_for_clients("demo")
        good = await page.request("/healthz")
        assert (good.status, good.json) == (200, {"ok": True, "why": []})
        simulator.refuse_with(503)
        await simulator.drop_connections()
        with trio.fail_after(10):
            while (bad := await page.request("/healthz")).status == 200:
                await trio.sleep(0.02)
        assert bad.status == 503
        assert any(why.startswith("Room 'demo' has not been heard for") for why in bad.json["why"])
        simulator.refuse_with(None)
        with trio.fail_after(10):
            while (await page.request("/healthz")).status != 200:
                await trio.sleep(0.02)


async def test_metrics_are_read_by_prometheus_and_have_no_names(tmp_path: Path) -> None:
    rooms = {'he said "hi"\\': None}
    async with open_simulator(SimulatorConfig(rooms=rooms)) as simulator:
        async with live(simulator.url, tmp_path / "a.duckdb", *rooms, timings=SOON) as page:
            [room] = rooms
            await simulator.wait_for_clients(room)
            await simulator.update_member(room, "user-1", {"name": "Ada"})
            await simulator.send_heart_rate(room, "user-1", 120)
            await until(lambda: page.recorder.rooms[0].status.readings == 1)
            await simulator.drop_connections()
            await until(lambda: page.recorder.rooms[0].status.reconnects == 1)
            await until(lambda: page.recorder.ingester.total.readings == 1)
            with trio.fail_after(10):
                while b"reading_age_seconds{" not in (answer := await page.request("/metrics")).body:
                    await trio.sleep(0.02)
    assert b"Ada" not in answer.body
    assert b"user-1" not in answer.body
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples: dict[str, Any] = {
        sample.name: (sample.labels, sample.value)
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }
    assert samples["pulsoid_rec_readings_total"] == ({"room": room}, 1)
    assert samples["pulsoid_rec_reconnects_total"] == ({"room": room}, 1)
    assert samples["pulsoid_rec_room_live"] == ({"room": room}, 1)
    assert 0 < samples["pulsoid_rec_deaf_seconds_total"][1] < 5
    assert samples["pulsoid_rec_database_lag_seconds"][1] < 5
    assert samples["pulsoid_rec_journal_lag_seconds"][1] < 5
    labels, age_s = samples["pulsoid_rec_reading_age_seconds"]
    assert labels == {"member": "0"}
    assert 0 <= age_s < 10


async def open_deaf(page: Live) -> socket.socket:
    """Follow the events, and read nothing of them."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", page.port))
    deaf.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n\r\n".encode())
    await until(lambda: len(page.server._viewers) == 1)
    return deaf


async def send_until(simulator: ControlledSimulator, condition: Callable[[], bool]) -> int:
    """Send readings until something is true; return how many."""
    sent = 0
    with trio.fail_after(30):
        while not condition():
            for _ in range(200):
                sent += 1
                await simulator.send_heart_rate("demo", f"user-{sent % 50}", 60 + sent % 90)
            await trio.sleep(0.01)
    return sent


async def test_one_who_reads_nothing_is_cut_and_costs_nobody_a_message(tmp_path: Path) -> None:
    limits = Limits(live_waiting=2)
    database = tmp_path / "a.duckdb"
    async with open_simulator() as simulator, live(simulator.url, database, timings=SOON, limits=limits) as page:
        await simulator.wait_for_clients("demo")
        with closing(await open_deaf(page)):
            with await trio.to_thread.run_sync(follow, page.port) as follower:
                sent = await send_until(simulator, lambda: page.server._viewers._coming < 2)
                await follower.until(lambda f: sum(m["readings"] + m["left_out"] for m in f.members.values()) == sent)
    assert rows(database, "SELECT count(*) FROM heart_rate") == [(sent,)]


async def test_one_who_reads_nothing_does_not_hold_up_the_end(tmp_path: Path) -> None:
    limits = Limits(live_waiting=2)
    timings = Timings(live_update_s=0.05, live_send_timeout_s=60)
    async with open_simulator() as simulator:
        async with live(simulator.url, tmp_path / "a.duckdb", timings=timings, limits=limits) as page:
            await simulator.wait_for_clients("demo")
            deaf = await open_deaf(page)
            await send_until(simulator, lambda: len(page.server._viewers) == 0)
            assert page.server._viewers._coming == 1  # it is being sent to still
            began_at = time.monotonic()
        assert time.monotonic() - began_at < 5
    deaf.close()


async def test_those_who_send_slowly_or_too_much_or_are_too_many_are_let_go(tmp_path: Path) -> None:
    limits = Limits(live_viewers=1, live_connections=4)
    async with open_simulator() as simulator:
        async with live(simulator.url, tmp_path / "a.duckdb", timings=SOON, limits=limits) as page:
            host = f"Host: 127.0.0.1:{page.port}\r\n"

            def send(text: str) -> bytes:
                """Send this, and return what comes until the end."""
                with socket.create_connection(("127.0.0.1", page.port), timeout=10) as connection:
                    connection.sendall(text.encode())
                    received = b""
                    while data := connection.recv(2**16):
                        received += data
                    return received

            assert await trio.to_thread.run_sync(send, "GET / HT") == b""
            await trio.to_thread.run_sync(send, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")  # then nothing
            assert b" 431 " in await trio.to_thread.run_sync(send, f"GET / HTTP/1.1\r\n{host}a: {'x' * 20_000}")
            half = f"POST /marks HTTP/1.1\r\n{host}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{{"
            assert b" 408 " in await trio.to_thread.run_sync(send, half)
            endless = (
                f"POST /marks HTTP/1.1\r\n{host}Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n"
            )
            assert b" 413 " in await trio.to_thread.run_sync(send, endless + "x" * 100_000)
            upgrade = f"GET /events HTTP/1.1\r\n{host}Connection: Upgrade\r\nUpgrade: websocket\r\n"
            upgrade += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            assert b" 403 " in await trio.to_thread.run_sync(send, upgrade)
            assert b" 400 " in await trio.to_thread.run_sync(send, "no HTTP at all\r\n\r\n")
            with await trio.to_thread.run_sync(follow, page.port) as follower:
                await follower.until(lambda _: True)
                second = await page.request("/events")
                assert (second.status, "too many viewers" in second.json["error"]) == (503, True)
                await until(lambda: len(page.server._streams) == 1)  # those before are closed
                with socket.create_connection(("127.0.0.1", page.port)) as one:
                    with socket.create_connection(("127.0.0.1", page.port)) as two:
                        with socket.create_connection(("127.0.0.1", page.port)) as three:
                            await until(lambda: len(page.server._streams) == 4)
                            with suppress(ConnectionError):  # as it may be reset
                                text = f"GET /healthz HTTP/1.1\r\n{host}\r\n"
                                assert await trio.to_thread.run_sync(send, text) == b""
                            del one, two, three
                await follower.until(lambda _: True)
            await until(lambda: len(page.server._viewers) == 0)


async def test_an_error_of_the_page_ends_no_recording_and_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(LiveState, "_add", fail)
    monkeypatch.setattr(LiveState, "_describe_rooms", fail)
    database = tmp_path / "a.duckdb"
    with caplog.at_level(logging.ERROR, "pulsoid_rec.recorder.live"):
        async with open_simulator() as simulator, live(simulator.url, database, timings=SOON) as page:
            await simulator.wait_for_clients("demo")
            for _ in range(3):
                await simulator.send_heart_rate("demo", "user-1", 120)
                assert (await page.request("/events")).status == 500
            await until(lambda: page.recorder.rooms[0].status.readings == 3)
    assert rows(database, "SELECT count(*) FROM heart_rate") == [(3,)]
    assert sorted(record.message.partition(".")[0] for record in caplog.records) == [
        "The live page cannot answer a request",
        "The live page cannot show a row",
        "What was recorded earlier cannot be shown on the live page",
    ]


async def test_a_port_in_use_is_said_before_anything_is_recorded(tmp_path: Path) -> None:
    async with open_listeners("127.0.0.1", 0) as [listener]:
        port = listener.socket.getsockname()[1]
        with pytest.raises(UsageError, match=rf"127.0.0.1:{port}: another program uses that port"):
            async with open_listeners("127.0.0.1", port):
                pass
    with pytest.raises(UsageError, match=r"Cannot serve the live page at 192\.0\.2\.1:0"):
        async with open_listeners("192.0.2.1", 0):
            pass
