"""The state of the live page: whoever has followed it from the start has what a new viewer gets."""

from collections.abc import Callable
from typing import Any

import msgspec
import trio
from hypothesis import given
from hypothesis import strategies as st

from pulsoid_rec.recorder.clock import ReceiptClock
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits
from pulsoid_rec.recorder.contract.members_file import Member
from pulsoid_rec.recorder.gaps import Gaps
from pulsoid_rec.recorder.journal.rows import (
    AnyRow,
    ConnectionEventRow,
    HeartRateRow,
    MemberEventRow,
    RoomEventRow,
    reject,
)
from pulsoid_rec.recorder.live.events import RecorderEvent, Snapshot, Update, encode
from pulsoid_rec.recorder.live.history import History
from pulsoid_rec.recorder.live.members import LiveMembers
from pulsoid_rec.recorder.live.room_clock import RoomClock
from pulsoid_rec.recorder.live.state import LiveState
from pulsoid_rec.recorder.marking.board import MarkBoard
from pulsoid_rec.recorder.status import RoomStatus

S = 1_000_000
START = 1_772_388_000 * S
WELL = RecorderEvent(journal_bytes=0, backlog_s=0, warnings=[])


def make_state(
    *rooms: str, described: dict[str, Member] | None = None, limits: Limits = DEFAULT_LIMITS
) -> tuple[LiveState, MarkBoard]:
    board = MarkBoard(rooms, lambda _: {"ann": "Ann"}, lambda _: None, ReceiptClock(lambda: (START + 30 * S) * 1000))
    members = LiveMembers(rooms, described or {}, limits.live_members)
    return LiveState([RoomStatus(room) for room in rooms], members, board, START), board


def heart_rate(member: str, bpm: int, at_s: float, room: str = "r1", received_s: float | None = None) -> HeartRateRow:
    received = START + round((at_s if received_s is None else received_s) * S)
    return HeartRateRow(room, "c1", member, bpm, START + round(at_s * S), received, "{}")


def config(member: str, name: str | None, room: str = "r1") -> MemberEventRow:
    return MemberEventRow(room, "c1", member, "updated", name, "{}", START, START, "{}")


def read(event: Snapshot | Update) -> dict[str, Any]:
    content: dict[str, Any] = msgspec.json.decode(encode(event))
    return content


def take_in(known: dict[int, dict[str, Any]], event: dict[str, Any]) -> None:
    """Take in an event as the page does."""
    for member in event.get("members", []):
        before = known.setdefault(member["member"], {"line": []})
        line = sorted([*before["line"], *member.pop("line", []), *member.pop("new", [])])
        before.update(member, line=line)


ROWS = st.lists(
    st.one_of(
        st.builds(
            heart_rate,
            st.sampled_from(["ann", "bob", "cyd"]),
            st.sampled_from([0, 60, 142, 900]),
            st.integers(0, 400),
            st.sampled_from(["r1", "r2", "elsewhere"]),
        ),
        st.builds(config, st.sampled_from(["ann", "bob"]), st.sampled_from(["Ann", "Bob", "ann", None]))
    ),
    max_size=15,
)  # fmt: skip


@given(st.lists(ROWS, min_size=1, max_size=6), st.integers(0, 5))
def test_updates_add_up_to_what_a_snapshot_has(ticks: list[list[AnyRow]], joined: int) -> None:
    async def follow() -> None:
        state, board = make_state("r1", "r2", described={"ann": Member(hr_max=200), "eve": Member(name="Eve")})
        known: dict[int, dict[str, Any]] = {}
        marks: dict[str, dict[str, Any]] = {}
        rooms: dict[int, dict[str, Any]] = {}
        for tick, rows in enumerate(ticks):
            await state.add(rows)
            if tick < joined:
                state.discard_changes()
                continue
            if tick == joined:
                state.discard_changes()
                event = read(await state.snapshot(START + tick * S, WELL))
            else:
                if tick % 2:
                    board.mark(f"mark {tick}", source="cli")
                else:
                    state.rooms[0].problem = f"problem {tick}"
                event = read(await state.update(START + tick * S, WELL))
            take_in(known, event)
            rooms.update((room["room"], room) for room in event.get("rooms", []))
            marks.update((mark["id"], mark) for mark in event.get("marks", []))
        if joined >= len(ticks):
            return
        whole = read(await state.snapshot(START + len(ticks) * S, WELL))
        assert sorted(known.values(), key=lambda member: member["member"]) == whole["members"]
        assert sorted(marks.values(), key=lambda mark: mark["id"]) == sorted(whole["marks"], key=lambda m: m["id"])
        assert list(rooms.values()) == whole["rooms"]

    trio.run(follow)


async def snapshot_of(state: LiveState, at_s: float = 60) -> dict[str, Any]:
    return read(await state.snapshot(START + round(at_s * S), WELL))


