"""An error of our own in one room, wherever it is raised: it is logged, and the other rooms do not notice."""

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from hostile_server import Visit, open_hostile_server, reading, text
from recording_run import FAST, make_recorder, rows, running, until

from pulsoid_rec.recorder import room as room_module
from pulsoid_rec.recorder.connection.reconnect import State
from pulsoid_rec.recorder.journal.journal import Journal
from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE
from pulsoid_rec.recorder.pulsoid.messages import parse_message
from pulsoid_rec.recorder.recorder import Recorder
from pulsoid_rec.recorder.status import RoomStatus

pytestmark = pytest.mark.process

COUNT = 100
NOTED = ("lost", None, "internal error: ZeroDivisionError")


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(TOKEN_VARIABLE, "token")
    return tmp_path / "rooms.duckdb"


async def talk(visit: Visit) -> None:
    """Send numbered readings, one by one."""
    await visit.accept()
    for number in range(COUNT):
        await visit.send(text(reading(number)))
        await trio.sleep(0.005)
    await visit.until_gone()


def fail_for_sick(function: Any, *, times: int = 3) -> Any:
    """Make a function raise when the sick room calls it, the first few times."""
    left = times

    def fail(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        if left and "sick" in repr((arguments, named)) and "connected" not in repr(arguments):
            left -= 1
            return 1 / 0
        return function(*arguments, **named)

    return fail


async def record_both(
    database: Path, recorder: Recorder, caplog: pytest.LogCaptureFixture, errors: int = 3
) -> list[Any]:
    """Record until the well room has all, and the sick one as much of a later connection; return the sick one's events.

    The well room's connection is the first and only one.
    """
    with caplog.at_level(logging.INFO, logger="pulsoid_rec.recorder"):
        async with running(recorder):
            await until(lambda: recorder.rooms[1].status.readings == COUNT)
            await until(lambda: recorder.rooms[0].status.readings >= COUNT)
            assert recorder.rooms[0].status.state is State.LIVE
    assert rows(database, "SELECT profile_id FROM heart_rate WHERE room_id = 'well' ORDER BY rowid") == [
        (f"user-{number}",) for number in range(COUNT)
    ]
    assert rows(database, "SELECT event FROM connection_events WHERE room_id = 'well' ORDER BY rowid") == [
        ("opened",),
        ("closed",),
    ]
    assert caplog.text.count("sick: internal error: ZeroDivisionError. Please report it, with the log beside") == errors
    assert caplog.text.count("ZeroDivisionError: division by zero") >= errors  # with the traceback
    return rows(database, "SELECT event, code, reason FROM connection_events WHERE room_id = 'sick' ORDER BY rowid")


@pytest.mark.parametrize(
    ("place", "errors"),
    [((room_module, "parse_message"), 1), ((RoomStatus, "update"), 1), ((room_module, "ping_until_dead"), 3)],
)
async def test_an_error_while_receiving_is_logged_and_noted_and_the_room_connects_again(
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    place: tuple[Any, str],
    errors: int,
) -> None:
    owner, name = place
    function = getattr(owner, name)
    calls = 0

    async def fail_by_turns(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls in {1, 3, 4}:  # the well room's connection is the second
            raise ZeroDivisionError("division by zero")
        await function(*arguments)

    async def accept_sick_first(visit: Visit) -> None:
        if b"/rooms/well/" in visit.head:
            await until(lambda: calls > 0 or name != "ping_until_dead")
        await talk(visit)

    fail = fail_by_turns if name == "ping_until_dead" else fail_for_sick(function, times=errors)
    monkeypatch.setattr(owner, name, fail)
    timings = replace(FAST, first_reconnect_s=0.05, longest_reconnect_s=0.05)
    async with open_hostile_server(accept_sick_first) as server:
        recorder = make_recorder(server.url, database, "sick", "well", timings=timings)
        events = await record_both(database, recorder, caplog, errors)
    opened = ("opened", None, None)
    assert events == [opened, NOTED] * errors + [opened, ("closed", 1000, "the recorder was stopped")]


async def test_even_where_the_end_cannot_be_noted_the_room_connects_again(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    append = Journal.append
    broken = 2 * 3  # the row of the opening, and that of the end

    def fail(journal: Journal, row: Any) -> None:
        nonlocal broken
        if broken and row.room_id == "sick":
            broken -= 1
            raise ZeroDivisionError("division by zero")
        append(journal, row)

    monkeypatch.setattr(Journal, "append", fail)
    async with open_hostile_server(talk) as server:
        events = await record_both(database, make_recorder(server.url, database, "sick", "well"), caplog)
    assert events == [("opened", None, None), ("closed", 1000, "the recorder was stopped")]


async def test_a_room_whose_errors_do_not_end_waits_longer_each_time(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(room_module, "parse_message", fail_for_sick(parse_message, times=99))
    timings = replace(FAST, first_reconnect_s=0.05, longest_reconnect_s=10.0, after_connection_s=0.05)
    async with (
        open_hostile_server(talk) as server,
        running(make_recorder(server.url, database, "sick", timings=timings)),
    ):
        await until(lambda: len(server.visited_at) == 5)
    waits = [later - earlier for earlier, later in zip(server.visited_at, server.visited_at[1:], strict=False)]
    assert waits[-1] > 0.3 > waits[0]
    assert re.search(r"sick: internal error: ZeroDivisionError\. Trying again in 0\.", caplog.text)


async def test_an_error_of_ours_in_counting_a_message_costs_none_of_those_that_came_with_it(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = RoomStatus.update

    def fail_once(status: RoomStatus, row: Any) -> None:
        if status.messages == 10 and not status.reconnects:
            raise ZeroDivisionError
        update(status, row)

    async def send_burst(visit: Visit) -> None:
        await visit.accept()
        await visit.send(b"".join(text(reading(number)) for number in range(COUNT)))
        await visit.until_gone()

    monkeypatch.setattr(RoomStatus, "update", fail_once)
    async with open_hostile_server(send_burst, talk) as server:
        async with running(make_recorder(server.url, database)) as recorder:
            await until(lambda: recorder.rooms[0].status.reconnects > 0)
    first = "connection_id = (SELECT arg_min(connection_id, changed_at) FROM connection_events)"
    found = rows(database, f"SELECT profile_id FROM heart_rate WHERE {first} ORDER BY rowid")
    assert found == [(f"user-{number}",) for number in range(COUNT)]


async def test_an_error_of_ours_about_one_message_costs_none_of_those_that_came_with_it(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    burst = [reading(number) for number in range(COUNT)]

    def fail_once(frame: Any, **named: Any) -> Any:
        return 1 / 0 if frame == burst[10] else parse_message(frame, **named)

    async def send_burst(visit: Visit) -> None:
        await visit.accept()
        await visit.send(b"".join(map(text, burst)))
        await visit.until_gone()

    monkeypatch.setattr(room_module, "parse_message", fail_once)
    async with open_hostile_server(send_burst) as server:
        async with running(make_recorder(server.url, database)) as recorder:
            await until(lambda: recorder.rooms[0].status.reconnects > 0)
    found = rows(database, "SELECT profile_id, count(DISTINCT connection_id) FROM heart_rate GROUP BY 1")
    assert {profile_id for profile_id, _ in found} == {f"user-{number}" for number in range(COUNT)} - {"user-10"}
    rejected = rows(database, "SELECT DISTINCT reason, raw FROM rejected_messages")
    assert rejected == [("internal error: ZeroDivisionError", burst[10])]
