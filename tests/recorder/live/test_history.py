"""What was recorded before a run: from the database, and from the journals that are not in it yet."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from journal_rows import write_segment
from readings import Reading
from recordings import make_recording

from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.ids import new_id
from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.journal.rows import AnyRow, ConnectionEventRow, HeartRateRow, MemberEventRow, RoomEventRow
from pulsoid_rec.recorder.live.history import History, read_history

NOW = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)
NOW_US = round(NOW.timestamp() * 1_000_000)
S = 1_000_000


def ago_us(seconds: float) -> int:
    return NOW_US - round(seconds * S)


def row(ago_s: float, bpm: int, member: str = "ann", room: str = "r1", connection: str = "c2") -> HeartRateRow:
    return HeartRateRow(room, connection, member, bpm, ago_us(ago_s), ago_us(ago_s), "{}")


def journaled() -> list[AnyRow]:
    return [
        ConnectionEventRow("r1", "c2", "opened", ago_us(300)),
        MemberEventRow("r1", "c2", "ann", "updated", "Ann", '{"name":"Ann"}', ago_us(299), ago_us(299), "{}"),
        RoomEventRow("r1", "c2", "Gym", '{"name":"Gym"}', ago_us(299), ago_us(299), "{}"),
        row(200, 100),
        row(199, 101),
        row(198, 900),
        row(198, 102, room="r2"),
        row(3_700, 103),
    ]


def read(database: Path, run_id: str = "") -> History:
    return read_history(database, ["r1"], run_id or new_id(), NOW_US)


def test_the_journal_of_one_that_was_killed_is_read_without_a_database(tmp_path: Path) -> None:
    database = tmp_path / "it's [1] a.duckdb"
    segment = write_segment(journal_folder(database), "20260301T170000-abcdef01-00000000", journaled(), is_open=True)
    with segment.open("ab") as file:
        file.write(b'{"table":"heart_rate","room_id":"r1","connection_id":"c2","profile')  # where it was killed
    history = read(database)
    assert list(history.lines) == [("r1", "ann")]
    assert sorted(history.lines["r1", "ann"]) == [(ago_us(200) // 1000, 100), (ago_us(199) // 1000, 101)]
    assert (history.member_names, history.room_names) == ({"ann": "Ann"}, {"r1": "Gym"})
    assert history.listened == {"r1": [(ago_us(300), ago_us(198))]}


def test_what_is_in_both_is_there_once_and_nothing_of_the_run_itself(tmp_path: Path) -> None:
    at = NOW - timedelta(seconds=200)
    database = make_recording(tmp_path / "a.duckdb", [Reading("r1", "ann", 100, at, at)])
    write_segment(journal_folder(database), "20260301T170000-abcdef01-00000000", journaled())
    write_segment(journal_folder(database), "20260301T175959-abcdef02-00000000", [row(1, 222)])
    history = read(database, "20260301T175959-abcdef02")
    assert sorted(history.lines["r1", "ann"]) == [(ago_us(200) // 1000, 100), (ago_us(199) // 1000, 101)]


def test_a_file_that_is_no_recording_is_an_error_that_can_be_tried_again(tmp_path: Path) -> None:
    database = tmp_path / "a.duckdb"
    database.write_bytes(b"no database")
    with pytest.raises(StorageError):
        read(database)


def test_before_the_first_recording_there_is_nothing(tmp_path: Path) -> None:
    assert read(tmp_path / "a.duckdb") == History()
