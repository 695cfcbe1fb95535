"""Tests of marks that are made while a recorder runs."""

import time
from pathlib import Path

import duckdb
import pytest
import trio
from numbered_server import open_numbered_server
from recorder_process import COMMAND, end, kill_those_left, start_recorder

from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.marking.recorded_rooms import find_recorded_rooms

pytestmark = pytest.mark.process


async def test_a_mark_is_of_the_room_recorded_now_is_stamped_at_once_and_soon_readable(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    async with open_numbered_server(50) as server:
        process = start_recorder(database, server, "room", "other")
        try:
            with trio.fail_after(20):
                while len(find_recorded_rooms(journal_folder(database))) < 2 or not database.exists():
                    await trio.sleep(0.02)
            called_us = time.time_ns() // 1000
            command = [*COMMAND, "mark", "goal", "--db", str(database)]
            ran = await trio.run_process(command, capture_stderr=True)
            ended_us = time.time_ns() // 1000
            assert b"in 2 rooms: other, room." in ran.stderr
            assert b"journal" not in ran.stderr, "it is in the database when the command ends"
            assert (await end(process)).code == 0
        finally:
            kill_those_left()
    with duckdb.connect(database, read_only=True) as connection:
        query = "SELECT room_id, label, epoch_us(marked_at), source FROM marks ORDER BY room_id"
        rows = connection.execute(query).fetchall()
    assert [(room, label, source) for room, label, _, source in rows] == [
        ("other", "goal", "cli"),
        ("room", "goal", "cli"),
    ]
    [marked_us] = {row[2] for row in rows}
    assert called_us - 1_000 <= marked_us < (called_us + ended_us) // 2, "most of what the command takes comes after it"
