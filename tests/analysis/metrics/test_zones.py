"""Zones and training load, at their edges and against figures worked out by hand."""

from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsoid_rec.analysis.metrics.training_load import training_loads
from pulsoid_rec.analysis.metrics.zones import hr_max_of, time_in_zones, zone_of


def zone(bpm: int, hr_max: float) -> int:
    return int(pl.DataFrame({"b": [bpm], "m": [hr_max]}).select(zone_of(pl.col("b"), pl.col("m"))).item())


@given(bpm=st.integers(0, 400), tenths=st.integers(600, 2500))
def test_zone_is_exact_at_every_heart_rate(bpm: int, tenths: int) -> None:
    share = Fraction(bpm * 10, tenths)
    assert zone(bpm, tenths / 10) == sum(share >= Fraction(percent, 100) for percent in (50, 60, 70, 80, 90))


@pytest.mark.parametrize(
    ("bpm", "expected"), [(0, 0), (94, 0), (95, 1), (113, 1), (114, 2), (133, 3), (171, 5), (250, 5)]
)
def test_lower_bound_belongs_to_the_zone(bpm: int, expected: int) -> None:
    assert zone(bpm, 190.0) == expected


@pytest.mark.parametrize(
    ("given_hr_max", "birth_year", "year", "expected"),
    [
        (188.0, 1990, 2026, (188.0, "given")),
        (187.54, None, 2026, (187.5, "given")),
        (None, 1990, 2026, (182.8, "age")),
        (None, 1994, 2026, (185.6, "age")),
        (None, 2026, 2026, (208.0, "age")),
        (None, 2027, 2026, (None, None)),
        (None, None, 2026, (None, None)),
    ],
)
def test_hr_max_is_the_members_own_else_from_age_else_unknown(
    given_hr_max: float | None, birth_year: int | None, year: int, expected: tuple[float | None, str | None]
) -> None:
    members = pl.DataFrame(
        [(given_hr_max, birth_year, year)],
        schema={"given_hr_max": pl.Float64, "birth_year": pl.Int64, "year": pl.Int32},
        orient="row",
    )
    assert hr_max_of(members).select("hr_max", "hr_max_source").row(0) == expected


def held(**person: float | str | None) -> pl.DataFrame:
    schema = {"hr_max": pl.Float64, "hr_rest": pl.Float64, "sex": pl.String}
    who = pl.DataFrame([[person.get(column) for column in schema]], schema=schema, orient="row")
    times = pl.DataFrame({"id": ["ann"] * 3, "bpm": [100, 150, 50], "held_us": [60_000_000, 120_000_000, 60_000_000]})
    return times.join(who, how="cross")


def test_time_in_zones_adds_up() -> None:
    row = time_in_zones(held(hr_max=200.0), ["id"]).row(0, named=True)
    assert row == {"id": "ann", "zone0_s": 60, "zone1_s": 60, "zone2_s": 0, "zone3_s": 120, "zone4_s": 0, "zone5_s": 0}


def test_edwards_is_minutes_times_zone() -> None:
    assert training_loads(held(hr_max=200.0), ["id"])["trimp_edwards"].item() == pytest.approx(1 * 1 + 2 * 3)


@pytest.mark.parametrize(
    ("sex", "expected"),
    [
        # x = 40/140 for 1 min and 90/140 for 2 min; below rest it is 0.
        ("male", 0.2857142857 * 0.64 * 1.7307787 + 2 * 0.6428571429 * 0.64 * 3.4359234),
        ("female", 0.2857142857 * 0.86 * 1.6114636 + 2 * 0.6428571429 * 0.86 * 2.9258102),
    ],
)
def test_banister_equals_what_a_pocket_calculator_says(sex: str, expected: float) -> None:
    load = training_loads(held(hr_max=200.0, hr_rest=60.0, sex=sex), ["id"])["trimp_banister"].item()
    assert load == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("person", [{"hr_rest": 60.0}, {"sex": "male"}, {"sex": "male", "hr_rest": 200.0}])
def test_banister_is_unknown_unless_rest_and_sex_are_known_and_rest_is_below_max(
    person: dict[str, float | str | None],
) -> None:
    assert training_loads(held(hr_max=200.0, **person), ["id"])["trimp_banister"].item() is None
