"""Responses to marks equal an oracle in plain Python, which shares nothing with them but the random draws."""

import math
from collections.abc import Mapping, Sequence
from operator import itemgetter
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsoid_rec.analysis.group import mark_windows, responses
from pulsoid_rec.analysis.group.mark_windows import Window
from pulsoid_rec.analysis.group.responses import GroupResponse, MarkedSession, compute_responses
from pulsoid_rec.analysis.group.session_grid import FloatArray, SessionGrid

SURROGATES, RESAMPLES = 12, 15
SMALL = Window(3, 4, (-3, -1))
Changes = list[float | None]
Marks = Sequence[tuple[int, str | None]]
Session = tuple[dict[str, list[float | None]], Marks]


def session_of(columns: Mapping[str, Sequence[float | None]], marks: Marks) -> MarkedSession:
    bpm = np.array([[math.nan if v is None else v for v in column] for column in columns.values()], dtype=float).T
    grid = SessionGrid("room", 1, 0, bpm, tuple(columns), tuple(columns))
    return MarkedSession(grid, np.array([at for at, _ in marks], dtype=np.int64), tuple(who for _, who in marks))


def window_of(column: Sequence[float | None], at: int, window: Window) -> Changes | None:
    """Cut out one window, minus its baseline; None if too little is observed."""
    cut = [column[i] if 0 <= i < len(column) else None for i in range(at - window.before_s, at + window.after_s + 1)]
    first, last = window.baseline_s
    baseline = [v for i, v in enumerate(cut) if first <= i - window.before_s <= last and v is not None]
    if sum(v is not None for v in cut) < 0.9 * len(cut) or not baseline:
        return None
    return [None if v is None else v - fmean(baseline) for v in cut]


def mean_of(rows: Sequence[Changes]) -> Changes:
    known = ([v for v in column if v is not None] for column in zip(*rows, strict=True))
    return [fmean(values) if values else None for values in known]


def over_members(windows: dict[str, list[Changes]], length: int) -> Changes:
    means = [mean_of(rows) for rows in windows.values() if rows]
    return mean_of(means) if means else [None] * length


def quantile(values: list[float], q: float) -> float:
    values = sorted(values)
    place = q * (len(values) - 1)
    low = math.floor(place)
    return values[low] + (place - low) * (values[min(low + 1, len(values) - 1)] - values[low])


