"""The series that files are made of: each second as an oracle in plain Python has it, however many are read at once."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import oracle
import pytest
from recordings import START, Reading, at, make_recording, reading, steady

from pulsoid_rec.analysis.export import series as series_module
from pulsoid_rec.analysis.export.series import NO_READING, Mark, Series, read_series
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.reading.pseudonyms import Pseudonyms
from pulsoid_rec.analysis.reading.recording import NOBODY, Recording

SECOND = timedelta(seconds=1)


def read(path: Path, wanted: Filter | None = None, pseudonyms: Pseudonyms | None = None) -> list[Series]:
    recording = Recording(path, pseudonyms=pseudonyms)
    return list(read_series(recording, wanted or Filter(), Definitions(), NOBODY))


def seconds(series: Series) -> dict[datetime, int]:
    first = series.zero_at + series.first_s * SECOND
    return {first + i * SECOND: bpm for i, bpm in enumerate(series.bpm.tolist()) if bpm != NO_READING}


def random_rows(seed: int) -> list[Reading]:
    chance, when, rows = random.Random(seed), -0.4, list[Reading]()
    for _ in range(200):
        when += chance.choice([0, 0.2, 0.9, 1, 1.1, 4.9, 5, 5.2, 7, 901 if chance.random() < 0.1 else 1])
        bpm = chance.choice([0, 29, 30, 80, 120, 230, 231])
        rows.append(reading(when, bpm, chance.choice("abc"), chance.choice(["r1", "r1", "r2"])))
    return rows


def held_seconds(part: oracle.SessionView) -> Iterator[tuple[datetime, int]]:
    for one in part.readings:
        when, until = one.at.replace(microsecond=0), one.at + timedelta(microseconds=one.held_us)
        while one.plausible and when < until:
            if when >= one.at:
                yield when, one.bpm
            when += SECOND


@pytest.mark.parametrize(("most_cells", "members"), [(500_000, 100), (400, 2)])
def test_each_second_is_that_of_the_oracle_however_many_are_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_cells: int, members: int
) -> None:
    monkeypatch.setattr(series_module, "_MOST_CELLS", most_cells)
    monkeypatch.setattr(series_module, "_MEMBERS_AT_ONCE", members)
    rows = random_rows(5)
    timely, _ = oracle.tell_apart(rows, oracle.Rules())
    expected = {key: dict(held_seconds(part)) for key, part in oracle.take_apart(timely, oracle.Rules()).items()}
    assert len({key[1] for key in expected}) > 2
    path = make_recording(tmp_path / "a.duckdb", rows)
    found = {(one.room_id, one.session, one.profile_id): one for one in read(path)}
    assert {key: seconds(one) for key, one in found.items()} == expected
    for one in found.values():
        held = [second for first, end in one.runs() for second in range(first, end)]
        assert [one.zero_at + second * SECOND for second in held] == sorted(seconds(one))
        assert all(end < first for (_, end), (first, _) in pairwise(one.runs()))


def test_phases_and_marks_count_from_the_second_all_members_share(tmp_path: Path) -> None:
    path = make_recording(
        tmp_path / "a.duckdb", [*steady("ann", 70, 0, 60), *steady("bob", 80, 20, 50), reading(59.5, 81, "bob")]
    )
    marks = [(None, "one", "phase", 10), (None, "goal", "mark", 12.25), ("bob", "foul", "mark", 30)]
    with duckdb.connect(path) as connection:
        for who, label, kind, second in marks:
            row = [who, label, kind, at(second + 0.05), label]  # readings come 50 ms after they occur
            connection.execute("INSERT INTO marks VALUES ('r1', ?, ?, ?, ?, ?, 'cli')", row)
    ann, bob = read(path)
    assert (ann.zero_at, ann.first_s, ann.end_s) == (START, 0, 59)
    assert (bob.zero_at, bob.first_s, bob.end_s) == (START, 20, 54)
    assert ann.marks == (Mark("goal", 12.25),)
    assert bob.marks == (Mark("goal", 12.25), Mark("foul", 30))
    for one in (ann, bob):
        assert [(phase.label, phase.start_s) for phase in one.phases] == [(None, 0), ("one", 10)]
        assert one.phases[0].end_s == 10
    assert ann.phases[0].figures["readings"] == 10
    assert not bob.phases[0].figures  # not there yet


def test_a_range_of_time_begins_at_its_first_whole_second(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb", steady("ann", 70, 0, 60))
    (ann,) = read(path, Filter(since=at(9.5), until=at(20)))
    assert (ann.zero_at, ann.first_s, ann.end_s, ann.figures["readings"]) == (at(10), 0, 10, 10)
    assert [one.session for one in read(path, Filter(session=1))] == [1]
    assert read(path, Filter(rooms=("none",))) == []


def test_who_never_has_a_second_of_plausible_heart_rate_has_an_empty_series(tmp_path: Path) -> None:
    path = make_recording(
        tmp_path / "a.duckdb", [*steady("ann", 70, 0, 9), *steady("zed", 0, 0, 9), reading(3, 80, "y")]
    )
    assert {one.profile_id: len(one.bpm) for one in read(path)} == {"ann": 8, "zed": 0, "y": 0}


def test_with_moved_times_only_the_first_second_moves(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb", steady("ann", 70, 0, 9))
    key = Pseudonyms(b"k" * 32, shift_times=True)
    (plain,), (moved,) = read(path), read(path, pseudonyms=key)
    assert plain.zero_at - moved.zero_at == key.shift(key.make("room", ["r1"])[0])
    assert (plain.bpm == moved.bpm).all()
    assert (moved.profile_id, moved.room_id) == (key.make("profile", ["ann"])[0], key.make("room", ["r1"])[0])
