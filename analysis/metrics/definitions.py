"""The few numbers that all results depend on, and their defaults."""

from dataclasses import dataclass

from pulsoid_rec.recorder.contract.definitions import MAX_BPM, MAX_CLOCK_ERROR_S, MAX_HOLD_S, MIN_BPM

MICROSECONDS = 1_000_000
"""Microseconds in a second: durations are whole microseconds inside, and seconds only at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """What counts as plausible, as held, and as one session.

    Parameters
    ----------
    max_hold_s
        How long a reading holds at most, in seconds; a longer silence is a gap.
    min_bpm, max_bpm
        Lowest and highest plausible heart rate, in beats per minute, both inclusive.
    session_gap_s
        Silence of a whole room, in seconds, beyond which a new session begins.
    max_clock_error_s
        Longest difference, in seconds, between a timely reading's lead (its own time minus that of its receipt) and the
        median of its room in that quarter of an hour. Any other reading is untimely, and in no session.
    """

    max_hold_s: float = MAX_HOLD_S
    min_bpm: int = MIN_BPM
    max_bpm: int = MAX_BPM
    session_gap_s: float = 900.0
    max_clock_error_s: float = MAX_CLOCK_ERROR_S

    @property
    def max_hold_us(self) -> int:
        """Longest hold in microseconds."""
        return round(self.max_hold_s * MICROSECONDS)

    @property
    def session_gap_us(self) -> int:
        """Longest silence within a session in microseconds."""
        return round(self.session_gap_s * MICROSECONDS)

    @property
    def max_clock_error_us(self) -> int:
        """Largest error of a clock in microseconds."""
        return min(round(self.max_clock_error_s * MICROSECONDS), 2**62)  # as whole numbers of 64 bits
