"""When to connect again: the state machine, on a clock of the test's own."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsoid_rec.recorder.connection.reconnect import TRANSITIONS, ConnectionState, Event, State


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_delays_double_to_30_s_less_a_random_quarter() -> None:
    for random, factor in ((0.0, 1.0), (1.0, 0.75)):
        state = ConnectionState(Clock(), lambda random=random: random)  # type: ignore[misc]
        delays = []
        for _ in range(8):
            state.on(Event.FAILED)
            delays.append(state.delay_s())
            state.on(Event.DUE)
        assert delays == [factor * delay for delay in (1, 2, 4, 8, 16, 30, 30, 30)]


@pytest.mark.parametrize(("live_s", "next_delay_s"), [(29.9, 8.0), (30.0, 1.0), (86_400.0, 1.0)])
def test_only_a_steady_connection_brings_the_first_delay_back(live_s: float, next_delay_s: float) -> None:
    clock = Clock()
    state = ConnectionState(clock, lambda: 0.0)
    for _ in range(3):
        state.on(Event.FAILED)
        state.delay_s()
        state.on(Event.DUE)
    state.on(Event.OPENED)
    clock.now += live_s
    assert state.on(Event.ENDED) is State.WAITING
    assert state.delay_s() == next_delay_s


def test_a_refusal_waits_about_a_minute_and_is_no_reason_to_wait_longer_afterwards() -> None:
    state = ConnectionState(Clock(), lambda: 0.0)
    for _ in range(5):
        assert state.on(Event.REFUSED) is State.REFUSED
        assert state.delay_s() == 60.0
        state.on(Event.DUE)
    state.on(Event.FAILED)
    assert state.delay_s() == 1.0


@given(st.lists(st.sampled_from(Event)), st.floats(0, 0.999))
def test_any_events_lead_through_the_table_and_to_a_delay_within_bounds(events: list[Event], random: float) -> None:
    clock = Clock()
    state = ConnectionState(clock, lambda: random)
    for event in events:
        before = state.state
        if (before, event) not in TRANSITIONS:
            with pytest.raises(KeyError):
                state.on(event)
            assert state.state is before
            continue
        assert state.on(event) is TRANSITIONS[before, event]
        assert state.was_live or state.state is not State.LIVE
        if state.state in (State.WAITING, State.REFUSED):
            assert 0.75 <= state.delay_s() <= 60
        clock.now += 1


def test_from_every_state_it_can_be_stopped_and_from_all_others_it_connects_again() -> None:
    for state in State:
        assert TRANSITIONS[state, Event.STOPPED] is State.STOPPED
    ways = {state: {to for (at, _), to in TRANSITIONS.items() if at is state} for state in State}
    for state in (State.WAITING, State.REFUSED):
        assert State.CONNECTING in ways[state]
    assert ways[State.STOPPED] == {State.STOPPED}


def test_accepting_and_dropping_a_hundred_times_takes_at_least_half_an_hour() -> None:
    clock = Clock()
    numbers = itertools.cycle([0.0, 0.5, 0.99])
    state = ConnectionState(clock, lambda: next(numbers))
    attempts: list[float] = []
    for _ in range(100):
        attempts.append(clock.now)
        state.on(Event.OPENED)
        state.on(Event.ENDED)
        clock.now += state.delay_s()
        state.on(Event.DUE)
    assert attempts[-1] > 1800
    assert sum(at < 60 for at in attempts) <= 7