async def test_members_have_names_no_two_alike_and_nothing_that_a_browser_obeys() -> None:
    state, _ = make_state("r1", described={"id-of-dee": Member(name="Dee"), "id-of-eve": Member(name="Eve")})
    rows = [heart_rate(member, 100, 1) for member in ("id-of-ann", "id-of-bob", "id-of-cyd", "id-of-dee")]
    names = {"id-of-ann": "Sam", "id-of-bob": "Sam", "id-of-cyd": "x\u202e\n", "id-of-dee": "other"}
    await state.add([*rows, *(config(member, name) for member, name in names.items())])
    shown = await snapshot_of(state)
    assert [member["name"] for member in shown["members"]] == [
        "Dee", "Eve", "Sam (id-of-an)", "Sam (id-of-bo)", "x\ufffd\ufffd",
    ]  # fmt: skip
    assert [member["expected"] for member in shown["members"]] == [True, True, False, False, False]
    assert not any("id-of-ann" in member["name"] for member in shown["members"])


async def test_one_who_is_expected_is_in_no_room_of_several_until_heard() -> None:
    state, _ = make_state("r1", "r2", described={"eve": Member(hr_max=150)})
    assert [member["room"] for member in (await snapshot_of(state))["members"]] == [None]
    await state.add([heart_rate("eve", 120, 1, "r2"), heart_rate("eve", 121, 1, "r1")])
    members = (await snapshot_of(state))["members"]
    assert [(member["member"], member["room"], member["bpm"], member["zone"]) for member in members] == [
        (0, 1, 120, 4),
        (1, 0, 121, 4),
    ]


async def test_above_the_limit_members_are_counted_and_not_shown() -> None:
    state, _ = make_state("r1", limits=Limits(live_members=3))
    await state.add([heart_rate(f"m{number}", 100, 1) for number in range(10)])
    shown = await snapshot_of(state)
    assert len(shown["members"]) == 3
    assert shown["more_members"] == 7


async def test_what_came_before_is_put_before_and_names_of_now_stay() -> None:
    state, _ = make_state("r1")
    await state.add([
        heart_rate("ann", 120, 10), config("ann", "New"),
        ConnectionEventRow("r1", "c1", "opened", START + S),
        reject("r1", "c1", START, "why", "raw"),
    ])  # fmt: skip
    at_ms = START // 1000
    history = History(
        lines={("r1", "ann"): [(at_ms - 8_000, 90), (at_ms - 9_000, 91)], ("r1", "bob"): [(at_ms - 7_000, 80)]},
        member_names={"ann": "Old", "bob": "Bob"},
        room_names={"r1": "Gym"},
        listened={"r1": [(START - 90 * S, START - 50 * S), (START - 40 * S, START - 20 * S)]},
    )
    await state.add_history(history)
    shown = await snapshot_of(state)
    ann, bob = shown["members"]
    assert (ann["name"], bob["name"], shown["rooms"][0]["name"]) == ("New", "Bob", "Gym")
    assert ann["line"] == [[at_ms - 9_000, 91], [at_ms - 8_000, 90], [at_ms + 10_000, 120]]
    assert (bob["bpm"], bob["readings"], ann["readings"]) == (80, 0, 1)
    assert shown["rooms"][0]["gaps"] == [[at_ms - 50_000, at_ms - 40_000], [at_ms - 20_000, at_ms + 1_000]]
    await state.add([RoomEventRow("r1", "c1", "Hall", "{}", START, START, "{}")])
    assert (await snapshot_of(state))["rooms"][0]["name"] == "Hall"


async def test_a_reading_of_another_day_is_left_out_and_counted() -> None:
    state, _ = make_state("r1")
    rows = [heart_rate("ann", 100, second) for second in range(10)]
    await state.add([*rows, heart_rate("ann", 50, -200_000, received_s=11)])
    [ann] = (await snapshot_of(state))["members"]
    assert (ann["readings"], ann["left_out"], ann["lowest"]) == (10, 1, 100)


async def test_a_mark_of_all_rooms_is_one_mark() -> None:
    state, board = make_state("r1", "r2")
    await state.add([heart_rate("ann", 100, 1)])
    board.mark("start", kind="phase", source="cli")
    board.mark("goal", room="r1", member="Ann", source="cli")
    marks = (await snapshot_of(state))["marks"]
    assert [(mark["label"], mark["kind"], mark["room"], mark["member"]) for mark in marks] == [
        ("start", "phase", None, None),
        ("goal", "mark", 0, 0),
    ]


async def test_a_mark_that_only_a_snapshot_had_is_taken_back_when_it_is_undone() -> None:
    state, board = make_state("r1")
    await state.update(START, WELL)
    [mark] = board.mark("goal", source="page")
    assert [each["id"] for each in (await snapshot_of(state))["marks"]] == [mark.mark_id]
    board.undo_mark(mark.mark_id, source="page")
    sent = read(await state.update(START, WELL))["marks"]
    assert [(each["id"], each["kind"]) for each in sent] == [(mark.mark_id, "undo")]
    assert "marks" not in read(await state.update(START, WELL))


