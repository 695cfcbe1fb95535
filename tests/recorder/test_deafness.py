"""A connection was heard up to its last sign of life, whenever that it is dead is noticed."""

import json
import os
import re
import signal
import time
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
import trio
from hostile_server import CONTINUATION, TEXT, Visit, frame, open_hostile_server, reading, text
from recorder_process import end, kill_those_left, start_recorder
from recording_run import FAST, make_recorder, rows, running, until
from simulator_control import open_simulator

from pulsoid_rec.analysis.findings.presence import presence_notes
from pulsoid_rec.analysis.findings.report_data import read_report
from pulsoid_rec.analysis.findings.session_view import session_views
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.members import SCHEMA as MEMBERS
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.connection.liveness import ping_until_dead
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE
from pulsoid_rec.recorder.simulator.play import Play, Reading
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

pytestmark = pytest.mark.process

US = 1_000_000


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(TOKEN_VARIABLE, DEMO_TOKEN)
    return tmp_path / "room.duckdb"


def now_us() -> int:
    return time.time_ns() // 1000


def events_of(database: Path) -> list[tuple[str, str | None, int]]:
    return rows(database, "SELECT event, reason, epoch_us(changed_at) FROM connection_events ORDER BY rowid")


def stamps_of(database: Path) -> dict[str, int]:
    return dict(rows(database, "SELECT profile_id, epoch_us(received_at) FROM heart_rate"))


# A connection that goes dead


async def test_the_end_of_a_dead_connection_is_its_last_sign_of_life_not_when_that_was_noticed(database: Path) -> None:
    timings = replace(FAST, silence_s=0.2, pong_timeout_s=0.4, recheck_delay_s=0.05)
    async with (
        open_simulator() as simulator,
        running(make_recorder(simulator.url, database, timings=timings)) as recorder,
    ):
        await simulator.wait_for_clients("demo")
        await simulator.send_heart_rate("demo", "user-1", 72)
        await until(lambda: recorder.rooms[0].status.readings == 1)
        simulator.stall_connections()
        await until(lambda: simulator.accepted == 2)
        await until(lambda: recorder.rooms[0].status.state == "live")
    [_, (event, _, lost_at), (_, _, opened_again_at), _] = events_of(database)
    assert event == "lost"
    heard_at = stamps_of(database)["user-1"]
    assert heard_at <= lost_at < heard_at + 0.05 * US
    assert 0.6 * US < opened_again_at - lost_at < 1.5 * US


async def test_the_end_of_a_connection_that_is_cut_is_the_cut(database: Path) -> None:
    cut_at = 0

    async def fall_silent_and_drop(visit: Visit) -> None:
        nonlocal cut_at
        await visit.accept(text(reading(1)))
        await trio.sleep(0.3)
        cut_at = now_us()

    async def stay(visit: Visit) -> None:
        await visit.accept()
        await visit.until_gone()

    async with open_hostile_server(fall_silent_and_drop, stay) as server:
        async with running(make_recorder(server.url, database)) as recorder:
            await until(lambda: len(server.heads) == 2 and recorder.rooms[0].status.state == "live")
    [_, (event, _, lost_at), *_] = events_of(database)
    assert event == "lost"
    assert abs(lost_at - cut_at) < 0.1 * US


class FakeSocket:
    """What `ping_until_dead` needs of a WebSocket: pings that are answered, or not."""

    closed = None

    def __init__(self, *, answers: bool) -> None:
        self.heard_at = trio.current_time()
        self.pings: list[float] = []
        self.messages = 0
        self._answers = answers

    def hear(self) -> None:
        self.heard_at = trio.current_time()
        self.messages += 1

    async def ping(self) -> None:
        self.pings.append(trio.current_time())
        await trio.sleep(0.05)
        if not self._answers:
            await trio.sleep_forever()
        self.heard_at = trio.current_time()

    async def watch(self) -> None:
        await ping_until_dead(self, lambda: self.heard_at, lambda: self.messages, Timings())  # type: ignore[arg-type] # it has all that is used


async def talk_each(socket: FakeSocket, interval_s: float, until_s: float) -> None:
    while trio.current_time() < until_s:
        socket.hear()
        await trio.sleep(interval_s)


@pytest.mark.parametrize("interval_s", [0.051, 1.01, 2.9, 3.1, 5.0, 9.0])
@pytest.mark.parametrize("talks_s", [1.0, 9.8, 9.99, 10.01, 30.0, 31.7, 100.0])
async def test_one_that_talked_is_left_within_ten_seconds_of_its_last_byte(
    autojump_clock: trio.testing.MockClock, interval_s: float, talks_s: float
) -> None:
    socket = FakeSocket(answers=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(talk_each, socket, interval_s, trio.current_time() + talks_s)
        await socket.watch()
        assert trio.current_time() >= socket.heard_at + 5
        if interval_s < 5:
            assert trio.current_time() <= socket.heard_at + 10
            assert trio.current_time() >= talks_s
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("interval_s", "most_pings"),
    [(0.05, 100), (1.0, 100), (2.9, 100), (5.0, 201), (60.0, 120), (10_000.0, 101)],
)
async def test_one_that_answers_is_never_left_and_pinged_at_most_once_a_silence(
    autojump_clock: trio.testing.MockClock, interval_s: float, most_pings: int
) -> None:
    socket = FakeSocket(answers=True)
    with trio.move_on_after(1000) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk_each, socket, interval_s, 2000.0 + trio.current_time())
            await socket.watch()
    assert scope.cancelled_caught
    assert len(socket.pings) <= most_pings


