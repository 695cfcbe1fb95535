"""What is said of a session: by which measures its members were more alike, than by chance and than pseudo-groups."""

from datetime import UTC, datetime

import pytest

from pulsoid_rec.analysis.group.sessions_together import SessionTogether
from pulsoid_rec.analysis.group.synchrony import Figure, MeasureName, MeasureResult, Null, TogetherResult
from pulsoid_rec.analysis.group.synchrony import Tested as Outcome
from pulsoid_rec.analysis.report.together_words import describe_basis, describe_findings

START = datetime(2026, 3, 1, 18, tzinfo=UTC)


def outcome(p: float, surrogates: int = 1000) -> Outcome:
    null = Null(method=f"{surrogates} pseudo-groups of 2", surrogates=surrogates, mean=0.0, p95=0.1)
    return Outcome(value=0.2, effect_size=1.0, p=p, null=null)


def session(groups: int | None, **p: tuple[float, float]) -> SessionTogether:
    """Make what was found by each measure: its p by chance, and against so many pseudo-groups, or none."""
    names: dict[str, MeasureName] = {"isc": "isc", "wcc": "wcc"}
    measures = tuple(
        MeasureResult(
            measure=names[name],
            title="",
            method="",
            range="",
            group=outcome(chance),
            figures=() if groups is None else (Figure(key="pseudo_groups", tested=outcome(against, groups)),),
        )
        for name, (chance, against) in p.items()
    )
    result = TogetherResult(
        room_id="r",
        session=1,
        first_s=0,
        profile_ids=("a", "b"),
        names=("a", "b"),
        left_out=(),
        preparation="high-pass",
        preparation_note="",
        seed=0,
        surrogates=1000,
        minutes_used=10.0,
        minutes_dropped=0.0,
        windows_constant=0,
        measures=measures,
    )
    return SessionTogether(room="r", started_at=START, ended_at=START, result=result, course=None)


@pytest.mark.parametrize(
    ("found", "by_chance", "against"),
    [
        (session(49, isc=(0.001, 0.02), wcc=(0.2, 0.3)), "by 1 of 2 measures: ISC.", "by 1 of 2 measures: ISC."),
        (
            session(49, isc=(0.001, 0.09), wcc=(0.02, 0.3)),
            "by 2 of 2 measures: ISC; Windows",
            "By no measure were they",
        ),
        (session(19, isc=(0.2, 0.05)), "By no measure were they more alike than by chance", "They are too few"),
        (session(20, isc=(0.001, 0.048)), "(p < 0.05) by ISC.", "more alike than these (p < 0.05) by ISC."),
        (session(None, isc=(0.001, 0.0)), "(p < 0.05) by ISC.", None),
    ],
)
def test_what_exceeds_chance_and_what_exceeds_pseudo_groups_are_two_findings(
    found: SessionTogether, by_chance: str, against: str | None
) -> None:
    assert by_chance in describe_findings(found)
    basis = " ".join(describe_basis(found))
    assert against.lower() in basis.lower() if against else "pseudo" not in basis
