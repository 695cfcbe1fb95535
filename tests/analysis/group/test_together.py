"""All measures of one session: what is compared, what is left out, and why."""

import numpy as np
import pytest
from groups import drawn_bpm, session_grid
from report_samples import START

from pulsoid_rec.analysis.group import cross_correlation, eigenvalue, together
from pulsoid_rec.analysis.group.course import find_course
from pulsoid_rec.analysis.group.isc import measure_isc
from pulsoid_rec.analysis.group.synchrony import MeasureName
from pulsoid_rec.analysis.group.together import MEASURES, measure_together
from pulsoid_rec.analysis.group.windows import Sample, cut_windows
from pulsoid_rec.recorder.contract.errors import UsageError


def test_a_member_who_was_hardly_there_or_whose_heart_rate_stands_still_is_left_out_and_named() -> None:
    bpm = drawn_bpm(1, 5, 420, missing=0)
    bpm[:211, 1] = np.nan
    bpm[:, 3] = 80
    result = measure_together(session_grid(bpm, "abcde"), measures=["isc"])
    assert result.names == ("a", "c", "e")
    assert [(one.name, one.reason) for one in result.left_out] == [
        ("b", "observed in 49 % of the session, less than 50 %"),
        ("d", "the heart rate does not change in the whole session"),
    ]
    sample = Sample(cut_windows(bpm[:, [0, 2, 4]], "high-pass"), ("a", "c", "e"), ("a", "c", "e"), 1000, 0)
    assert result.measures[0].group == measure_isc(sample)[0].group
    assert (result.minutes_used, result.minutes_dropped) == (6, 1)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_figures_whichever_other_measures_are_wanted() -> None:
    grid = session_grid(drawn_bpm(2, 2, 400), "ab")
    all_of_them = measure_together(grid, seed=3)
    assert tuple(one.measure for one in all_of_them.measures) == MEASURES
    for name, of_all in zip(MEASURES, all_of_them.measures, strict=True):
        [alone] = measure_together(grid, measures=[name], seed=3).measures
        assert (alone.measure, alone.group) == (name, of_all.group)
    [isc] = measure_together(grid, measures=["isc"], seed=4).measures
    assert isc.group != all_of_them.measures[0].group


def reasons(bpm: np.ndarray[tuple[int, ...], np.dtype[np.float64]], names: str) -> dict[MeasureName, str | None]:
    """Return why each measure of a session has no figure."""
    result = measure_together(session_grid(bpm, names))
    assert all((one.group.value is None) == (one.reason is not None) for one in result.measures)
    return {one.measure: one.reason for one in result.measures}


def test_what_cannot_be_compared_is_null_with_its_reason() -> None:
    two = "Fewer than two members were observed for long enough."
    for alone in (drawn_bpm(1, 1, 600), np.zeros((0, 2)), np.full((600, 3), np.nan), np.full((600, 2), 70.0)):
        assert set(reasons(alone, "abc"[: alone.shape[1]]).values()) == {two}
    short = "Only 4.5 min have every member observed; at least 5 min are needed."
    assert set(reasons(drawn_bpm(1, 2, 341, missing=0), "ab").values()) == {short}
    sparse = drawn_bpm(1, 3, 900, missing=0)
    sparse[np.arange(900) % 9 > 5, 1] = np.nan  # a sensor that reports every 9 s
    only = "Only 0 min have every member observed; at least 5 min are needed."
    assert set(reasons(sparse, "abc").values()) == {f"{only} b alone has 0 min: compare the others without."}


def test_a_member_who_does_not_vary_where_the_others_are_is_undefined_and_no_zero() -> None:
    bpm = drawn_bpm(1, 2, 900, missing=0)
    bpm[:540, 1] = 70
    bpm[500:, 0] = np.nan  # where the other one varies, this one is away
    found = reasons(bpm, "ab")
    assert found["isc"] == found["wcc"] == found["mdrqa"] == "The heart rate of a member does not vary."
    assert found["eigenvalue"] == "Only 0 min have every member's heart rate change; at least 5 min are needed."


@pytest.mark.parametrize(("surrogates", "said"), [(999, "999 surrogates are too few"), (10_001, "10,001 .* too many")])
def test_too_few_and_too_many_surrogates_are_refused(surrogates: int, said: str) -> None:
    with pytest.raises(UsageError, match=rf"^{said}. Choose from 1,000 to 10,000.$"):
        measure_together(session_grid(drawn_bpm(1, 2, 10), "ab"), surrogates=surrogates)


def test_no_result_names_a_leader_and_each_says_what_it_does_not_show() -> None:
    result = measure_together(session_grid(drawn_bpm(2, 2, 400), "ab"), preparation="differences")
    said = " ".join(result.cautions)
    for word in ("common stimulus", "30 s off", "sensor", "No figure shows who leads"):
        assert word in said
    assert "23 %" in result.preparation_note
    assert all(one.method and one.range and one.title for one in result.measures)


def test_what_is_too_much_for_memory_is_null_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    bpm = drawn_bpm(1, 2, 420, missing=0)
    for limit in ("MAX_DRAWN", "MAX_ORDERED"):
        with monkeypatch.context() as small:
            small.setattr(together, limit, 10)
            assert all("too many minutes" in str(reason) for reason in reasons(bpm, "ab").values())


def test_windows_some_at_a_time_give_the_same_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = session_grid(drawn_bpm(2, 3, 400), "abc")
    at_once = [one.group for one in measure_together(grid, measures=["eigenvalue", "wcc"]).measures]
    course = find_course(grid.bpm, START, grid.profile_ids)
    for module in (cross_correlation, eigenvalue):
        monkeypatch.setattr(module, "_CELLS", 2000)
    few = [one.group for one in measure_together(grid, measures=["eigenvalue", "wcc"]).measures]
    assert [one.p for one in few] == [one.p for one in at_once]
    assert [one.value for one in few] == pytest.approx([one.value for one in at_once])
    parts = find_course(grid.bpm, START, grid.profile_ids)
    assert course is not None
    assert parts is not None
    np.testing.assert_allclose(parts.pairs, course.pairs)
