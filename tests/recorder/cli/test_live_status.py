"""What somebody sees who watches a recording, drawn from a real one."""

import io
from pathlib import Path

import pytest
import trio
from recording_run import make_recorder, recording, rows, until
from rich.console import Console
from simulator_control import open_simulator

from pulsoid_rec.recorder.cli.live_status import LiveStatus
from pulsoid_rec.recorder.journal.rows import MarkRow
from pulsoid_rec.recorder.marking.store import store_marks
from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE
from pulsoid_rec.recorder.recorder import Recorder
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

pytestmark = pytest.mark.process


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(TOKEN_VARIABLE, DEMO_TOKEN)
    return tmp_path / "room.duckdb"


def screen(recorder: Recorder, width: int = 80, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(LiveStatus(console).draw(recorder))
    return captured.get().splitlines()


async def test_members_are_shown_by_name_with_their_latest_bpm_and_its_age(database: Path) -> None:
    async with open_simulator() as simulator, recording(simulator, database, "demo") as recorder:
        await until(lambda: recorder.rooms[0].connection.was_live)
        assert "nobody sends a heart rate" in screen(recorder)[0]
        await simulator.update_member("demo", "user-1", {"name": "Zoë [bold]\x1b[2J"})
        await simulator.send_heart_rate("demo", "user-1", 84)
        await simulator.send_heart_rate("demo", "user-1", 85)
        await simulator.send_heart_rate("demo", "0123456789abcdef", 102)
        await until(lambda: recorder.rooms[0].status.readings == 3)
        lines = screen(recorder)
        assert lines[0].startswith("demo  live")
        assert [line.split() for line in lines[1:3]] == [
            ["0123456789abcdef", "102", "bpm", "0", "s", "ago"],
            ["Zoë", "[bold]\ufffd[2J", "85", "bpm", "0", "s", "ago"],
        ]
        await simulator.remove_member("demo", "user-1")
        await until(lambda: bool(recorder.rooms[0].status.removed))
        assert "Zoë" not in "\n".join(screen(recorder))


async def test_the_totals_say_how_far_the_database_is(database: Path) -> None:
    async with open_simulator() as simulator, recording(simulator, database, "demo") as recorder:
        await simulator.send_heart_rate("demo", "user-1", 84)
        await until(lambda: recorder.ingester.total.readings == 1)
        assert "4 rows in room.duckdb" in screen(recorder)[-2]  # opened, the room, the member, the reading


async def test_the_latest_mark_is_shown_whoever_made_it_and_its_mark_is_in_the_database(database: Path) -> None:
    async with open_simulator() as simulator, recording(simulator, database, "demo") as recorder:
        await simulator.send_heart_rate("demo", "user-1", 84)
        await until(lambda: recorder.ingester.total.readings == 1)
        assert "ago" not in screen(recorder, 120)[-2]
        [own] = recorder.marks.mark("goal \u202e" + "x" * 99, member="user-1", source="page")
        assert "mark 'goal \ufffdxxxxxx" in screen(recorder, 200)[-2]
        other = MarkRow("demo", None, "kick off", "phase", own.marked_at + 1_000_000, "m", "cli")
        await trio.to_thread.run_sync(lambda: store_marks(database, [other], is_recorded=True))
        await simulator.send_heart_rate("demo", "user-1", 85)
        await until(lambda: other in recorder.marks.marks)
        assert "phase 'kick off' 0 s ago" in screen(recorder, 120)[-2]
        assert recorder.marks.marks == [own, other]
    assert {tuple(row)[:4] for row in rows(database, "FROM marks")} == {
        ("demo", "user-1", own.label, "mark"),
        ("demo", None, "kick off", "phase"),
    }


async def test_a_screen_that_is_too_small_for_all_shows_who_was_heard_last(database: Path) -> None:
    rooms = [f"room-{n}" for n in range(5)]
    config = SimulatorConfig(rooms=dict.fromkeys(rooms))
    async with open_simulator(config) as simulator, recording(simulator, database, *rooms) as recorder:
        for n in range(40):
            await simulator.send_heart_rate("room-0", f"member-{n:02}-of-a-very-long-name-indeed", 60 + n)
        await until(lambda: recorder.rooms[0].status.readings == 40)
        lines = screen(recorder, width=40, height=20)
        assert len(lines) <= 20
        assert max(map(len, lines)) <= 40
        shown = [line for line in lines if " bpm " in line]
        assert len(shown) == 11
        assert "99 bpm" in shown[-1]


async def test_a_screen_that_is_too_small_for_all_rooms_counts_the_others(database: Path) -> None:
    rooms = [f"room-{n}" for n in range(30)]
    config = SimulatorConfig(rooms=dict.fromkeys(rooms))
    async with open_simulator(config) as simulator, recording(simulator, database, *rooms) as recorder:
        lines = screen(recorder, width=100, height=20)
        assert len(lines) == 19
        assert lines[-3] == "... and 14 more rooms"


class _Vanishing(io.StringIO):
    """A terminal that can be drawn on twice."""

    drawings = 0

    def write(self, text: str) -> int:
        self.drawings += 1
        if self.drawings > 2:
            raise UnicodeEncodeError("latin-1", text, 0, 1, "no such letter here")
        return super().write(text)


async def test_a_status_that_cannot_be_drawn_is_logged_once_and_recording_continues(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    console = Console(file=_Vanishing(), force_terminal=True)
    async with open_simulator() as simulator:
        recorder = make_recorder(simulator.url, database)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(recorder.run, LiveStatus(console).show)
            await until(lambda: "The status cannot be shown any more" in caplog.text)
            await simulator.wait_for_clients("demo")
            await simulator.send_heart_rate("demo", "user-1", 84)
            await until(lambda: recorder.ingester.total.readings == 1)
            recorder.stop.set()
    assert caplog.text.count("The status cannot be shown any more") == 1
    assert "no such letter here" in caplog.text, "with its traceback"
    assert rows(database, "SELECT bpm FROM heart_rate") == [(84,)]


async def test_a_room_that_is_lost_shows_why(database: Path) -> None:
    async with open_simulator() as simulator, recording(simulator, database, "demo") as recorder:
        await until(lambda: recorder.rooms[0].connection.was_live)
        await simulator.drop_connections("demo")
        await until(lambda: recorder.rooms[0].status.state == "waiting")
        [head, *_] = screen(recorder, width=120)
        assert "waiting" in head
        assert "the connection was lost" in head
        with trio.fail_after(10):
            await simulator.wait_for_clients("demo")
        await until(lambda: recorder.rooms[0].status.state == "live")
        assert "1 reconnect" in screen(recorder)[0]
