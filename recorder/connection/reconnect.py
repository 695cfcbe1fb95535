"""When to connect again. Pure: events in, states and delays out; the random source is passed in.

connecting ──opened──▶ live ──ended──▶ waiting ──due──▶ connecting
    │ ├──failed──▶ waiting   └──suspended──▶ connecting
    │ └──refused──▶ refused ──due──▶ connecting          any ──stopped──▶ stopped
"""

from collections.abc import Callable
from enum import StrEnum

from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings


class State(StrEnum):
    """State of a room's connection."""

    CONNECTING = "connecting"
    LIVE = "live"
    WAITING = "waiting"
    REFUSED = "refused"
    STOPPED = "stopped"


class Event(StrEnum):
    """What changes the state."""

    OPENED = "opened"  # the server accepted
    ENDED = "ended"  # a live connection was closed or lost
    SUSPENDED = "suspended"  # the process was stopped or the machine asleep: nothing speaks against trying at once
    FAILED = "failed"  # no connection was established; waiting may help
    REFUSED = "refused"  # the server refused the token or the room; waiting alone will not help
    DUE = "due"  # the delay is over
    STOPPED = "stopped"  # the recorder ends


TRANSITIONS = {
    (State.CONNECTING, Event.OPENED): State.LIVE,
    (State.CONNECTING, Event.FAILED): State.WAITING,
    (State.CONNECTING, Event.REFUSED): State.REFUSED,
    (State.CONNECTING, Event.SUSPENDED): State.CONNECTING,
    (State.LIVE, Event.ENDED): State.WAITING,
    (State.LIVE, Event.SUSPENDED): State.CONNECTING,
    (State.WAITING, Event.DUE): State.CONNECTING,
    (State.REFUSED, Event.DUE): State.CONNECTING,
} | {(state, Event.STOPPED): State.STOPPED for state in State}


class ConnectionState:
    """State of one room's connection.

    `random` returns numbers in [0, 1), for the jitter that spreads many recorders.
    """

    def __init__(self, random: Callable[[], float], timings: Timings = DEFAULT_TIMINGS) -> None:
        self._random = random
        self._timings = timings
        self.failures = 0
        """Failed attempts and short connections since the last steady one; each lengthens the next delay."""
        self.state = State.CONNECTING
        self.was_live = False
        """Whether the server ever accepted."""

    def on(self, event: Event) -> State:
        """Handle an event and return the new state; `KeyError` if it cannot happen in this state."""
        self.state = TRANSITIONS[self.state, event]
        self.was_live = self.was_live or event is Event.OPENED
        return self.state

    def delay_s(self, lived_s: float | None = None, retry_after_s: float | None = None) -> float:
        """Return how long to wait before the next attempt, in seconds; each call counts as a failure.

        1 s, doubling to 30 s, or 60 s after a refusal; less a random part of up to a quarter. After a connection, which
        `lived_s` to its last sign of life, the delay is 0.5 s, and grows like that only as far as connections live
        shortly, one after the other: a bad line is heard nearly throughout, and a server that accepts and drops at once
        is not flooded. No delay is shorter than the server requires, unless `retry_after_s` is more than ten minutes.
        """
        timings = self._timings
        if self.state is State.REFUSED:
            longest_s = timings.refused_reconnect_s
        else:
            growing_s = timings.first_reconnect_s * 2.0 ** min(self.failures, 10)
            longest_s = min(growing_s, timings.longest_reconnect_s)
            if lived_s is not None:
                longest_s = min(longest_s, self._after_connection_s(lived_s))
            self.failures += 1
        delay_s = longest_s * (1 - self._random() / 4)
        if retry_after_s is None:
            return delay_s
        demanded_s = min(retry_after_s, timings.longest_retry_after_s)
        return max(delay_s, demanded_s * (1 + self._random() / 10))  # never before it is over

    def _after_connection_s(self, lived_s: float) -> float:
        """Return the longest delay after a connection: 0.5 s if it was steady, or none before it failed."""
        if lived_s >= self._timings.steady_after_s:
            self.failures = 0
        shortness = self._timings.steady_after_s / max(lived_s, 1e-3) if self.failures else 1.0
        return self._timings.after_connection_s * shortness
