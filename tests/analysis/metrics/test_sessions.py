"""Sessions begin after more than a quarter of an hour in which nobody in the room sends anything."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from recordings import Reading, at, make_recording, reading

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.sessions import SCHEMA, list_sessions, number_stretches
from pulsoid_rec.analysis.reading.recording import Recording


def sessions_of(path: Path, readings: list[Reading], gap_s: float = 900.0) -> pl.DataFrame:
    return Recording(make_recording(path / "a.duckdb", readings)).sessions(definitions=Definitions(session_gap_s=gap_s))


@pytest.mark.parametrize(("silence_us", "sessions"), [(900_000_000, 1), (900_000_001, 2)])
def test_silence_of_just_a_quarter_of_an_hour_ends_no_session(tmp_path: Path, silence_us: int, sessions: int) -> None:
    for offset_s in (0, 899.9, 450):
        first = reading(offset_s, 80)
        second = first._replace(occurred_at=first.occurred_at + timedelta(microseconds=silence_us))
        folder = tmp_path / str(offset_s)
        folder.mkdir()
        assert sessions_of(folder, [second, first]).height == sessions


def test_session_goes_on_as_long_as_anybody_sends(tmp_path: Path) -> None:
    readings = [reading(minute * 600, 0 if minute % 2 else 80, "ann" if minute % 2 else "bob") for minute in range(10)]
    found = sessions_of(tmp_path, readings)
    assert found.rows() == [("r1", 1, at(0), at(5400), 2, 10, at(0.05), at(5400.05))]


def test_rooms_have_sessions_of_their_own(tmp_path: Path) -> None:
    readings = [reading(second, 80, room=room) for room in ("r1", "r2") for second in (0, 600, 1200, 9000)]
    readings.remove(reading(600, 80, room="r2"))
    found = sessions_of(tmp_path, readings)
    assert found.select("room_id", "session", "readings").rows() == [
        ("r1", 1, 3),
        ("r1", 2, 1),
        ("r2", 1, 1),
        ("r2", 2, 1),
        ("r2", 3, 1),
    ]


def test_late_row_joins_what_were_two_sessions(tmp_path: Path) -> None:
    apart = [reading(0, 80), reading(1600, 80)]
    assert sessions_of(tmp_path, [*apart, reading(800, 80)]).height == 1


def test_length_of_the_silence_is_an_option(tmp_path: Path) -> None:
    readings = [reading(second, 80) for second in (0, 50, 120, 200)]
    assert sessions_of(tmp_path, readings, gap_s=60).height == 3


def test_years_before_1970_are_told_apart_like_others(tmp_path: Path) -> None:
    long_ago = timedelta(days=365 * 80)
    readings = [row._replace(occurred_at=row.occurred_at - long_ago) for row in (reading(0, 80), reading(901, 80))]
    assert sessions_of(tmp_path, readings).height == 2


def test_no_stretches_make_no_sessions() -> None:
    nothing = pl.DataFrame(
        schema=pl.Schema({"room_id": pl.String(), "profile_id": pl.String(), "readings": pl.Int64()})
        | dict.fromkeys(["first_at", "last_at", "first_received_at", "last_received_at"], SCHEMA["started_at"])
    )
    found = list_sessions(number_stretches(nothing, 1))
    assert found.is_empty()
    assert found.schema == SCHEMA


def test_somebody_who_came_and_went_ends_nobodys_session(tmp_path: Path) -> None:
    readings = [reading(0, 80), reading(1, 80, "bob"), reading(890, 80), reading(1700, 80)]
    assert sessions_of(tmp_path, readings).height == 1
