"""When to connect again: the state machine, without a clock."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsoid_rec.recorder.connection.reconnect import TRANSITIONS, ConnectionState, Event, State

LIVES_S = st.floats(0, 86_400)


def fail(state: ConnectionState, times: int = 1) -> list[float]:
    """Let attempts fail; return the delays after them."""
    delays = []
    for _ in range(times):
        state.on(Event.FAILED)
        delays.append(state.delay_s())
        state.on(Event.DUE)
    return delays


def live(state: ConnectionState, *lives_s: float) -> list[float]:
    """Let connections live for so long; return the delays after them."""
    delays = []
    for lived_s in lives_s:
        state.on(Event.OPENED)
        assert state.on(Event.ENDED) is State.WAITING
        delays.append(state.delay_s(lived_s))
        state.on(Event.DUE)
    return delays


def test_delays_double_to_30_s_less_a_random_quarter() -> None:
    for random, factor in ((0.0, 1.0), (1.0, 0.75)):
        state = ConnectionState(lambda random=random: random)  # type: ignore[misc] # a default binds the loop's value
        assert fail(state, 8) == [factor * delay for delay in (1, 2, 4, 8, 16, 30, 30, 30)]


@pytest.mark.parametrize("lives_s", [(0.0,), (0.2,), (20.0, 12.0, 30.0) * 20, (86_400.0,)])
def test_after_a_connection_that_did_not_follow_a_failure_or_was_steady_the_next_begins_within_half_a_second(
    lives_s: Sequence[float],
) -> None:
    assert live(ConnectionState(lambda: 0.0), *lives_s) == [0.5] * len(lives_s)


@given(st.floats(5.0, 86_400), st.integers(0, 20))
def test_a_steady_connection_brings_the_shortest_delays_back(lived_s: float, failures: int) -> None:
    state = ConnectionState(lambda: 0.0)
    fail(state, failures)
    assert live(state, lived_s) == [0.5]
    assert fail(state) == [2.0]


@given(st.lists(st.floats(0, 4.99), min_size=2), st.floats(0, 0.999))
def test_the_shorter_connections_live_the_longer_are_the_delays_up_to_the_schedule(
    lives_s: list[float], random: float
) -> None:
    schedule = fail(ConnectionState(lambda: random), len(lives_s))
    delays = live(ConnectionState(lambda: random), *lives_s)
    for lived_s, delay_s, scheduled_s in zip(lives_s[1:], delays[1:], schedule[1:], strict=True):
        assert delay_s <= scheduled_s
        assert delay_s >= min(scheduled_s, 0.75 * 2.5 / max(lived_s, 0.001))


def test_a_refusal_waits_about_a_minute_and_is_no_reason_to_wait_longer_afterwards() -> None:
    state = ConnectionState(lambda: 0.0)
    for _ in range(5):
        assert state.on(Event.REFUSED) is State.REFUSED
        assert state.delay_s() == 60.0
        state.on(Event.DUE)
    assert fail(state) == [1.0]


@pytest.mark.parametrize("event", [Event.FAILED, Event.REFUSED])
@given(retry_after_s=st.floats(0, 1e9), random=st.floats(0, 0.999), failures=st.integers(0, 20))
def test_no_attempt_is_made_before_the_server_allows_it_but_for_ten_minutes_at_most(
    event: Event, retry_after_s: float, random: float, failures: int
) -> None:
    state, other = ConnectionState(lambda: random), ConnectionState(lambda: random)
    fail(state, failures)
    fail(other, failures)
    state.on(event)
    other.on(event)
    delay_s = state.delay_s(retry_after_s=retry_after_s)
    assert delay_s >= min(retry_after_s, 600)
    assert other.delay_s() <= delay_s <= max(660, 60)


@given(st.lists(st.tuples(st.sampled_from(Event), LIVES_S)), st.floats(0, 0.999))
def test_any_events_lead_through_the_table_and_to_a_delay_within_bounds(
    events: list[tuple[Event, float]], random: float
) -> None:
    state = ConnectionState(lambda: random)
    for event, lived_s in events:
        before = state.state
        if (before, event) not in TRANSITIONS:
            with pytest.raises(KeyError):
                state.on(event)
            assert state.state is before
            continue
        assert state.on(event) is TRANSITIONS[before, event]
        assert state.was_live or state.state is not State.LIVE
        if state.state in (State.WAITING, State.REFUSED):
            assert 0.375 <= state.delay_s(lived_s if event is Event.ENDED else None) <= 60


def test_from_every_state_it_can_be_stopped_and_from_all_others_it_connects_again() -> None:
    for state in State:
        assert TRANSITIONS[state, Event.STOPPED] is State.STOPPED
    ways = {state: {to for (at, _), to in TRANSITIONS.items() if at is state} for state in State}
    for state in (State.LIVE, State.WAITING, State.REFUSED):
        assert State.CONNECTING in ways[state]
    assert ways[State.STOPPED] == {State.STOPPED}


@pytest.mark.parametrize("lived_s", [0.0, 0.05])
def test_accepting_and_dropping_a_hundred_times_takes_at_least_half_an_hour(lived_s: float) -> None:
    now = 0.0
    numbers = itertools.cycle([0.0, 0.5, 0.99])
    state = ConnectionState(lambda: next(numbers))
    attempts: list[float] = []
    for _ in range(100):
        attempts.append(now)
        now += lived_s + live(state, lived_s)[0]
    assert attempts[-1] > 1800
    assert sum(at < 60 for at in attempts) <= 7


@given(st.lists(st.floats(10, 30), min_size=10), st.floats(0, 0.999))
def test_on_a_line_that_breaks_every_10_to_30_s_at_most_a_twentieth_is_waited(
    lives_s: list[float], random: float
) -> None:
    waited_s = sum(live(ConnectionState(lambda: random), *lives_s))
    assert waited_s <= sum(lives_s) / 20