class Oracle:
    """All figures of some sessions, one window after the other."""

    def __init__(self, sessions: Sequence[Session], window: Window, seed: int) -> None:
        self.window, self.length = window, window.before_s + window.after_s + 1
        self.sessions = [(columns, marks, len(next(iter(columns.values())))) for columns, marks in sessions]
        rng = np.random.default_rng(seed)
        shifts = [rng.integers(0, length, SURROGATES).tolist() for _, _, length in self.sessions]
        found = self.collect([0] * len(self.sessions))
        self.mean = over_members(self.bare(found), self.length)
        self.used = {who: len(rows) for who, rows in found.items()}
        self.by_member = {who: mean_of(rows) if rows else None for who, rows in self.bare(found).items()}
        self.marks = {mark for rows in found.values() for mark, _ in rows}
        instants = {
            (i, at): None for i, (_, marks, _) in enumerate(self.sessions) for at, _ in sorted(marks, key=itemgetter(0))
        }
        self.instants = [(i, at) for i, (_, marks, _) in enumerate(self.sessions) for at, _ in marks]
        self.used_instants = [each for each in instants if each in {self.instants[mark] for mark in self.marks}]
        shifted = [over_members(self.bare(self.collect(by)), self.length) for by in zip(*shifts, strict=True)]
        resampled = [
            over_members(
                {w: [r for mark, r in rows for _ in range(n[self.instants[mark]])] for w, rows in found.items()},
                self.length,
            )
            for n in self.draw(rng)
        ]
        self.band, self.chance, self.p = self.edges(resampled), self.edges(shifted), self.test(shifted)

    def draw(self, rng: np.random.Generator) -> list[dict[tuple[int, int], int]]:
        count = len(self.used_instants)
        times = rng.multinomial(count, [1 / count] * count, RESAMPLES).tolist() if count else []
        return [dict(zip(self.used_instants, row, strict=True)) for row in times]

    @staticmethod
    def bare(found: dict[str, list[tuple[int, Changes]]]) -> dict[str, list[Changes]]:
        return {who: [row for _, row in rows] for who, rows in found.items()}

    def collect(self, shifts: Sequence[int]) -> dict[str, list[tuple[int, Changes]]]:
        found: dict[str, list[tuple[int, Changes]]] = {who: [] for columns, _, _ in self.sessions for who in columns}
        number = 0
        for (columns, marks, length), shift in zip(self.sessions, shifts, strict=True):
            for at, whose in marks:
                for who in columns:
                    if 0 <= at < length and whose in {None, who}:
                        row = window_of(columns[who], (at + shift) % length, self.window)
                        found[who] += [] if row is None else [(number, row)]
                number += 1
        return found

    def edges(self, rows: list[Changes]) -> list[list[float | None]]:
        columns = [[v for v in column if v is not None] for column in zip(*rows, strict=True)]
        return [[quantile(values, q) if values else None for values in columns] for q in (0.025, 0.975)]

    def test(self, shifted: list[Changes]) -> float | None:
        if len(self.used_instants) < 2:
            return None
        after = slice(self.window.before_s + 1, None)
        rows = [[None if v is None else abs(v) for v in row[after]] for row in [self.mean, *shifted]]
        columns = [[v for v in column if v is not None] for column in zip(*rows, strict=True)]
        spread = [math.sqrt(fmean(v * v for v in values)) if values else 0.0 for values in columns]
        largest = []
        for row in rows:
            units = [v / s if s else 0.0 for v, s in zip(row, spread, strict=True) if v is not None]
            largest.append(max(units) if units else math.inf)
        return (1 + sum(t >= largest[0] * (1 - 1e-9) for t in largest[1:])) / (1 + SURROGATES)


@st.composite
def marked_sessions(draw: st.DrawFn) -> list[Session]:
    sessions: list[Session] = []
    for _ in range(draw(st.integers(1, 2))):
        length = draw(st.integers(9, 30))
        who = draw(st.lists(st.sampled_from("abc"), min_size=1, unique=True))
        gaps = draw(st.sampled_from([0.0, 0.04, 0.3]))
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        columns = {
            each: [None if rng.random() < gaps else float(rng.integers(60, 140)) for _ in range(length)] for each in who
        }
        marks = draw(st.lists(st.tuples(st.integers(-3, length + 3), st.sampled_from([None, "a", "b"])), max_size=6))
        sessions.append((columns, marks))
    return sessions


def same(found: FloatArray, expected: Sequence[float | None]) -> bool:
    wanted = [math.nan if v is None else v for v in expected]
    return bool(np.allclose(found, wanted, rtol=1e-9, atol=1e-9, equal_nan=True))


