"""Readings for tests: rows of `heart_rate` as plain tuples. Here, nothing imports DuckDB or polars."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

START = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)
"""When recordings begin, unless their test says otherwise."""

_TESTS = Path(__file__).parents[1]
_FILES = [
    *sorted((_TESTS / "data" / "matches").glob("*.csv")),  # made by make_matches.py
    *sorted((_TESTS.parents[1] / "shared" / "data" / "team_matches").glob("match_??.csv")),
]
MATCHES = {file.stem: file for file in _FILES}
"""Recordings of teams, by name: our own, and the real ones where they lie beside the checkout."""


class Reading(NamedTuple):
    """A row of `heart_rate`, but for its connection."""

    room_id: str
    profile_id: str
    bpm: int
    occurred_at: datetime
    received_at: datetime


def at(seconds: float) -> datetime:
    """Give the instant so many seconds after `START`."""
    return START + timedelta(seconds=seconds)


def reading(seconds: float, bpm: int, member: str = "ann", room: str = "r1", delay_s: float = 0.05) -> Reading:
    """Make a reading that occurred so many seconds after `START`."""
    return Reading(room, member, bpm, at(seconds), at(seconds + delay_s))


def steady(member: str, bpm: int, from_s: int, until_s: int, room: str = "r1") -> list[Reading]:
    """Make a reading a second, all alike."""
    return [reading(second, bpm, member, room) for second in range(from_s, until_s)]


def match_readings(name: str) -> list[Reading]:
    """Read a match as readings of the room named as the file."""
    with MATCHES[name].open(encoding="utf-8", newline="") as file:
        return [reading(float(row["time_s"]), int(row["bpm"]), row["member"], name) for row in csv.DictReader(file)]