def leads(clock: RoomClock, *lead_s: float) -> float:
    clock.observe([heart_rate("ann", 100, 10 + lead, received_s=10) for lead in lead_s])
    return clock.lead_us / S


def test_the_rooms_clock_is_that_of_the_reading_that_was_delayed_least_but_of_no_stray() -> None:
    clock = RoomClock()
    assert leads(clock, -0.3, -0.05, -8, -0.1, 3_600, -7_200) == -0.05
    assert leads(RoomClock(), *([300] * 20), 0) == 300
    assert leads(RoomClock(), *([300] * 200), *([0] * 200)) == 0  # it was set
    assert RoomClock().lead_us == 0


def ages_s(state: LiveState, snapshot: dict[str, Any]) -> list[float]:
    return [(snapshot["now"] - member["at"]) / 1000 for member in snapshot["members"]]


async def test_a_member_whose_clock_is_wrong_makes_nobody_seem_to_be_gone() -> None:
    """Each sends a reading a second, one of them by a clock that is ahead or behind; then falls silent."""
    for wrong_s in (30, -30, 3_600, -3_600):
        for others in (1, 2, 4):
            state, _ = make_state("r1")
            shown: set[int] = set()
            for second in range(200):
                rows: list[AnyRow] = [heart_rate("wrong", 90, second + wrong_s, received_s=second)]
                rows += [heart_rate(f"right {n}", 90, second, received_s=second) for n in range(others)]
                await state.add(rows if second % 3 else rows[::-1])
                shown.add(state.clock.to_ms(0))
            assert len(shown) == 1  # the room's clock does not jump
            assert ages_s(state, await snapshot_of(state, 199.5)) == [0.5] * (others + 1)
            assert ages_s(state, await snapshot_of(state, 260)) == [61] * (others + 1)


async def test_a_room_that_is_a_replay_of_another_year_has_its_figures_beside_one_of_today() -> None:
    state, _ = make_state("r1", "r2")
    year_s = 365 * 86_400
    for second in range(20):
        await state.add([
            heart_rate("ann", 90, second, "r1"),
            heart_rate("bob", 90, second - 6 * year_s, "r2", received_s=second),
            heart_rate("cyd", 90, second - 6 * year_s, "r2", received_s=second),
        ])  # fmt: skip
    snapshot = await snapshot_of(state, 19.5)
    assert [(m["readings"], m["left_out"]) for m in snapshot["members"]] == [(20, 0)] * 3
    assert ages_s(state, snapshot) == [0.5] * 3


async def test_readings_that_come_late_together_are_as_old_as_they_are() -> None:
    state, _ = make_state("r1")
    for second in range(0, 80, 8):
        await state.add([heart_rate("ann", 90, second + step, received_s=second + 7) for step in range(8)])
    await state.add([heart_rate("ann", 90, 80, received_s=89)])
    assert ages_s(state, await snapshot_of(state, 90)) == [10]


def test_what_is_shown_for_long_stays_where_it_is_while_the_clock_trembles() -> None:
    clock = RoomClock()
    shown: set[int] = set()
    for lead_s in (-0.02, -0.08, -0.01):
        leads(clock, lead_s)
        shown.add(clock.to_steady_ms(START))
    assert len(shown) == 1
    leads(clock, *([90] * 200))
    assert clock.to_steady_ms(START) == START // 1000 + 90_000


def test_gaps_are_the_times_between_connections_and_add_up() -> None:
    gaps = Gaps(START)
    change: Callable[[str, float], None] = lambda event, at_s: gaps.update(  # noqa: E731 - short
        ConnectionEventRow("r1", "c1", event, START + round(at_s * S))
    )
    change("refused", 1)
    change("opened", 2)
    change("opened", 3)
    change("lost", 10)
    assert gaps.open_since() == START + 10 * S
    assert gaps.total_s(START + 14 * S) == 6
    change("closed", 11)
    change("opened", 15)
    assert gaps.open_since() is None
    assert gaps.total_s(START + 99 * S) == 7
    gaps.add_earlier([(START - 9 * S, START - 5 * S)])
    assert gaps.times == [(START - 5 * S, START + 2 * S), (START + 10 * S, START + 15 * S)]
    assert gaps.total_s(START + 99 * S) == 7  # of this run
    gaps.trim(START + 12 * S)
    assert gaps.times == [(START + 10 * S, START + 15 * S)]


async def test_other_tasks_have_their_turn_while_many_rows_are_taken_in() -> None:
    state, _ = make_state("r1")
    rows = [heart_rate("ann", 100, second / 10) for second in range(20_000)]
    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await state.add(rows)
        nursery.cancel_scope.cancel()
    assert turns >= 100
