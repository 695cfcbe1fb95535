"""When to connect again. Pure: events in, states out; the clock and the random source are given.

connecting ──opened──▶ live ──ended──▶ waiting ──due──▶ connecting
    │ ├──failed──▶ waiting
    │ └──refused──▶ refused ──due──▶ connecting          any ──stopped──▶ stopped
"""

from collections.abc import Callable
from enum import StrEnum

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
REFUSED_DELAY_S = 60.0
STEADY_AFTER_S = 30.0


class State(StrEnum):
    """What a room's connection is doing."""

    CONNECTING = "connecting"
    LIVE = "live"
    WAITING = "waiting"
    REFUSED = "refused"
    STOPPED = "stopped"


class Event(StrEnum):
    """What befalls it."""

    OPENED = "opened"  # the server accepted
    ENDED = "ended"  # a live connection closed or was lost
    FAILED = "failed"  # no connection came about; waiting may mend it
    REFUSED = "refused"  # the server refused token or room; waiting alone will not mend it
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
    """The state of one room's connection.

    Parameters
    ----------
    clock
        Seconds that only ever grow.
    random
        Numbers in [0, 1), for the jitter that keeps many recorders from knocking all at once.
    """

    def __init__(self, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self.failures = 0
        """Attempts, and short-lived connections, since one held steadily; each makes the next delay longer."""
        self._opened_at = 0.0
        self.state = State.CONNECTING
        self.was_live = False
        """Whether the server ever accepted."""

    def on(self, event: Event) -> State:
        """Take an event; return the new state.

        Raises
        ------
        KeyError
            This cannot happen in this state.
        """
        self.state = TRANSITIONS[self.state, event]
        if event is Event.OPENED:
            self._opened_at = self._clock()
            self.was_live = True
        elif event is Event.ENDED and self._clock() - self._opened_at >= STEADY_AFTER_S:
            # A server that accepts and drops at once must not be hammered, so only a steady connection counts.
            self.failures = 0
        return self.state

    def delay_s(self) -> float:
        """Return how long to wait before the next attempt, in seconds; each call counts as a failure.

        1 s, doubling to 30 s, of which a random quarter is taken off; about a minute after a refusal.
        """
        if self.state is State.REFUSED:
            longest = REFUSED_DELAY_S
        else:
            longest = min(FIRST_DELAY_S * 2.0 ** min(self.failures, 10), LONGEST_DELAY_S)
            self.failures += 1
        return longest * (1 - self._random() / 4)