@given(sessions=marked_sessions(), seed=st.integers(0, 9))
def test_responses_equal_the_oracle_whatever_gaps_sessions_and_marks(sessions: list[Session], seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(responses, "RESAMPLES", RESAMPLES)
        found = compute_responses([session_of(*each) for each in sessions], SMALL, surrogates=SURROGATES, seed=seed)
    expected = Oracle(sessions, SMALL, seed)
    assert {who: of.used for who, of in found.members.items()} == expected.used
    for who, mean in expected.by_member.items():
        assert same(found.members[who].mean, [None] * expected.length if mean is None else mean)
    assert same(found.mean, expected.mean)
    assert found.p == expected.p
    assert found.used_marks == len(expected.marks)
    if expected.p is not None:
        for row in (0, 1):
            assert same(found.band[row], expected.band[row])
            assert same(found.chance[row], expected.chance[row])


def raised(marks: Sequence[int], length: int = 1200, by: float = 6.0, seed: int = 3) -> FloatArray:
    """Make up a heart rate that wanders, and is higher for 20 s after each mark."""
    rng = np.random.default_rng(seed)
    wandering = 90 + np.cumsum(rng.normal(size=length)) / 4
    since = np.arange(length)[:, None] - np.array(marks)
    bpm: FloatArray = np.round(wandering + by * ((since > 0) & (since <= 20)).any(axis=1))
    return bpm


def of(bpm: Sequence[FloatArray], marks: Sequence[int], *, surrogates: int = 1000) -> GroupResponse:
    columns = {str(number): column.tolist() for number, column in enumerate(bpm)}
    session = session_of(columns, [(at, None) for at in marks])
    return compute_responses([session], Window(), surrogates=surrogates, seed=0)


MARKS = [100, 210, 340, 500, 620, 780, 900, 1050]


def test_a_response_is_found_with_its_size_and_none_is_not() -> None:
    found = of([raised(MARKS, seed=seed) for seed in range(4)], MARKS)
    assert found.p is not None
    assert found.p < 0.01
    assert found.farthest is not None
    assert 1 <= Window().seconds[found.farthest] <= 20
    assert found.mean[30 + 10] == pytest.approx(6, abs=1.5)
    assert found.band[0][40] < found.mean[40] < found.band[1][40]
    nothing = of([raised([], seed=seed) for seed in range(4)], MARKS)
    assert nothing.p is not None
    assert nothing.p > 0.1


def test_the_same_seed_gives_the_same_figures_and_windows_in_parts_do_too(monkeypatch: pytest.MonkeyPatch) -> None:
    bpm = [raised(MARKS, seed=seed) for seed in range(2)]
    first = of(bpm, MARKS)
    monkeypatch.setattr(mark_windows, "_MOST_CELLS", 5_000)
    again = of(bpm, MARKS)
    assert (first.p, first.farthest) == (again.p, again.farthest)
    np.testing.assert_array_equal(first.band, again.band)
    np.testing.assert_array_equal(first.chance, again.chance)


def test_windows_of_one_member_that_share_a_second_overlap() -> None:
    length = Window().length
    marks = [100, 100 + length, 100 + 2 * length - 1, 600]
    assert of([raised([])], marks).members["0"].overlapping == 2
    assert of([raised([])], [100, 100, 700]).members["0"].overlapping == 2


@pytest.mark.parametrize("marks", [[], [600], [3, 1199]])
def test_fewer_than_two_used_marks_have_neither_interval_nor_p(marks: list[int]) -> None:
    found = of([raised([])], marks)
    assert found.p is None
    assert found.farthest is None
    assert np.isnan(found.band).all()
    assert np.isnan(found.chance).all()
    assert np.isnan(found.mean).all() == (marks != [600])


def test_a_heart_rate_that_never_changes_differs_from_chance_nowhere() -> None:
    found = of([np.full(1200, 80.0)], MARKS)
    assert found.p == 1.0
    assert (found.mean == 0).all()


def test_the_windows_of_one_mark_are_drawn_together() -> None:
    """Members share what happens at a mark: their common ups and downs must not average out in the interval."""
    rng = np.random.default_rng(5)
    sizes = rng.normal(0, 8, len(MARKS))
    bpm = np.full(1200, 90.0)
    for at, size in zip(MARKS, sizes, strict=True):
        bpm[at : at + 60] += size
    one, ten = of([bpm], MARKS), of([bpm] * 10, MARKS)
    np.testing.assert_allclose(one.band, ten.band)


def test_one_instant_marked_many_times_is_one() -> None:
    bpm = [raised(MARKS)]
    once, thrice = of(bpm, MARKS), of(bpm, MARKS * 3)
    np.testing.assert_allclose(once.band, thrice.band)
    assert (thrice.used_marks, thrice.p) == (3 * len(MARKS), once.p)
    alone = of(bpm, [600] * 20)
    assert (alone.used_marks, alone.p) == (20, None)
    assert np.isnan(alone.band).all()


def test_without_a_second_after_the_marks_there_is_no_p() -> None:
    bpm = raised([])
    bpm[[at + 1 for at in MARKS]] = math.nan
    session = session_of({"a": [None if math.isnan(v) else v for v in bpm]}, [(at, None) for at in MARKS])
    found = compute_responses([session], Window(30, 1), surrogates=1000, seed=0)
    assert (found.used_marks, found.p, found.farthest) == (len(MARKS), None, None)
