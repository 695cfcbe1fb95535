"""What is wrong with a recorder, judged on one that is made and does not run: its state is set by hand."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from recording_run import make_recorder

from pulsoid_rec.recorder.connection.reconnect import Event, State
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.health.expected import ExpectedMembers
from pulsoid_rec.recorder.health.watch import Watch
from pulsoid_rec.recorder.journal.rows import ConnectionEventRow
from pulsoid_rec.recorder.recorder import Recorder

MINUTE_US = 60_000_000


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.setenv("PULSOID_TOKEN", "token-of-a-test")
    return make_recorder("ws://127.0.0.1:9", tmp_path / "a.duckdb", "gym", "pool")


def listen(recorder: Recorder, *, since_min: float, deaf_min: tuple[float, float] | None = None) -> Watch:
    """Let all rooms be live since so many minutes ago, but for a time that began and ended so many minutes ago."""
    now_us = time.time_ns() // 1000
    for room in recorder.rooms:
        gaps = room.status.gaps
        gaps.times = [(now_us - round(since_min * MINUTE_US), None)]
        _change(room.room_id, gaps, "opened", now_us - round(since_min * MINUTE_US))
        if deaf_min is not None:
            _change(room.room_id, gaps, "lost", now_us - round(deaf_min[0] * MINUTE_US))
            _change(room.room_id, gaps, "opened", now_us - round(deaf_min[1] * MINUTE_US))
        if not room.connection.was_live:
            room.status.enter(room.connection.on(Event.OPENED), trio.current_time())
    watch = Watch(recorder)
    watch._started_us = now_us - round(since_min * MINUTE_US)
    return watch


def _change(room_id: str, gaps: "object", event: str, at_us: int) -> None:
    gaps.update(ConnectionEventRow(room_id, "c", event, at_us))  # type: ignore[attr-defined] # those of a room


def hear(recorder: Recorder, profile_id: str, *, min_ago: float, room: int = 0) -> None:
    at = time.time_ns() // 1000 - round(min_ago * MINUTE_US)
    recorder.rooms[room].status.latest[profile_id] = (80, at, at)


def missing(watch: Watch, *expected: str) -> list[str]:
    troubles = watch.find_troubles({profile_id: profile_id.title() for profile_id in expected})
    assert {trouble.kind for trouble in troubles} <= {"member"}
    return [trouble.text for trouble in troubles]


async def test_somebody_expected_is_missing_after_five_minutes_of_silence_and_nobody_else(recorder: Recorder) -> None:
    watch = listen(recorder, since_min=30)
    for name, ago in (("ada", 4.9), ("ben", 5.1), ("eve", 20)):
        hear(recorder, name, min_ago=ago)
    assert missing(watch, "ada", "ben") == ["No reading of Ben for 5 min 6 s."]
    assert missing(watch, "fay") == ["No reading of Fay since the recorder started 30 min ago."]
    hear(recorder, "ben", min_ago=0, room=1)
    assert missing(watch, "ada", "ben") == []
    recorder.rooms[0].status.removed.add("eve")
    assert missing(watch, "eve") == [], "the room's owner removed her"


async def test_nobody_is_missing_for_a_time_in_which_the_recorder_was_deaf(recorder: Recorder) -> None:
    watch = listen(recorder, since_min=30, deaf_min=(9, 2))
    hear(recorder, "ada", min_ago=11)
    assert missing(watch, "ada", "ben") == ["No reading of Ben since the recorder started 30 min ago."]
    watch = listen(recorder, since_min=30, deaf_min=(9, 5))
    assert missing(watch, "ada") == ["No reading of Ada for 11 min."]


async def test_a_room_that_was_never_live_is_a_trouble_at_once_and_bad_health_in_a_minute(recorder: Recorder) -> None:
    watch = Watch(recorder)
    assert [trouble.subject for trouble in watch.find_troubles({})] == ["gym", "pool"]
    assert watch.check().ok
    for room in recorder.rooms:
        room.status.gaps.times = [(time.time_ns() // 1000 - 2 * MINUTE_US, None)]
    assert watch.check().why == [f"Room '{name}' has not been connected yet." for name in ("gym", "pool")]
    watch = listen(recorder, since_min=2)
    assert watch.find_troubles({}) == []
    recorder.rooms[0].status.enter(State.REFUSED, 0, "the server refused the token (401)")
    [refused] = watch.find_troubles({})
    assert refused.text == "Room 'gym' has not been heard for 0 s (the server refused the token (401))."


async def test_a_token_is_a_trouble_a_day_before_its_end(recorder: Recorder) -> None:
    watch = listen(recorder, since_min=1)
    recorder.refresh.end.at = datetime.now(UTC) + timedelta(hours=25)
    assert watch.find_troubles({}) == []
    for left_s, text in ((7_201, "The token ends in 2 h."), (-1, "The token has ended.")):
        recorder.refresh.end.at = datetime.now(UTC) + timedelta(seconds=left_s)
        assert " ".join(trouble.text for trouble in watch.find_troubles({})).startswith(text)
    recorder.refresh.end.is_refreshed = True
    assert watch.find_troubles({}) == []


async def test_a_database_that_is_behind_and_a_full_disk_are_troubles(recorder: Recorder) -> None:
    watch = listen(recorder, since_min=1)
    recorder.journal.append(ConnectionEventRow("gym", "c", "opened", 1))
    watch.look()
    assert watch.find_warnings() == []
    watch._looks[0] = (trio.current_time() - 61, 1)
    recorder.ingester.is_disk_low = True
    assert [trouble.kind for trouble in watch.find_troubles({})] == ["database", "disk"]
    assert watch.check().why[0] == "The database is 1 min 1 s behind. Nothing is lost."
    recorder.journal._unwritten_since = time.monotonic() - 3
    assert watch.find_warnings()[0] == "The journal has not been written for 3 s."


async def test_those_of_the_members_file_are_expected_unless_they_withdrew(
    recorder: Recorder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = ExpectedMembers(recorder)
    expected.update()
    assert expected.names == {}
    file = tmp_path / "members.toml"
    file.write_text('[a]\nname = "Ada"\n[b]\n[c]\nconsent = "withdrawn"\n', encoding="utf-8")
    expected.update()
    assert expected.names == {"a": "Ada", "b": None}
    file.write_text("[a\n", encoding="utf-8")
    expected.update()
    expected.update()
    assert expected.names == {"a": "Ada", "b": None}
    assert caplog.text.count("is not valid TOML") == 1
    file.unlink()
    expected.update()
    assert expected.names == {}


async def test_where_consent_is_needed_only_who_gave_it_is_expected(tmp_path: Path) -> None:
    file = tmp_path / "members.toml"
    file.write_text("[a]\nconsent = 2024-01-01\n[b]\n", encoding="utf-8")
    recorder = make_recorder("ws://127.0.0.1:9", tmp_path / "a.duckdb", consent_file=file, timings=Timings())
    expected = ExpectedMembers(recorder)
    expected.update()
    assert expected.names == {"a": None}
