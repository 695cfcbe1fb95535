"""Tests of the marks that a running recorder has."""

import pytest

from pulsoid_rec.recorder.clock import ReceiptClock
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.journal.rows import AnyRow, MarkRow
from pulsoid_rec.recorder.marking.board import MOST, MarkBoard

NAMES: dict[str, dict[str, str | None]] = {"a": {"u-1": "Ada"}, "b": {"u-2": "Bo"}}


def make_board() -> tuple[MarkBoard, list[AnyRow]]:
    journal: list[AnyRow] = []
    stamps = iter(range(1_000_000, 9_000_000, 1000))
    return MarkBoard(["a", "b"], NAMES.__getitem__, journal.append, ReceiptClock(lambda: next(stamps))), journal


def test_a_mark_is_in_the_journal_and_shown() -> None:
    board, journal = make_board()
    rows = board.mark("goal", source="page")
    assert journal == rows == board.marks
    assert {(row.room_id, row.source, row.kind) for row in rows} == {("a", "page", "mark"), ("b", "page", "mark")}
    assert len({row.mark_id for row in rows}) == 1


def test_a_member_is_looked_for_in_every_room() -> None:
    board, _ = make_board()
    assert [(row.room_id, row.profile_id) for row in board.mark("x", member="bo", source="api")] == [("b", "u-2")]
    assert [(row.room_id, row.profile_id) for row in board.mark("x", member="Ada", source="api")] == [("a", "u-1")]
    with pytest.raises(UsageError, match="no member 'Ada'"):
        board.mark("x", member="Ada", room="b", source="api")


def test_what_cannot_be_is_refused_and_nothing_written() -> None:
    board, journal = make_board()
    for wrong in ({"label": "\u200b"}, {"label": "x", "room": "c"}, {"label": "x", "kind": "undo"}):
        with pytest.raises(UsageError):
            board.mark(**{"source": "api", **wrong})  # type: ignore[arg-type] # wrong on purpose
    assert journal == []
    assert board.changes == 0


def test_undo_adds_rows_and_changes_none() -> None:
    board, journal = make_board()
    goal = board.mark("goal", source="page")
    [late] = board.mark("late", room="b", source="page")
    assert [row.label for row in board.undo_mark(late.mark_id, source="page")] == ["late"]
    assert board.marks == goal
    assert [row.kind for row in board.undo_mark(goal[0].mark_id, source="page")] == ["undo", "undo"]
    assert board.marks == []
    with pytest.raises(UsageError, match="no such mark"):
        board.undo_mark(late.mark_id, source="page")
    assert len(journal) == 6


def test_marks_of_others_are_added_once_and_only_those_of_its_rooms() -> None:
    board, journal = make_board()
    own = board.mark("own", room="a", source="page")
    other = MarkRow("b", None, "other", "phase", 5, "m", "cli")
    for _ in range(2):
        board.merge([*own, other, MarkRow("c", None, "elsewhere", "mark", 6, "n", "cli")])
    assert board.marks == [other, *own]
    assert board.changes == 2
    assert journal == own
    board.merge([MarkRow("b", None, "other", "undo", 7, "m", "cli")])
    assert board.marks == own


def test_memory_is_bounded() -> None:
    board, _ = make_board()
    board.merge([MarkRow("a", None, "x", "mark", at, f"m{at}", "cli") for at in range(MOST + 5)])
    assert [board.marks[0].marked_at, len(board.marks)] == [5, MOST]
