"""Tests of what a mark is made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsoid_rec.recorder.contract.display import is_visible
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.journal.rows import MarkRow
from pulsoid_rec.recorder.marking.mark import find_latest, find_member, make_marks, make_undo, not_undone, parse_label

NAMES = {"u-1": "Ada", "u-2": "Bo", "u-3": None, "u-4": "BO", "u-5": "Z\u00adoe"}


def mark(label: str, at: int, mark_id: str, kind: str = "mark", room: str = "r") -> MarkRow:
    return MarkRow(room, None, label, kind, at, mark_id, "cli")


@given(st.text(st.characters(exclude_categories=[])))
def test_a_label_is_one_line_that_is_seen_or_is_refused(text: str) -> None:
    try:
        label = parse_label(text)
    except UsageError:
        return
    assert is_visible(label)
    assert label == label.strip()
    assert "\n" not in label
    assert len(label) <= DEFAULT_LIMITS.label_chars
    label.encode()
    assert parse_label(label) == label


@pytest.mark.parametrize("text", ["", "  ", "\u200b", "goal\x1b[2J", "half \ud800", "x" * 201])
def test_a_label_that_cannot_be_shown_or_is_too_long_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_label(text)


def test_one_press_is_one_mark_in_each_room() -> None:
    rows = make_marks("goal", rooms=["a", "b"], marked_at=7, mark_id="m", source="cli")
    assert [(row.room_id, row.mark_id, row.marked_at) for row in rows] == [("a", "m", 7), ("b", "m", 7)]


def test_a_phase_of_a_member_an_unknown_kind_and_an_impossible_time_are_refused() -> None:
    for wrong in ({"kind": "phase", "profile_id": "u-1"}, {"kind": "undo"}, {"marked_at": 2**62}):
        arguments = {"rooms": ["a"], "marked_at": 7, "mark_id": "m", "source": "api", **wrong}
        with pytest.raises(UsageError):
            make_marks("x", **arguments)  # type: ignore[arg-type] # wrong on purpose


def test_the_latest_mark_is_undone_in_all_its_rooms_and_only_once() -> None:
    both = make_marks("goal", rooms=["a", "b"], marked_at=9, mark_id="m2", source="cli")
    rows = [*both, mark("start", 5, "m1", room="a")]
    assert find_latest(rows) == both
    assert find_latest(rows, "start") == [rows[2]]
    assert find_latest(rows, rooms=["b"]) == [both[1]]
    rows += make_undo(find_latest(rows), marked_at=11, source="cli")
    assert not_undone(rows) == [rows[2]]
    rows += make_undo(find_latest(rows), marked_at=12, source="cli")
    assert find_latest(rows) == []


def test_a_member_is_found_by_id_and_by_a_name_that_is_theirs_alone() -> None:
    assert find_member("u-3", NAMES) == "u-3"
    assert find_member("ada", NAMES) == "u-1"
    assert find_member("Bo", NAMES) == "u-2"  # as it is written
    assert find_member("zoe", NAMES) == "u-5"
    with pytest.raises(UsageError, match=r"2 members are called 'bo'\. Give the profile id: u-2, u-4\."):
        find_member("bo", NAMES)
    with pytest.raises(UsageError, match=r"no member 'Ade'\. Did you mean 'Ada'\?"):
        find_member("Ade", NAMES)
    with pytest.raises(UsageError, match="Nobody has sent anything"):
        find_member("Ada", {})
