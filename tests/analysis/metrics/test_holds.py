"""A reading holds until the member's next one, at most five seconds; the last one for no time."""

import polars as pl
from recordings import at, reading, readings_frame
from reference_tally import next_readings

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.holds import hold_readings, sort_and_deduplicate

BY = ("profile_id",)


def frame(*rows: tuple[float, int], delays_s: tuple[float, ...] = (), member: str = "ann") -> pl.DataFrame:
    delays = delays_s or (0.0,) * len(rows)
    return readings_frame(
        reading(second, bpm, member, delay_s=delay) for (second, bpm), delay in zip(rows, delays, strict=True)
    )


def holds(readings: pl.DataFrame) -> list[tuple[int, float]]:
    held = hold_readings(sort_and_deduplicate(readings, BY)[0], Definitions(), BY)
    return held.select("bpm", pl.col("held_us") / 1e6).rows()


def test_reading_holds_until_the_next_one_and_the_last_for_no_time() -> None:
    assert holds(frame((0, 80), (1.5, 81), (3, 82))) == [(80, 1.5), (81, 1.5), (82, 0)]


def test_reading_holds_five_seconds_at_most() -> None:
    assert holds(frame((0, 80), (5, 81), (10.000001, 82))) == [(80, 5), (81, 5), (82, 0)]


def test_implausible_reading_ends_a_hold() -> None:
    assert holds(frame((0, 80), (2, 0), (3, 81))) == [(80, 2), (0, 1), (81, 0)]


def test_of_two_at_one_instant_the_first_received_holds_for_no_time() -> None:
    assert holds(frame((0, 90), (0, 80), (1, 70), delays_s=(0.5, 0.2, 0))) == [(80, 0), (90, 1), (70, 0)]
    assert holds(frame((0, 80), (0, 90), (1, 70), delays_s=(0.5, 0.2, 0))) == [(90, 0), (80, 1), (70, 0)]


def test_rows_out_of_order_are_put_in_order() -> None:
    assert holds(frame((3, 82), (0, 80), (1, 81))) == [(80, 1), (81, 2), (82, 0)]


def test_duplicates_are_counted_and_left_out() -> None:
    readings = frame((0, 80), (1, 81), (1, 81), (1, 82), (1, 81), (2, 83), delays_s=(0, 9, 1, 2, 3, 0))
    tidy, duplicates = sort_and_deduplicate(readings, BY)
    assert duplicates.rows() == [("ann", 2)]
    assert tidy["bpm"].to_list() == [80, 81, 82, 83]
    assert tidy["received_at"][1] == at(2)


def test_equal_readings_of_two_members_are_no_duplicates() -> None:
    readings = pl.concat([frame((0, 80)), frame((0, 80), member="bob")])
    tidy, duplicates = sort_and_deduplicate(readings, BY)
    assert tidy.height == 2
    assert duplicates.is_empty()


def test_gap_is_longer_than_a_hold_and_between_plausible_readings() -> None:
    held = hold_readings(frame((0, 80), (5, 81), (8, 0), (11, 82), (12, 0), (14, 0)), Definitions(), BY)
    assert held["gap_us"].to_list() == [None, 6_000_000, None, None, None, None]


def test_part_of_the_readings_needs_only_to_know_when_the_next_come() -> None:
    whole = frame((0, 80), (3, 81), (4, 0), (6, 0), (12, 82), (13, 83))
    expected = hold_readings(whole, Definitions(), BY)
    for cut in range(7):
        early, late = whole.head(cut), whole.slice(cut)
        held_late = hold_readings(late, Definitions(), BY)
        held_early = hold_readings(early, Definitions(), BY, next_readings(held_late, BY))
        assert pl.concat([held_early, held_late]).equals(expected)


def test_nothing_holds_for_nothing() -> None:
    assert holds(frame()) == []
