"""A recorded session played anew: recorded again, it is the same, every message in its order and at its distance."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import trio
from command import run_here
from readings import START, Reading
from recording_run import recording
from recordings import make_recording
from simulator_control import open_simulator

from pulsoid_rec.analysis.cli.replay_recording import read_plays
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE
from pulsoid_rec.recorder.simulator.play import Play
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN
from pulsoid_rec.recorder.simulator.wire import RecordedConfig

ROOM = "gym"


def at(seconds: float) -> datetime:
    return START + timedelta(microseconds=round(seconds * 1e6))


def reading(member: str, bpm: int, received_s: float, lead_s: float = -0.25) -> Reading:
    return Reading(ROOM, member, bpm, at(received_s + lead_s), at(received_s))


def member(profile_id: str, event: str, config: str | None, received_s: float) -> Sequence[Any]:
    return (ROOM, profile_id, event, config, at(received_s - 0.5), at(received_s), "c1")


SESSION_1 = [reading("ada", 60 + second % 9, float(second)) for second in range(30)]
SESSION_2 = [
    reading("ada", 0, 2000.000_001),
    reading("bob", 900, 2000.5, lead_s=-0.123_457),
    reading("bob", 900, 2000.75, lead_s=-0.373_457),  # the same again
    reading("zoe", 71, 2001.0, lead_s=20.0),
    reading("ada", -3, 2002.0, lead_s=-700_000_000.0),  # untimely
    reading("ada", 62, 2005.5),
    reading("bob", 80, 2006.0),  # after he was removed
    reading("eve", 90, 2006.25),  # of whom there is no other message
    reading("bob", 81, 2007.0),
]
SESSION_3 = [reading("ada", 61, 9000.0 + second) for second in range(3)]
MEMBERS = [
    member("ada", "updated", '{"name":"Ada"}', -0.25),
    member("bob", "updated", '{"name":"Gone"}', 1.0),
    member("bob", "removed", None, 2.0),
    member("ada", "updated", '{"name":"Ada", "n": 1.10, "far": 1e400}', 1000.0),
    member("bob", "updated", '{"name" : "Bob"}', 2000.25),
    member("zoe", "updated", '{"name":"Zoe"}', 2000.875),
    member("ada", "updated", '{"name":"Ada B."}', 2004.0),
    member("bob", "removed", None, 2005.0),
    member("zoe", "removed", None, 2050.0),
    member("ada", "updated", '{"name":"Later"}', 8999.0),
]
ROOMS = [(ROOM, '{"name":"Gym"}', at(0.0), at(0.0), "c1"), (ROOM, '{"name":"Final"}', at(2003.0), at(2003.0), "c1")]
REJECTED = [(2003.5, '{"kind":"weather"}'), (2003.75, "not JSON \u2014 \U0001f600"), (5000.0, "between")]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("replay") / "recording.duckdb"
    make_recording(path, [*SESSION_1, *SESSION_2, *SESSION_3], member_events=MEMBERS, room_events=ROOMS)
    with duckdb.connect(path) as connection:
        for received_s, raw in REJECTED:
            row = [ROOM, "c1", at(received_s), "no JSON", raw]
            connection.execute("INSERT INTO rejected_messages VALUES (?, ?, ?, ?, ?)", row)
        connection.execute(
            "INSERT INTO rejected_messages VALUES (?, ?, ?, ?, ?)", [ROOM, "c1", at(2001), "withheld", ""]
        )
    return path


def recorded(path: Path, since: datetime | None = None, until: datetime | None = None) -> list[tuple[Any, ...]]:
    """Return all messages of the room in the order of receipt: what, who, its value, and when it occurred, in µs."""
    sql = """
        SELECT 'reading', profile_id, bpm::VARCHAR, epoch_us(occurred_at), received_at FROM heart_rate UNION ALL
        SELECT event, profile_id, config::VARCHAR, epoch_us(occurred_at), received_at FROM member_events UNION ALL
        SELECT 'room', NULL, config::VARCHAR, epoch_us(occurred_at), received_at FROM room_events UNION ALL
        SELECT 'raw', NULL, raw, NULL, received_at FROM rejected_messages WHERE raw <> ''
    """
    bounds = [since or datetime.min.replace(tzinfo=UTC), until or datetime.max.replace(tzinfo=UTC)]
    with duckdb.connect(path, read_only=True) as connection:
        rows = connection.execute(
            f"SELECT * EXCLUDE received_at FROM ({sql}) WHERE received_at BETWEEN ? AND ? ORDER BY received_at", bounds
        )
        return rows.fetchall()


async def record_again(plays: dict[str, Play], database: Path) -> None:
    config = SimulatorConfig(rooms=dict(plays), speed=100.0)
    async with open_simulator(config) as simulator, recording(simulator, database, *plays) as recorder:
        with trio.fail_after(20):
            await simulator.wait_until_played()
            sent = simulator.sent(ROOM).total()
            while recorder.rooms[0].status.messages < sent:
                await trio.sleep(0.01)


@pytest.mark.process
async def test_a_session_recorded_again_is_the_same_message_for_message(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, DEMO_TOKEN)
    again = tmp_path / "again.duckdb"
    plays = read_plays(database, (), "2")
    await record_again(plays, again)
    expected, found = recorded(database, at(1990), at(2060)), recorded(again)
    assert len(expected) == 17
    shift_us = _first_reading_us(found) - _first_reading_us(expected)
    rest = [(*row[:3], row[3] and row[3] + shift_us) for row in expected]
    by_server = [row for row in found if not (rest and row == rest[0] and rest.pop(0))]
    assert not rest
    # The server itself sends the room, and each member whose first message is a reading, to each client once.
    assert [row[:3] for row in by_server] == [
        ("room", None, '{"name":"Gym"}'),
        ("updated", "ada", '{"name":"Ada", "n": 1.10, "far": 1e400}'),
        ("updated", "bob", '{"name" : "Bob"}'),
        ("updated", "eve", "{}"),
    ]


def _first_reading_us(rows: list[tuple[Any, ...]]) -> int:
    return next(int(row[3]) for row in rows if row[0] == "reading")


def test_messages_are_played_at_the_distance_at_which_they_were_received(database: Path) -> None:
    play = read_plays(database, (ROOM,), "2")[ROOM]
    times = sorted([reading.time_s for reading in play.readings] + [event.time_s for event in play.events])
    began = at(2000.000_001)
    received = [row.received_at for row in SESSION_2]
    received += [row[5] for row in MEMBERS if 1990 < (row[5] - START).total_seconds() < 2060]
    received += [at(2003), at(2003.5), at(2003.75), at(2006.0)]  # who speaks after a removal is admitted just before
    assert times == pytest.approx(sorted((one - began).total_seconds() for one in received), abs=1e-9)
    assert play.length_s == pytest.approx(2050.0 - 2000.000_001)
    assert list(play.readings) == list(play.readings)  # can be gone through again


def test_a_session_begins_with_those_who_were_there_and_what_comes_a_minute_before_it(database: Path) -> None:
    first, third = (read_plays(database, (), session)[ROOM] for session in ("1", None))
    assert not first.members
    assert [(event.action, event.member) for event in first.events] == [
        ("update", "ada"),
        ("room", ""),
        ("update", "bob"),
        ("leave", "bob"),
    ]
    assert {name: dict(config) for name, config in third.members.items()} == {"ada": {"name": "Ada B."}}
    assert [(event.action, event.time_s) for event in third.events] == [("update", 0.0)]
    assert dict(third.config or {}) == {"name": "Final"}
    assert [reading.time_s for reading in third.readings] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("config", [None, "[1]", '{"a":' + "[" * 5000 + "]" * 5000 + "}"])
def test_a_config_that_is_none_or_odd_is_played_and_has_no_name(config: str | None, tmp_path: Path) -> None:
    file = tmp_path / "a.duckdb"
    members = [member("ada", "updated", config, second) for second in (-100.0, 1.0)]
    make_recording(file, SESSION_1, member_events=members)
    play = read_plays(file, (), None)[ROOM]
    [event] = [event for event in play.events if event.action == "update"]
    for config_of in (event.value, play.members["ada"]):
        assert isinstance(config_of, RecordedConfig)
        assert config_of.get("name") is None
        assert config_of.text == (config or "{}")


def test_imported_readings_are_played_as_they_occurred(tmp_path: Path) -> None:
    file, database = tmp_path / "watch.csv", tmp_path / "imported.duckdb"
    lines = [f"2025-05-0{day}T10:00:{second:02}Z,ann,{60 + second}" for day in (1, 2) for second in range(0, 40, 5)]
    file.write_text("\n".join(["time,member,bpm", *lines]), encoding="utf-8")
    assert run_here("import", file, "--room", "r", "--db", database).returncode == 0
    for session in ("1", "2"):
        play = read_plays(database, (), session)["r"]
        assert [(reading.time_s, reading.bpm) for reading in play.readings] == [
            (float(second), 60 + second) for second in range(0, 40, 5)
        ]


def test_what_cannot_be_replayed_is_refused_in_one_line(database: Path, tmp_path: Path) -> None:
    for session, words in (("all", "--session all"), ("4", "No readings match"), ("x", "--session cannot be 'x'")):
        with pytest.raises(UsageError, match=words):
            read_plays(database, (), session)
    with pytest.raises(UsageError, match="There is no room 'gymm'"):
        read_plays(database, ("gymm",), None)
    (tmp_path / "broken.duckdb").write_bytes(b"\0" * 8 + b"DUCK" + b"\0" * 9999)
    with pytest.raises(StorageError):
        read_plays(tmp_path / "broken.duckdb", (), None)
    csv = tmp_path / "a.csv"
    csv.write_text("time_s,member,bpm\n0,a,70\n", encoding="utf-8")
    for arguments in (("--replay", csv, "--session", "1"), ("--session", "1")):
        done = run_here("simulate", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "--session is of a recording" in done.stderr
    done = run_here("simulate", "--replay", "none.duckdb", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        4,
        "pulsoid-rec: There is no none.duckdb. Choose another with --replay.\n",
    )
