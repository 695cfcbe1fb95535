"""Tests of marks from a file."""

from collections.abc import Sequence
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.importing.marks import read_marks
from pulsoid_rec.recorder.journal.rows import MarkRow

SECOND = 1_000_000
NOON = 1_772_366_400 * SECOND  # 2026-03-01 12:00 UTC


def find(text: str, rooms: Sequence[str]) -> tuple[str, str]:
    if text != "Ada":
        raise UsageError(f"There is no member {text!r}", "There is Ada.")
    return rooms[0], "u-1"


def read(tmp_path: Path, text: str | bytes, zone_h: float = 0, rooms: Sequence[str] = ("r",)) -> list[MarkRow]:
    path = tmp_path / "marks.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    zone = timezone(timedelta(hours=zone_h)) if zone_h else UTC
    return read_marks(path, zone, rooms, ["r", "s"], find)


def test_a_file_needs_a_time_and_a_label_and_may_have_more(tmp_path: Path) -> None:
    rows = read(tmp_path, "Time,Label\n2026-03-01 12:00:00,goal\n\n2026-03-01T12:00:01.5Z, foul \n")
    assert [(m.room_id, m.profile_id, m.label, m.kind, m.marked_at, m.source) for m in rows] == [
        ("r", None, "goal", "mark", NOON, "import"),
        ("r", None, "foul", "mark", NOON + 1_500_000, "import"),
    ]
    text = '\ufefflabel;kind;member;room;time\r\n"a; b";;Ada;s;1772366400\r\nhalf;Phase;;;1772366401\r\n'
    rows = read(tmp_path, text)
    assert [(m.room_id, m.profile_id, m.label, m.kind, m.marked_at) for m in rows] == [
        ("s", "u-1", "a; b", "mark", NOON),
        ("r", None, "half", "phase", NOON + SECOND),
    ]


def test_times_without_a_zone_are_of_the_one_given(tmp_path: Path) -> None:
    [row] = read(tmp_path, "time,label\n2026-03-01 14:00,x\n", zone_h=2)
    assert row.marked_at == NOON


def test_an_export_of_marks_can_be_read(tmp_path: Path) -> None:
    header = "room_id,profile_id,name,label,kind,marked_at,mark_id,source\n"
    [row] = read(tmp_path, f"{header}s,,,goal,phase,2026-03-01T12:00:00.000000Z,m1,cli\n")
    assert (row.room_id, row.label, row.kind, row.marked_at) == ("s", "goal", "phase", NOON)


def test_a_line_has_the_same_id_whenever_it_is_read_and_another_line_another(tmp_path: Path) -> None:
    text = "time,label\n1772366400,a\n1772366400,b\n1772366401,a\n1772366400,a\n"
    first = read(tmp_path, text)
    assert len(first) == len({row.mark_id for row in first}) == 3
    assert [row.mark_id for row in read(tmp_path, text)] == [row.mark_id for row in first]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"marks\.csv is empty"),
        ("time,label\n", "has no line with a mark"),
        ("time,text\n1,x\n", r"has no column label\. Its first line names"),
        ("time,label\n1772366400,ok\n1772366400\n", "line 3: it has fewer cells"),
        ("time,label\n1772366400,ok\n1772366400, \n", "line 3: A mark's label is empty"),
        ("time,label\nyesterday,ok\n", "line 2: its time 'yesterday' is not understood\\. Nothing"),
        ("time,label\n18:30,ok\n", "line 2: its time '18:30' has no date\\. Nothing"),
        ("time,label,kind\n1772366400,ok,undo\n", "line 2: There is no kind 'undo'"),
        ("time,label,member\n1772366400,ok,Bo\n", "line 2: There is no member 'Bo'"),
        ("time,label,room\n1772366400,ok,t\n", r"line 2: there is no room 't'\. There are r, s\."),
        ('time,label\n1772366400,"open\n', "line 2: unexpected end of data"),
        (b"time,label\n1772366400,\xff\n", "is not UTF-8 text"),
    ],
)
def test_a_line_that_is_no_mark_refuses_the_whole_file(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        read(tmp_path, text)


def test_a_line_that_names_no_room_needs_a_single_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it names no room"):
        read(tmp_path, "time,label\n1772366400,x\n", rooms=())


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Cannot read"):
        read_marks(tmp_path / "missing.csv", UTC, ("r",), ["r"], find)
