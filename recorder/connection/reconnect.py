"""When to connect again. Pure: events in, states out; the clock and the random source are passed in.

connecting ──opened──▶ live ──ended──▶ waiting ──due──▶ connecting
    │ ├──failed──▶ waiting
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
    FAILED = "failed"  # no connection was established; waiting may help
    REFUSED = "refused"  # the server refused the token or the room; waiting alone will not help
    DUE = "due"  # the delay is over
    STOPPED = "stopped"  # the recorder ends


TRANSITIONS = {
    (State.CONNECTING, Event.OPENED): State.LIVE,
    (State.CONNECTING, Event.FAILED): State.WAITING,
    (State.CONNECTING, Event.REFUSED): State.REFUSED,
    (State.LIVE, Event.ENDED): State.WAITING,
    (State.WAITING, Event.DUE): State.CONNECTING,
    (State.REFUSED, Event.DUE): State.CONNECTING,
} | {(state, Event.STOPPED): State.STOPPED for state in State}


class ConnectionState:
    """State of one room's connection.

    `clock` is monotonic, in seconds; `random` returns numbers in [0, 1), for the jitter that spreads many recorders.
    """

    def __init__(
        self, clock: Callable[[], float], random: Callable[[], float], timings: Timings = DEFAULT_TIMINGS
    ) -> None:
        self._clock = clock
        self._random = random
        self._timings = timings
        self.failures = 0
        """Failed attempts and short connections since the last steady one; each lengthens the next delay."""
        self._opened_at = 0.0
        self.state = State.CONNECTING
        self.was_live = False
        """Whether the server ever accepted."""

    def on(self, event: Event) -> State:
        """Handle an event and return the new state; `KeyError` if it cannot happen in this state."""
        self.state = TRANSITIONS[self.state, event]
        if event is Event.OPENED:
            self._opened_at = self._clock()
            self.was_live = True
        elif event is Event.ENDED and self._clock() - self._opened_at >= self._timings.steady_after_s:
            # Only a steady connection resets the delay: a server that accepts and drops at once must not be flooded.
            self.failures = 0
        return self.state

    def delay_s(self) -> float:
        """Return how long to wait before the next attempt, in seconds; each call counts as a failure.

        1 s, doubling to 30 s, or 60 s after a refusal; less a random part of up to a quarter.
        """
        if self.state is State.REFUSED:
            longest_s = self._timings.refused_reconnect_s
        else:
            growing_s = self._timings.first_reconnect_s * 2.0 ** min(self.failures, 10)
            longest_s = min(growing_s, self._timings.longest_reconnect_s)
            self.failures += 1
        return longest_s * (1 - self._random() / 4)
