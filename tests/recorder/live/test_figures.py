"""The figures of the live page are those of the definitions, after each reading, late ones too."""

from hypothesis import given
from hypothesis import strategies as st
from oracle import Rules, summarize
from readings import Reading, at

from pulsoid_rec.recorder.live.figures import Figures

ONE_SESSION = Rules(session_gap_us=10**15)
RATES = st.sampled_from([0, 29, 30, 31, 60, 61, 142, 230, 231, 900])
STEPS = st.lists(st.tuples(st.integers(-12_000, 9_000), RATES), min_size=1, max_size=60)


@given(STEPS)
def test_after_each_reading_they_are_those_of_a_report(steps: list[tuple[int, int]]) -> None:
    figures, rows, now_ms = Figures(), list[Reading](), 0
    for number, (step_ms, bpm) in enumerate(steps):
        now_ms = max(0, now_ms + step_ms)
        row = Reading("r1", "ann", bpm, at(now_ms / 1000), at(100 + number))
        rows.append(row)
        figures.add(now_ms * 1000, bpm)
        [expected] = summarize(rows, ONE_SESSION, {}).values()
        assert figures.readings == expected["readings"]
        assert figures.left_out == expected["duplicates"] + expected["implausible"]
        assert (figures.lowest, figures.highest) == (expected["bpm_min"], expected["bpm_max"])
        assert figures.coverage == expected["coverage"]


def test_of_a_long_recording_only_the_latest_readings_are_kept_and_figures_stay_exact() -> None:
    figures, rows = Figures(), list[Reading]()
    for second in range(6_000):
        bpm = 0 if second % 7 == 0 or second > 1_500 else 60 + second % 90  # at the end only what is implausible
        if second % 50 < 40:
            rows.append(Reading("r1", "ann", bpm, at(second), at(second)))
            figures.add(second * 1_000_000, bpm)
    [expected] = summarize(rows, ONE_SESSION, {}).values()
    assert figures.coverage == expected["coverage"]
    assert figures.readings == expected["readings"]
    assert len(figures._times) < 1_500


def test_a_reading_that_is_later_than_those_kept_is_left_out_and_counted() -> None:
    figures = Figures()
    for second in range(2_000):
        figures.add(second * 1_000_000, 100)
    before = figures.coverage
    assert not figures.add(1, 40)
    assert (figures.left_out, figures.lowest, figures.coverage) == (1, 100, before)


def test_of_nobody_there_is_no_figure() -> None:
    figures = Figures()
    assert (figures.lowest, figures.highest, figures.coverage, figures.readings) == (None, None, None, 0)
    figures.add(0, 100)
    assert figures.coverage is None  # one reading holds for no time
