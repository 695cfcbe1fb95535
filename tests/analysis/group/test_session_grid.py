"""A session's array of readings: a row a second, a column a member, NaN in each gap."""

from pathlib import Path

import numpy as np
import pytest
from recordings import START, make_recording, reading, steady

from pulsoid_rec.analysis.group import session_grid
from pulsoid_rec.analysis.group.session_grid import read_session_grids
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.reading.recording import Recording


def test_each_session_has_its_own_members_and_gaps_stay_empty(tmp_path: Path) -> None:
    rows = [
        *steady("bob", 80, 0, 30),
        *steady("ann", 70, 2, 10),
        *steady("ann", 71, 20, 31),
        *steady("cid", 90, 5, 9, "r2"),
    ]
    grids = list(read_session_grids(Recording(make_recording(tmp_path / "a.duckdb", rows)), Filter(), Definitions()))
    assert [(grid.room_id, grid.session, grid.profile_ids, grid.names) for grid in grids] == [
        ("r1", 1, ("ann", "bob"), ("ann", "bob")),
        ("r2", 1, ("cid",), ("cid",)),
    ]
    first = grids[0]
    assert first.first_s == int(START.timestamp())
    ann = first.bpm[:, 0]
    assert np.isnan(ann[[0, 1, 14, 19]]).all()  # held for 5 s after second 9
    assert (ann[2:14] == 70).all()
    assert (ann[20:30] == 71).all()


def test_a_session_read_in_parts_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = [reading(second + second % 3 / 10, 70 + second % 7, "ann") for second in (*range(0, 80, 3), *range(300, 320))]
    rows = [*ann, *steady("bob", 90, 5, 12)]
    recording = Recording(make_recording(tmp_path / "a.duckdb", rows))
    for wanted in (Filter(), Filter(since=START.replace(second=7, microsecond=1), until=START.replace(minute=4))):
        monkeypatch.setattr(session_grid, "_MOST_CELLS", 500_000)
        (whole,) = read_session_grids(recording, wanted, Definitions())
        monkeypatch.setattr(session_grid, "_MOST_CELLS", 74)  # parts of 37 s, most of them empty
        (parts,) = read_session_grids(recording, wanted, Definitions())
        assert whole.first_s == parts.first_s
        np.testing.assert_array_equal(whole.bpm, parts.bpm)


def test_a_range_of_time_and_nothing_selected(tmp_path: Path) -> None:
    recording = Recording(make_recording(tmp_path / "a.duckdb", [*steady("ann", 70, 0, 60), reading(61, 75)]))
    range_ = Filter(since=START.replace(second=10), until=START.replace(second=20))
    (grid,) = read_session_grids(recording, range_, Definitions())
    assert grid.bpm.shape == (10, 1)
    assert list(read_session_grids(recording, Filter(rooms=("none",)), Definitions())) == []