# The process is stopped, or the machine asleep


@pytest.mark.parametrize("ends", ["stays", "closes", "drops"])
@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "fragments"])
async def test_a_process_that_was_stopped_keeps_what_arrived_and_was_not_heard_meanwhile(
    database: Path, ends: str, is_cut: bool
) -> None:
    # Who notices that the server has gone does not wait for the next tick. Nothing is left to the closing handshake.
    timings = replace(FAST, tick_s=10 if ends == "drops" else 0.02, suspended_after_s=0.3, close_timeout_s=0)
    stopped_at = resumed_at = 0

    def frames_of(message: str) -> bytes:
        return frame(TEXT, message.encode(), final=False) + frame(CONTINUATION) if is_cut else text(message)

    async def talk_and_stop_everything(visit: Visit) -> None:
        nonlocal stopped_at, resumed_at
        await visit.accept(*(text(reading(number)) for number in range(10)))
        await until(lambda: recorder.rooms[0].status.readings == 10)
        await trio.sleep(0.1)
        os.write(visit.wire.socket.fileno(), b"".join(frames_of(reading(number)) for number in range(10, 500)))
        if ends == "drops":
            visit.wire.socket.shutdown(1)
        stopped_at = now_us()
        time.sleep(0.5)  # noqa: ASYNC251 - so that nothing runs
        resumed_at = now_us()
        if ends == "closes":
            await visit.send(frame(0x8, b"\x03\xe8"))
        await visit.until_gone()

    async def go_on(visit: Visit) -> None:
        await visit.accept(text(reading(1000)))
        await visit.until_gone()

    async with open_hostile_server(talk_and_stop_everything, go_on) as server:
        async with running(make_recorder(server.url, database, timings=timings)) as recorder:
            await until(lambda: len(server.heads) == 2 and recorder.rooms[0].status.readings == 501)
            assert recorder.rooms[0].connection.failures == 0
    assert rows(database, "SELECT profile_id FROM heart_rate ORDER BY rowid") == [
        (f"user-{number}",) for number in [*range(500), 1000]
    ]
    [_, lost, opened, _] = events_of(database)
    assert lost[0] == "lost"
    assert re.fullmatch(r"the process was stopped or the machine asleep for (0\.)?\d s", lost[1] or "")
    assert stopped_at - 0.5 * US < lost[2] <= stopped_at
    assert resumed_at < opened[2] < resumed_at + 1 * US


async def test_what_a_stopped_process_did_not_receive_of_an_answer_is_no_failure_to_wait_after(database: Path) -> None:
    timings = replace(
        FAST, tick_s=0.02, suspended_after_s=0.3, connect_timeout_s=0.2, first_reconnect_s=60, longest_reconnect_s=60
    )

    async def stop_everything(visit: Visit) -> None:
        time.sleep(0.5)  # noqa: ASYNC251 - so that nothing runs
        await visit.until_gone()

    async def stay(visit: Visit) -> None:
        await visit.accept()
        await visit.until_gone()

    async with open_hostile_server(stop_everything, stay) as server:
        async with running(make_recorder(server.url, database, timings=timings)) as recorder:
            await until(lambda: recorder.rooms[0].status.state == "live")
    assert [event for event, *_ in events_of(database)] == ["opened", "closed"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows does not stop processes")
async def test_after_a_stop_the_report_says_that_the_recorder_was_offline_and_blames_no_member(
    database: Path, tmp_path: Path
) -> None:
    tokens = tmp_path / "token"
    readings = [Reading(second / 2, member, 70) for second in range(60) for member in ("ada", "bob")]
    play = Play({"ada": {"name": "Ada"}, "bob": {"name": "Bob"}}, readings, 30.0)
    try:
        async with open_simulator(SimulatorConfig(rooms={"demo": play})) as simulator:
            tokens.write_text(json.dumps({"access_token": DEMO_TOKEN, "server": simulator.url}))
            tokens.chmod(0o600)
            process = start_recorder(database, simulator.url, "demo", options=("--token-file", str(tokens)))
            await until(lambda: simulator.accepted == 1 and simulator.readings("demo") > 6, 20)
            process.send_signal(signal.SIGSTOP)
            await trio.sleep(7)
            process.send_signal(signal.SIGCONT)
            resumed_at = now_us()
            await trio.sleep(3)
            ended = await end(process)
    finally:
        kill_those_left()
    assert re.search(r"The process was stopped or the machine asleep for [789] s\.", ended.said)
    [_, lost, opened, _] = events_of(database)
    assert lost[0] == "lost"
    assert 7 * US <= opened[2] - lost[2] <= 10 * US
    assert opened[2] - resumed_at < 1.5 * US
    [view] = session_views(
        read_report(Recording(database), Filter(), MEMBERS.to_frame(), Definitions(), at_most=10), UTC
    )
    notes = [note.text for note in presence_notes(view)]
    assert [note.partition(" from ")[0] for note in notes] == ["the recorder was offline"]
