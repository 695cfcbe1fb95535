"""That the process was stopped or the machine asleep shows in the time between two looks."""

import logging
from dataclasses import replace

import pytest
import trio

from pulsoid_rec.recorder import suspension
from pulsoid_rec.recorder.clock import ReceiptClock
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS
from pulsoid_rec.recorder.suspension import SuspensionWatch


class Clock:
    """Seconds, moved by hand: those of a machine that may sleep, and of the wall."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def watch(self) -> SuspensionWatch:
        receipt = ReceiptClock(lambda: round(self.now * 1e9))
        return SuspensionWatch(receipt, replace(DEFAULT_TIMINGS, tick_s=0.01), lambda: self.now)


@pytest.mark.parametrize(("passed_s", "is_one"), [(0.5, False), (4.9, False), (5.1, True), (150.0, True)])
def test_more_than_five_seconds_between_two_looks_is_a_suspension(passed_s: float, is_one: bool) -> None:
    clock = Clock()
    watch = clock.watch()
    clock.now += 0.5
    assert watch.look() is None
    begins_at = round(clock.now * 1e6)
    clock.now += passed_s
    found = watch.look()
    assert (found is not None) is is_one
    clock.now += 0.5
    assert watch.look() is found  # once
    if found is not None:
        assert found.begins_at == begins_at
        assert found.length_s == pytest.approx(passed_s)


async def test_those_who_wait_for_one_are_woken_within_a_tick_and_it_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="pulsoid_rec.recorder")
    clock = Clock()
    watch = clock.watch()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(2):
            for _ in range(2):
                async with trio.open_nursery() as waiting:
                    waiting.start_soon(watch.wait_for_next, watch.latest)
                    await trio.testing.wait_all_tasks_blocked()
                    clock.now += 150
        nursery.cancel_scope.cancel()
    assert caplog.messages == ["The process was stopped or the machine asleep for 2 min 30 s."] * 2


def test_the_clock_never_goes_back() -> None:
    first = suspension.read_clock()
    assert suspension.read_clock() >= first
