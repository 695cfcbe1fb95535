"""A recorder that is attended to: what others see of it, and that no failure to write that stops the recording."""

import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from command import run_here
from recording_run import FAST, make_recorder, until
from simulator_control import ControlledSimulator, open_simulator

from pulsoid_rec.recorder.archiving.access import open_when_free
from pulsoid_rec.recorder.contract.journal_files import journal_folder, status_path
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.forgetting.forget import Forgetting
from pulsoid_rec.recorder.forgetting.search import Finding
from pulsoid_rec.recorder.health.attend import Attendant
from pulsoid_rec.recorder.health.judge import Judged, judge
from pulsoid_rec.recorder.health.note import Note, write_note
from pulsoid_rec.recorder.health.on_trouble import Command
from pulsoid_rec.recorder.recorder import Recorder
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

pytestmark = pytest.mark.process

SOON = Timings(status_every_s=0.02, stale_status_s=0.1, trouble_grace_s=0, trouble_interval_s=0.1)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PULSOID_TOKEN", DEMO_TOKEN)
    return tmp_path / "room.duckdb"


@asynccontextmanager
async def attended(
    simulator: ControlledSimulator, database: Path, command: Command | None = None, limits: Limits = DEFAULT_LIMITS
) -> AsyncIterator[Recorder]:
    """Record and attend while the block runs."""
    recorder = make_recorder(simulator.url, database, timings=FAST)

    async def attend(recorder: Recorder) -> None:
        await Attendant(recorder, command, timings=SOON, limits=limits).run()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder.run, attend)
        await simulator.wait_for_clients("demo")
        yield recorder
        recorder.stop.set()


def state_of(run: Judged) -> str:
    return run.rooms[0].state if run.rooms else ""


async def test_what_is_shown_from_elsewhere_is_what_the_recorder_has_received(database: Path) -> None:
    async with open_simulator() as simulator, attended(simulator, database) as recorder:
        await simulator.update_member("demo", "user-1", {"name": "Ada"})
        await simulator.send_heart_rate("demo", "user-1", 84)
        await until(lambda: [member.name for run in judge(database) for member in run.members] == ["Ada"])
        [run] = judge(database)
        _, received_at, occurred_at = recorder.rooms[0].status.latest["user-1"]
        assert run.members[0].last_reading_at is not None
        assert round(run.members[0].last_reading_at.timestamp() * 1e6) == received_at
        assert run.members[0].lag_s == (received_at - occurred_at) / 1e6
        assert (run.state, run.token_ends_at is None, run.troubles) == ("recording", False, [])
        await until(lambda: recorder.ingester.total.readings == 1)
        with open_when_free(database):  # the recorder cannot write to it meanwhile
            await simulator.send_heart_rate("demo", "user-2", 85)
            await until(lambda: len(judge(database)[0].members) == 2)
            await until(lambda: "is locked by" in (judge(database)[0].database_error or ""))
            done = run_here("status", "--db", database)
            assert done.returncode == 0
            assert "is locked by" in done.stdout
        simulator.refuse_with(401)
        await simulator.drop_connections()
        await until(lambda: state_of(judge(database)[0]) == "refused")
        done = run_here("status", "--db", database)
        assert done.returncode == 3
        assert "Room 'demo' has not been heard for" in done.stdout
        assert judge(database)[0].rooms[0].deaf_s > 0
        assert DEMO_TOKEN not in status_path(journal_folder(database), recorder.options.run_id).read_text("utf-8")
    assert judge(database) == []
    assert not journal_folder(database).exists()


async def test_the_users_command_is_run_when_a_room_is_refused_and_when_it_is_live_again(database: Path) -> None:
    out = database.with_name("said")
    code = 'import os, sys; open(sys.argv[1], "a").write(sys.argv[2] + str("PULSOID_TOKEN" in os.environ) + chr(10))'
    command = Command(f"{sys.executable} -c '{code}' '{out}'")
    async with open_simulator() as simulator, attended(simulator, database, command) as recorder:
        await until(lambda: recorder.rooms[0].connection.was_live)
        simulator.refuse_with(403)
        await simulator.drop_connections()
        await until(lambda: out.exists() and "Room 'demo' has not been heard for" in out.read_text("utf-8"))
        simulator.refuse_with(None)
        await until(lambda: "All is well again.False" in out.read_text("utf-8"))
    assert len(out.read_text("utf-8").splitlines()) <= 3  # a look before the first connection may be one


async def test_a_status_that_cannot_be_written_is_logged_once_and_recording_goes_on(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_simulator() as simulator, attended(simulator, database) as recorder:
        path = status_path(journal_folder(database), recorder.options.run_id)
        await until(path.exists)
        path.unlink()
        path.mkdir()
        await until(lambda: "Cannot write the status of this run" in caplog.text)
        await simulator.send_heart_rate("demo", "user-1", 84)
        await until(lambda: recorder.ingester.total.readings == 1)
        path.rmdir()
        await until(path.is_file)
    assert caplog.text.count("Cannot write the status of this run") == 1


async def test_once_its_file_is_removed_a_recorder_lists_only_who_is_heard_since(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[int] = []  # how many members are in a note when there is none before it

    def keep(folder: Path, note: Note) -> None:
        if not status_path(folder, note.run_id).exists():
            first.append(len(note.members))
        write_note(folder, note)

    monkeypatch.setattr("pulsoid_rec.recorder.health.attend.write_note", keep)
    async with open_simulator() as simulator, attended(simulator, database) as recorder:
        path = status_path(journal_folder(database), recorder.options.run_id)
        await simulator.send_heart_rate("demo", "user-1", 84)
        await simulator.send_heart_rate("demo", "user-2", 84)
        await until(lambda: [len(run.members) for run in judge(database)] == [2])
        path.unlink()
        await until(lambda: path.exists() and [len(run.members) for run in judge(database)] == [0])
        assert first == [0, 0]
        await simulator.send_heart_rate("demo", "user-2", 85)
        await until(lambda: [each.profile_id for run in judge(database) for each in run.members] == ["user-2"])


async def test_who_was_forgotten_is_not_in_the_status_of_a_recorder_that_runs(database: Path) -> None:
    async with open_simulator() as simulator, attended(simulator, database) as recorder:
        path = status_path(journal_folder(database), recorder.options.run_id)
        await simulator.update_member("demo", "user-1", {"name": "Ada"})
        await simulator.send_heart_rate("demo", "user-1", 84)
        await simulator.send_heart_rate("demo", "user-2", 84)
        await until(lambda: recorder.ingester.total.readings == 2 and "Ada" in path.read_text("utf-8"))

        def forget() -> list[Finding]:
            forgetting = Forgetting(database, None, None)
            return forgetting.carry_out(forgetting.plan(["user-1"])).left

        assert await trio.to_thread.run_sync(forget) == []
        await until(path.exists)
        assert not re.search("user-1|Ada", path.read_text("utf-8"))


async def test_of_many_members_those_heard_last_are_listed_and_all_who_are_expected(database: Path) -> None:
    database.with_name("members.toml").write_text('[user-0]\n[silent]\nname = "Eve"\n', encoding="utf-8")
    async with open_simulator() as simulator, attended(simulator, database, limits=Limits(status_members=3)):
        for n in range(6):
            await simulator.send_heart_rate("demo", f"user-{n}", 84)
        await until(lambda: [run.more_members for run in judge(database)] == [3])
        [run] = judge(database)
        assert {each.profile_id for each in run.members} == {"user-3", "user-4", "user-5", "silent"}
        done = run_here("status", "--db", database)
        assert "... and 3 more members" in done.stdout
        assert "Eve" in done.stdout
