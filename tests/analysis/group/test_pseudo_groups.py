"""Groups of people who never met, as a measure of what a common programme does."""

import numpy as np
import pytest
from groups import FloatArray, session_grid

from pulsoid_rec.analysis.group.pseudo_groups import compare_with_pseudo_groups
from pulsoid_rec.analysis.group.session_grid import SessionGrid
from pulsoid_rec.analysis.group.together import measure_together

SECONDS = 360


def a_session(number: int, names: str, programme: FloatArray, together: float = 0) -> SessionGrid:
    """Return members who follow a programme of every session, and something that only this one has."""
    rng = np.random.default_rng(number)
    own, common = rng.normal(size=(SECONDS, len(names))), rng.normal(size=(SECONDS, 1))
    return session_grid(80 + 3 * own + 3 * together * common + programme[:, None], names, number)


def sessions(programme: FloatArray, together: float) -> list[SessionGrid]:
    """Return four sessions of the same three people."""
    return [a_session(number, "abc", programme, together) for number in range(1, 5)]


NONE = np.zeros(SECONDS)
PROGRAMME = 6 * np.random.default_rng(9).normal(size=SECONDS)


@pytest.mark.slow
def test_a_common_programme_is_no_more_than_pseudo_groups_have_and_being_together_is() -> None:
    for programme, together, above in ((PROGRAMME, 0.0, False), (NONE, 1.5, True)):
        grid, *others = sessions(programme, together)
        result = measure_together(grid, others)
        assert len(result.measures) == 5
        for one in result.measures:
            figure = one.figures[-1]
            assert figure.key == "pseudo_groups"
            assert one.group.p is not None
            assert one.group.p < 0.01, one.measure  # chance alone does not tell
            assert figure.tested.value == pytest.approx(one.group.value)
            assert figure.tested.p is not None
            assert (figure.tested.p < 0.05) == above, one.measure


def test_nobody_is_in_a_pseudo_group_twice_and_groups_shrink_to_the_number_of_sessions() -> None:
    grids = [a_session(1, "abc", NONE), a_session(2, "abc", NONE)]
    figures = compare_with_pseudo_groups(grids, "high-pass", None, 1)
    assert set(figures) == {"isc", "eigenvalue", "wcc", "wcc-absolute"}
    null = figures["isc"].tested.null
    assert null is not None
    assert null.method == "6 pseudo-groups of 2"  # a pair of two names, each in one of the two sessions
    pairs = measure_together(grids[0], measures=["isc"]).measures[0].pairs
    assert figures["isc"].tested.value == pytest.approx(np.mean([pair.tested.value for pair in pairs]), abs=1e-3)


def test_many_members_are_compared_some_at_a_time() -> None:
    grids = [a_session(number, "abcdefghi", NONE, 1) for number in range(1, 5)]
    figure = compare_with_pseudo_groups(grids, "high-pass", None, 1)["isc"]
    assert figure.tested.null is not None
    assert figure.tested.null.method == "100 pseudo-groups of 4"
    assert figure.tested.p == 1 / 101


@pytest.mark.parametrize("others", [[], ["a"], ["short"]])
def test_without_another_session_of_other_people_there_are_none(others: list[str]) -> None:
    made = {"a": a_session(2, "a", NONE), "short": session_grid(np.full((200, 2), 70.0), "cd", 2)}
    grids = [a_session(1, "a" if others == ["a"] else "ab", NONE), *(made[name] for name in others)]
    assert compare_with_pseudo_groups(grids, "high-pass", None, 1) == {}


def test_a_member_whose_heart_rate_stands_still_is_in_no_group() -> None:
    still = np.full((SECONDS, 1), 70.0)
    grids = [a_session(number, "abc", NONE, 1) for number in range(1, 4)]
    wanted = compare_with_pseudo_groups(grids, "high-pass", None, 1)
    with_still = [session_grid(np.hstack([one.bpm, still]), "abcd", one.session) for one in grids]
    assert compare_with_pseudo_groups(with_still, "high-pass", None, 1) == wanted
