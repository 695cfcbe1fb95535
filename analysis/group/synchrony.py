"""What a measure of synchrony gives: its figures, how likely they are by chance, and what they do not show."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

Preparation = Literal["high-pass", "differences", "raw"]
MeasureName = Literal["isc", "eigenvalue", "wcc", "wcc-absolute", "mdrqa"]
Parameter = float | int | str

CAUTIONS = tuple(
    """\
Hearts that rise together may answer the same event: a common stimulus gives the same figures as an influence of the \
members on each other, and a comparison with chance does not tell the two apart. Pseudo-groups help.
The clocks of the members' devices may be up to 30 s off from one another; what happened at once is then not compared \
at once, and figures are too low. No figure shows who leads and who follows.
Each sensor smooths in its own way. Two of the same kind may look more alike than the hearts are, two of different \
kinds less.
Each measure, member and pair has a p of its own, none corrected for the number of them: about one of 20 is below 0.05 \
by chance. Choose the measure before you look.""".splitlines()
)
"""What no result of synchrony shows, in words for the reader of a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Null:
    """What a statistic is by chance: over so many surrogates its mean, and what 95 % of them are at most."""

    method: str
    surrogates: int
    mean: float
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A statistic and its test against chance.

    Parameters
    ----------
    value
        The statistic; None where it is undefined.
    effect_size
        Value minus the mean of the surrogates, in standard deviations of the surrogates; None if these are all equal.
    p
        (1 + number of surrogates of at least the value) / (1 + surrogates): one-sided, more alike than by chance.
    null
        What it is by chance; None where the value is.
    """

    value: float | None
    effect_size: float | None = None
    p: float | None = None
    null: Null | None = None


UNDEFINED = Tested(value=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFigure:
    """A member's statistic: how alike the member is to the others."""

    profile_id: str
    name: str
    tested: Tested


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFigure:
    """A pair's statistic; the order of the two is that of the members and has no meaning."""

    profile_ids: tuple[str, str]
    names: tuple[str, str]
    tested: Tested


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One more figure of a measure, by its key."""

    key: str
    tested: Tested


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasureResult:
    """What one measure found in a group.

    Parameters
    ----------
    measure, title
        Its key, and its name for a reader.
    method
        In a sentence or two: what is computed, and what chance is here. With the source.
    range
        What the lowest and highest values mean, in words.
    group
        The statistic of the group, with its test.
    members, pairs, figures
        Statistics of members and pairs, and further figures; empty where the measure has none.
    parameters
        All that was chosen, by name; the unit ends the name.
    seed
        Seed of the surrogates: the same one gives the same figures.
    reason
        Why the group's statistic is None; None if it is not.
    """

    measure: MeasureName
    title: str
    method: str
    range: str
    group: Tested = UNDEFINED
    members: tuple[MemberFigure, ...] = ()
    pairs: tuple[PairFigure, ...] = ()
    figures: tuple[Figure, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    seed: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A member who is not part of the comparison, and why."""

    profile_id: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TogetherResult:
    """How alike the members of a session moved: each measure, and what all of them are based on.

    Parameters
    ----------
    room_id, session, first_s
        Which session, and the instant of its first second (UTC, since 1970).
    profile_ids, names
        The members compared, in the order of the grid.
    left_out
        Members of the session who were not compared.
    preparation
        What was done with the readings before they were compared.
    preparation_note
        The same in words, with what is known of its errors.
    seed, surrogates
        Seed and number of the surrogates of each measure.
    minutes_used, minutes_dropped
        Minutes of the windows that were used, and of the rest of the grid.
    windows_constant
        Used windows in which the heart rate of a member does not change at all, so that windowed measures are
        undefined there.
    measures
        The measures that were wanted, in the order of `MeasureName`.
    cautions
        What the figures do not show.
    """

    room_id: str
    session: int
    first_s: int
    profile_ids: tuple[str, ...]
    names: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    preparation: Preparation
    preparation_note: str
    seed: int
    surrogates: int
    minutes_used: float
    minutes_dropped: float
    windows_constant: int
    measures: tuple[MeasureResult, ...]
    cautions: tuple[str, ...] = CAUTIONS
