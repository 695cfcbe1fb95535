"""Stamps of receipt: the wall clock's, but never two alike, and never one before another."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pulsoid_rec.recorder.clock import ReceiptClock

HOUR_NS = 3_600_000_000_000


class Clocks:
    """A wall clock and a steady one, both moved by hand, in nanoseconds."""

    def __init__(self) -> None:
        self.wall_ns = 1_700_000_000_000_000_000
        self.steady_ns = 5
        self.receipt = ReceiptClock(lambda: self.wall_ns, lambda: self.steady_ns)

    def next_after(self, passed_ns: int, step_ns: int = 0, count: int = 1) -> int:
        self.wall_ns += passed_ns + step_ns
        self.steady_ns += passed_ns
        return self.receipt.next_us(count)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10 * HOUR_NS) | st.just(0), st.integers(-HOUR_NS, HOUR_NS) | st.just(0), st.integers(1, 99)
        )
    )
)
def test_however_the_wall_clock_is_set_each_stamp_is_later_than_all_before(
    moves: Sequence[tuple[int, int, int]],
) -> None:
    clocks, latest = Clocks(), 0
    for passed_ns, step_ns, count in moves:
        stamp = clocks.next_after(passed_ns, step_ns, count)
        assert stamp > latest
        assert stamp >= clocks.wall_ns // 1000
        latest = stamp + count - 1


@given(st.lists(st.integers(1_000, HOUR_NS)))
def test_stamps_are_the_wall_clocks_while_nobody_sets_it_back(passed_ns: Sequence[int]) -> None:
    clocks = Clocks()
    for ns in passed_ns:
        assert clocks.next_after(ns) == clocks.wall_ns // 1000
    assert clocks.next_after(1_000, step_ns=HOUR_NS) == clocks.wall_ns // 1000


def test_several_in_a_packet_are_a_microsecond_apart() -> None:
    clocks = Clocks()
    first = clocks.next_after(0, count=3)
    assert clocks.next_after(0) == first + 3


def test_set_back_by_an_hour_stamps_go_on_at_half_speed_until_the_clock_has_caught_up() -> None:
    clocks = Clocks()
    first = clocks.next_after(0)
    assert clocks.next_after(0, step_ns=-HOUR_NS) == first + 1
    for minute in range(1, 120):
        assert clocks.next_after(HOUR_NS // 60) == first + minute * 30_000_000
    for _ in range(10):
        assert clocks.next_after(HOUR_NS // 60) == clocks.wall_ns // 1000
    again = clocks.next_after(0, step_ns=-HOUR_NS)
    assert clocks.next_after(HOUR_NS // 60) == again - 1 + 30_000_000
