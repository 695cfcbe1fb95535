"""A row's texts become a reading, or a reason."""

import pytest

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.importing import parse
from pulsoid_rec.recorder.importing.columns import find_columns
from pulsoid_rec.recorder.importing.instants import Instants
from pulsoid_rec.recorder.importing.parse import Member, Reading, parse_bpm, row_parser


def parse_row(header: str, *cells: str, room: str | None = "r1", member: str | None = None) -> Reading | None:
    columns = find_columns(header.split(","), {})
    assert columns is not None
    return row_parser(columns, Instants(None, None, None), room, member)(list(cells))


@pytest.mark.parametrize(
    ("text", "bpm"),
    [
        ("72", 72),
        (" 75.0 ", 75),
        ("75,00", 75),
        ("72.", 72),
        ("-5", -5),
        ("0", 0),
        ("900", 900),
        ("2147483647", 2**31 - 1),
    ],
)
def test_a_whole_number_is_a_heart_rate_however_it_is_written(text: str, bpm: int) -> None:
    assert parse_bpm(text) == bpm


@pytest.mark.parametrize("text", ["", " ", "NaN", "null", "--", "N/A"])
def test_an_empty_cell_is_no_reading_and_no_fault(text: str) -> None:
    assert parse_row("member,time,bpm", "Ada", "not even a time", text) is None


@pytest.mark.parametrize("text", ["72.5", "72,5", "7x", "1e2", "٧٢", "2147483648", "99999999999"])
def test_anything_else_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"its bpm .* is (not a whole number|too large)"):
        parse_bpm(text)


AT = 1_700_000_000_000_000


def test_ids_are_taken_as_they_are_and_names_are_trimmed() -> None:
    header = "room_id,profile_id,name,bpm,occurred_at,received_at"
    row = ("it's", " a\nb ", " Ada Lovelace ", "72", "1700000000", "then")
    assert parse_row(header, *row, room=None) == (Member("it's", " a\nb ", "Ada Lovelace"), 72, AT, "then")
    assert parse_row("athlete,time,bpm", " Ada Lovelace ", "1700000000", "72") == (
        Member("r1", "Ada Lovelace", "Ada Lovelace"),
        72,
        AT,
        "",
    )


def test_options_stand_in_for_columns() -> None:
    assert parse_row("room_id,member,time,bpm", "x", "y", "1700000000", "72", member="Ada") == (
        Member("r1", "Ada", None),
        72,
        AT,
        "",
    )


def test_the_first_characters_of_an_id_are_no_name() -> None:
    found = parse_row("profile_id,name,time,bpm", "0123456789", "01234567", "1700000000", "72")
    assert found is not None
    assert found[0].name is None


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (" ", "it has no member"),
        ("x" * 257, "the id of its member has more than 256 characters"),
        ("J\udcfcrgen", "the id of its member is not UTF-8 text"),
    ],
)
def test_a_member_that_cannot_be_one_is_rejected(member: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_row("member,time,bpm", member, "1700000000", "72")


def test_a_file_of_too_many_members_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "_MOST_MEMBERS", 3)
    assert DEFAULT_LIMITS.import_members > 3
    columns = find_columns(["member", "time", "bpm"], {})
    assert columns is not None
    parse_ = row_parser(columns, Instants(None, None, None), "r1", None)
    for number in range(3):
        parse_([str(number), "1700000000", "72"])
    with pytest.raises(UsageError, match="Column 'member' names more than 3 members"):
        parse_(["3", "1700000000", "72"])
