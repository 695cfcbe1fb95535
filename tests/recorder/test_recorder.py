"""The main job, end to end: a simulated room, a real socket, and what is in the database afterwards."""

import gzip
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import trio
from recording_run import recording, rows, until
from simulator_control import open_simulator
from version_1 import RECORDING

from pulsoid_rec.recorder.connection.server_url import parse_server_url
from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.contract.tables import SCHEMA_VERSION
from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE, Credentials
from pulsoid_rec.recorder.pulsoid.messages import KINDS
from pulsoid_rec.recorder.recorder import Options, Recorder
from pulsoid_rec.recorder.simulator.play import Play, Reading
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

pytestmark = pytest.mark.process


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(TOKEN_VARIABLE, DEMO_TOKEN)
    return tmp_path / "room.duckdb"


def steady_play(members: int, seconds: int) -> Play:
    readings = [
        Reading(float(second), f"member-{member}", 60 + member)
        for second in range(seconds)
        for member in range(members)
    ]
    return Play({f"member-{member}": {"name": f"M{member}"} for member in range(members)}, readings, float(seconds))


async def test_every_kind_of_message_ends_up_in_its_table_word_for_word(database: Path) -> None:
    async with open_simulator() as simulator, recording(simulator, database, "demo") as recorder:
        at = datetime(2026, 1, 15, 10, 30, 0, 123000, tzinfo=UTC)
        await simulator.update_room("demo", {"name": "Früh<script>", "deep": {"a": [1, None]}})
        await simulator.update_member("demo", "user-2", {"color": "red"})
        await simulator.send_heart_rate("demo", "user-1", 85, at)
        await simulator.remove_member("demo", "user-2")
        await simulator.send_raw("demo", '{"kind":"sleep","timestamp":"2026-01-15T10:30:00Z"}')
        await until(lambda: recorder.rooms[0].status.rejected == 1)
    assert rows(database, "SELECT room_id, profile_id, bpm, epoch_us(occurred_at) FROM heart_rate") == [
        ("demo", "user-1", 85, int(at.timestamp()) * 1_000_000 + 123_000)
    ]
    assert rows(database, "SELECT event, config ->> 'color' FROM member_events WHERE profile_id = 'user-2'") == [
        ("updated", "red"),
        ("removed", None),
    ]
    assert rows(database, "SELECT config FROM room_events")[0] == ('{"name":"Früh<script>","deep":{"a":[1,null]}}',)
    [(reason, raw)] = rows(database, "SELECT reason, raw FROM rejected_messages")
    assert "sleep" in reason
    assert raw == '{"kind":"sleep","timestamp":"2026-01-15T10:30:00Z"}'
    assert rows(database, "SELECT event, code FROM connection_events ORDER BY changed_at") == [
        ("opened", None),
        ("closed", 1000),
    ]
    assert rows(database, "SELECT DISTINCT connection_id FROM heart_rate") == rows(
        database, "SELECT DISTINCT connection_id FROM connection_events"
    )
    assert rows(database, "SELECT count(*) FROM heart_rate WHERE abs(epoch(now()) - epoch(received_at)) > 60") == [(0,)]


async def test_a_play_is_recorded_to_the_last_reading_and_leaves_no_journal(database: Path) -> None:
    play = steady_play(members=7, seconds=600)
    async with open_simulator(SimulatorConfig(rooms={"gym": play}, speed=300.0)) as simulator:
        async with recording(simulator, database, "gym") as recorder:
            await simulator.wait_until_played()
            await until(lambda: recorder.rooms[0].status.readings == 4200)
        assert simulator.readings("gym") == 4200
    assert rows(database, "SELECT count(*), count(DISTINCT (profile_id, occurred_at)) FROM heart_rate") == [
        (4200, 4200)
    ]
    assert rows(database, "SELECT count(*) FROM member_events") == [(7,)]
    assert not journal_folder(database).exists()


async def test_a_recording_of_version_1_goes_on_in_the_tables_of_today(database: Path) -> None:
    shutil.copy(RECORDING, database)
    async with open_simulator() as simulator, recording(simulator, database, "demo") as recorder:
        await simulator.update_member("demo", "user-2", {"name": " Zoe "})
        await until(lambda: recorder.rooms[0].status.names == {"user-2": "Zoe"})
    assert rows(database, "SELECT name FROM member_events WHERE profile_id = 'user-2'") == [("Zoe",)]
    assert rows(database, "SELECT name FROM room_events WHERE room_id = 'north'")[0] == ("North Court",)
    assert rows(database, "SELECT max(version) FROM schema_versions") == [(SCHEMA_VERSION,)]
    assert rows(database, "SELECT count(*) FROM heart_rate") == [(404,)]


async def test_several_rooms_go_into_one_file_apart(database: Path) -> None:
    plays = {f"room/{n} ü?": steady_play(members=n, seconds=60) for n in (1, 2, 3)}
    async with open_simulator(SimulatorConfig(rooms=plays, speed=60.0)) as simulator:
        async with recording(simulator, database, *plays) as recorder:
            await simulator.wait_until_played()
            await until(lambda: sum(room.status.readings for room in recorder.rooms) == 360)
    assert rows(database, "SELECT room_id, count(*) FROM heart_rate GROUP BY ALL ORDER BY ALL") == [
        (f"room/{n} ü?", n * 60) for n in (1, 2, 3)
    ]


async def test_only_the_kinds_asked_for_are_recorded(database: Path) -> None:
    async with open_simulator() as simulator:
        async with recording(simulator, database, "demo", kinds=("heart_rate",)) as recorder:
            await simulator.send_heart_rate("demo", "user-1", 85)
            await until(lambda: recorder.rooms[0].status.readings == 1)
    assert rows(database, "SELECT count(*) FROM heart_rate") == [(1,)]
    assert rows(database, "SELECT count(*) FROM member_events UNION ALL SELECT count(*) FROM room_events") == [
        (0,),
        (0,),
    ]


async def test_rows_can_be_read_by_others_within_seconds_of_their_receipt(database: Path) -> None:
    async with open_simulator() as simulator, recording(simulator, database, "demo"):
        await simulator.send_heart_rate("demo", "user-1", 85)
        with trio.fail_after(5):
            while True:
                try:
                    if rows(database, "SELECT count(*) FROM heart_rate") == [(1,)]:
                        break
                except duckdb.Error:  # it is not made yet, or just then being written
                    pass
                await trio.sleep(0.05)


async def test_keeping_the_journal_keeps_each_message_word_for_word(database: Path) -> None:
    text = '{"timestamp":"2026-01-15T10:30:00Z", "kind":"heart_rate", "heart_rate":{"bpm":85,"profile_id":"u","new":1}}'
    async with open_simulator() as simulator:
        async with recording(simulator, database, "demo", keep_journal=True) as recorder:
            await simulator.send_raw("demo", text)
            await until(lambda: recorder.rooms[0].status.readings == 1)
    kept = sorted((journal_folder(database) / "kept").iterdir())
    lines = [json.loads(line) for path in kept for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert [line["raw"] for line in lines if "raw" in line] == [text]


async def test_the_duration_ends_the_recording(database: Path) -> None:
    async with open_simulator() as simulator:
        recorder = Recorder(
            Options(("demo",), database, parse_server_url(simulator.url), Credentials(), KINDS, duration_s=0.3)
        )
        with trio.fail_after(5):
            await recorder.run()
    assert rows(database, "SELECT event FROM connection_events ORDER BY changed_at") == [("opened",), ("closed",)]
