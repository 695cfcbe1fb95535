"""`pulsoid-rec record` as its user meets it: a process, its messages, its exit code."""

import os
import signal
import subprocess
from pathlib import Path

import duckdb
import pytest
import trio
from command import PULSOID_REC, run_command, run_here
from hostile_server import Visit, answer, open_hostile_server
from journal_rows import reading, write_segment

from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.journal.segment import FORMAT_VERSION, Header, encode_line
from pulsoid_rec.recorder.simulator.play import Play, Reading
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig, open_simulator
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

pytestmark = pytest.mark.process

NOBODY = "ws://127.0.0.1:1"


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["record"], {}, "Missing argument 'ROOM_ID"),
        (["record", ""], {"PULSOID_TOKEN": "t"}, "A room's id is empty"),
        (["record", "a\nb"], {"PULSOID_TOKEN": "t"}, "A room's id contains characters"),
        (["record", "x" * 257], {"PULSOID_TOKEN": "t"}, "A room's id has more than 256 characters"),
        (["record", "x"], {}, "There is no token"),
        (["record", "x"], {"PULSOID_TOKEN": " \n"}, "The token in PULSOID_TOKEN is empty"),
        (["record", "x"], {"PULSOID_TOKEN": "a b"}, "cannot be a token"),
        (["record", "x", "--token-file", "nowhere"], {}, "There is no token file nowhere"),
        (["record", "x", "--server", "http://y"], {"PULSOID_TOKEN": "t"}, "is not the URL of a WebSocket server"),
        (["record", "x", "--server", "ws://:0x"], {"PULSOID_TOKEN": "t"}, "is not"),
        (["record", "x"], {"PULSOID_TOKEN": "t", "PULSOID_SERVER": "wss://user:secret@h"}, "takes no user, password"),
        (
            ["record", "x", "--kinds", "heart_rate,sleep"],
            {"PULSOID_TOKEN": "t"},
            "There is no kind 'sleep' for",
        ),
        (["record", "x", "--duration", "soon"], {"PULSOID_TOKEN": "t"}, "--duration"),
        (["record", "x", "--duration", "-1"], {"PULSOID_TOKEN": "t"}, "--duration"),
        (["record", "x", "--token", "t"], {}, "No such option: --token"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2_and_makes_nothing(
    arguments: list[str], environment: dict[str, str], words: str, tmp_path: Path
) -> None:
    done = run_here(*arguments, cwd=tmp_path, **environment)
    assert done.returncode == 2
    assert done.stderr.startswith("pulsoid-rec: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr
    assert not done.stdout
    assert not list(tmp_path.iterdir())


def test_a_database_that_is_none_is_left_as_it_is(tmp_path: Path) -> None:
    database = tmp_path / "notes.txt"
    database.write_bytes(b"dear diary\n" * 1000)
    done = run_command("record", "x", "--server", NOBODY, "--db", database, PULSOID_TOKEN="t")
    assert done.returncode == 4
    assert "is not a DuckDB file" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert database.read_bytes() == b"dear diary\n" * 1000


def test_somebody_elses_duckdb_file_is_left_as_it_is(tmp_path: Path) -> None:
    database = tmp_path / "shop.duckdb"
    with duckdb.connect(database) as connection:
        connection.execute("CREATE TABLE orders AS SELECT 1 AS id")
    before = database.read_bytes()
    done = run_here("record", "x", "--server", NOBODY, "--db", database, PULSOID_TOKEN="t")
    assert done.returncode == 4
    assert "not a recording of pulsoid-rec" in done.stderr
    assert database.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_exit_code_4(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    database = tmp_path / "file" / "room.duckdb"
    done = run_here("record", "x", "--server", NOBODY, "--db", database, PULSOID_TOKEN="t")
    assert done.returncode == 4
    assert done.stderr.startswith("pulsoid-rec: ")
    assert done.stderr.count("\n") == 1


async def test_a_refused_room_ends_the_command_and_leaves_nothing(tmp_path: Path) -> None:
    async with open_simulator() as simulator:
        done = await trio.to_thread.run_sync(
            lambda: run_command(
                *("record", "elsewhere", "--server", simulator.url, "--db", tmp_path / "new" / "data" / "x.duckdb"),
                PULSOID_TOKEN=DEMO_TOKEN,
            )
        )
    assert done.returncode == 3
    assert "not a member of room 'elsewhere' (403)" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


async def test_a_duration_in_which_no_room_was_ever_connected_ends_with_a_line_and_exit_code_3(tmp_path: Path) -> None:
    damaged = write_segment(journal_folder(tmp_path / "x.duckdb"), "dead-0", [])
    damaged.write_bytes(damaged.read_bytes() + b"damaged\n")
    async with open_hostile_server(lambda visit: visit.send(answer(429))) as server:
        done = await record(tmp_path, server.url, "gym", "--duration", "1")
    assert done.returncode == 3
    *_, totals, last = done.stderr.splitlines()
    assert totals.startswith("Recorded 1 rejected message that another run had left in the journal, into ")
    assert last.startswith("pulsoid-rec: Nothing was recorded of 1 room that never connected: 'gym' (the server")
    assert "429" in last


async def test_a_duration_in_which_some_rooms_were_never_connected_names_them_and_ends_with_exit_code_3(
    tmp_path: Path,
) -> None:
    async def serve(visit: Visit) -> None:
        if b"/gym" in visit.head:
            await visit.accept()
            await visit.until_gone()
        else:
            await visit.send(answer(403))

    async with open_hostile_server(serve) as server:
        done = await record(tmp_path, server.url, "gym", "pool", "sauna", "--duration", "1")
    assert done.returncode == 3
    *_, totals, last = done.stderr.splitlines()
    assert totals.startswith("Recorded 0 readings of 0 members in 1 room, into ")
    assert "Nothing was recorded of 2 rooms that never connected: 'pool' (" in last
    assert "not a member of room 'sauna' (403)" in last


async def test_a_room_that_was_never_connected_when_the_user_stops_is_named_and_no_error(tmp_path: Path) -> None:
    async with open_hostile_server(lambda visit: visit.send(answer(503))) as server:
        process = await trio.lowlevel.open_process(
            [*PULSOID_REC, "record", "gym", "--server", server.url, "--db", str(tmp_path / "x.duckdb")],
            stderr=subprocess.PIPE,
            env=os.environ | {"PULSOID_TOKEN": "t"},
        )
        with trio.fail_after(20):
            while not server.heads:
                await trio.sleep(0.02)
            await trio.sleep(0.2)
            process.send_signal(signal.SIGINT)
            await process.wait()
        assert process.stderr is not None
        said = b"".join([chunk async for chunk in process.stderr]).decode()
    assert process.returncode == 0
    assert said.splitlines()[-1].startswith("Nothing was recorded of 1 room that never connected: 'gym' (the server")


async def test_a_segment_of_a_newer_version_is_kept_and_ends_the_command_with_exit_code_4(tmp_path: Path) -> None:
    newer = write_segment(journal_folder(tmp_path / "x.duckdb"), "dead-0", [])
    newer.write_bytes(encode_line(Header(FORMAT_VERSION + 1)))
    async with open_simulator() as simulator:
        done = await record(tmp_path, simulator.url, "demo", "--duration", "0.5")
    assert done.returncode == 4
    assert "newer pulsoid-rec" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("pulsoid-rec: 1 segment of the journal could not be ingested. The ")
    assert newer.exists()


async def record(folder: Path, server: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, with the database `x.duckdb`."""
    command = ["record", *arguments, "--server", server, "--db", str(folder / "x.duckdb")]
    return await trio.to_thread.run_sync(lambda: run_command(*command, PULSOID_TOKEN=DEMO_TOKEN))


async def test_the_totals_count_this_run_and_what_an_earlier_one_left_apart(tmp_path: Path) -> None:
    database = tmp_path / "x.duckdb"
    damaged = write_segment(journal_folder(database), "dead-0", map(reading, range(40)))
    damaged.write_bytes(damaged.read_bytes() + b"damaged\n")
    readings = [Reading(float(second), f"m{member}", 70) for second in range(60) for member in range(2)]
    play = Play({f"m{member}": {"name": "M"} for member in range(3)}, readings, 60.0)
    async with open_simulator(SimulatorConfig(rooms={"gym": play, "pool": play}, speed=100.0)) as simulator:
        done = await record(tmp_path, simulator.url, "gym", "pool", "--duration", "2")
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == (
        "Recorded 240 readings of 4 members in 2 rooms, and 40 readings and 1 rejected message that another run had "
        f"left in the journal, into {database}."
    )


async def test_without_a_terminal_it_logs_plain_lines_and_ends_on_a_signal_with_one_line_of_totals(
    tmp_path: Path,
) -> None:
    readings = [Reading(float(second), f"m{member}", 70) for second in range(120) for member in range(3)]
    play = Play({f"m{member}": {"name": "M"} for member in range(3)}, readings, 120.0)
    environment = os.environ | {"PULSOID_TOKEN": DEMO_TOKEN}
    async with open_simulator(SimulatorConfig(rooms={"gym": play}, speed=60.0)) as simulator:
        command = [*PULSOID_REC, "record", "gym", "--server", simulator.url, "--db", str(tmp_path / "x.duckdb")]
        process = await trio.lowlevel.open_process(
            command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        await simulator.wait_until_played()
        await trio.sleep(0.3)
        process.send_signal(signal.SIGINT)
        with trio.fail_after(10):
            await process.wait()
        assert process.stderr is not None
        assert process.stdout is not None
        words = b"".join([chunk async for chunk in process.stderr]).decode()
        assert not b"".join([chunk async for chunk in process.stdout])
    assert process.returncode == 0
    connected, totals = words.splitlines()
    assert connected.endswith("gym: connected.")
    assert totals == f"Recorded 360 readings of 3 members in 1 room, into {tmp_path / 'x.duckdb'}."
    assert DEMO_TOKEN not in words
    with duckdb.connect(tmp_path / "x.duckdb", read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM heart_rate").fetchall() == [(360,)]
