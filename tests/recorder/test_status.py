"""The status keeps in mind no more than a limit, and those who were heard last."""

import json

from pulsoid_rec.recorder.journal.rows import HeartRateRow, MessageRow
from pulsoid_rec.recorder.pulsoid.messages import parse_message
from pulsoid_rec.recorder.status import RoomStatus, count_members

AT = "2024-01-15T10:30:00Z"


def heard(number: int, at: int) -> HeartRateRow:
    return HeartRateRow("room", "connection", f"user-{number}", 72, at, at, "")


def member(kind: str, number: int, **payload: object) -> MessageRow:
    message = {"kind": kind, "timestamp": AT, kind: {"profile_id": f"user-{number}", **payload}}
    return parse_message(json.dumps(message), room_id="room", connection_id="connection", received_at=1)


def test_all_members_up_to_the_limit_are_kept_and_above_it_those_heard_last() -> None:
    status = RoomStatus("room", most_members=100)
    for n in range(100):
        status.update(heard(n, n))
    assert (len(status.latest), count_members([status])) == (100, "100 members")
    status.update(heard(0, 100))
    status.update(heard(100, 101))
    assert set(status.latest) == {f"user-{n}" for n in (0, *range(12, 101))}
    assert count_members([status]) == "more than 100 members"
    assert status.readings == 102


def test_of_a_million_members_no_more_than_the_limit_is_in_memory() -> None:
    status = RoomStatus("room", most_members=100)
    for n in range(2_000):
        status.update(member("room_member_updated", n, config={"name": f"Name {n}"}))
        status.update(heard(n, n))
        status.update(member("room_member_removed", n))
        status.update(member("room_member_removed", -n))
        assert max(len(status.latest), len(status.names), len(status.removed)) <= 100
        assert set(status.removed) <= set(status.latest)
    for n in range(2_000):
        status.update(member("room_member_updated", n, config={"name": "only a name"}))
    assert len(status.names) <= 100


def test_64_characters_of_a_name_are_kept() -> None:
    status = RoomStatus("room")
    status.update(member("room_member_updated", 1, config={"name": "ä" * 64}))
    status.update(member("room_member_updated", 2, config={"name": "ä" * 65}))
    assert status.names == {"user-1": "ä" * 64, "user-2": "ä" * 64}


def test_a_member_removed_is_present_again_with_the_next_reading() -> None:
    status = RoomStatus("room")
    status.update(heard(1, 1))
    status.update(member("room_member_removed", 1))
    assert (status.present, len(status.latest)) == (0, 1)
    status.update(heard(1, 2))
    assert status.present == 1
