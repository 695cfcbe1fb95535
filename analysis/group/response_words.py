"""What responses show and do not show, in words: the same on the terminal, on the page and in a notebook."""

from pulsoid_rec.analysis.findings.wording import DASH, format_share
from pulsoid_rec.analysis.group.mark_windows import LEAST_OBSERVED, Window
from pulsoid_rec.analysis.group.response_result import Responses
from pulsoid_rec.analysis.group.responses import LEAST_INSTANTS, RESAMPLES
from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.wording import format_count

_SIGNIFICANT = 0.05
_FEW_MARKS = 10  # a percentile bootstrap of fewer is known to cover too little

LIMITS = (
    (
        "A response is no cause: whatever else happens with these marks (a fight, a shout, a movement) is in it too. A "
        "change before the mark shows that something began earlier."
    ),
    (
        "A sensor smooths and delays by some seconds, and a member's clock may be up to 30 s off without a note: the "
        "second of a change is no more precise than that."
    ),
    "The interval is about other marks with these members, second by second: not about other people.",
    (
        "A small p means that heart rates follow these marks more closely than the same marks shifted in time. In a "
        "session of some ten minutes shifts differ little, and even a real response may have a large p."
    ),
    (
        "Shifted marks lose their place in the session. Where marks gather in a part in which hearts rise or fall "
        "anyway (a warm-up, a tense end), p is too small: in trials without any response it was below 0.05 in up "
        "to 38 % of sessions instead of 5 %. Choose a range of time over which marks are spread."
    ),
)
"""What a result does not show."""


def format_change(bpm: float | None) -> str:
    """Return a change in bpm with its sign, to a tenth; a dash for an unknown one."""
    if bpm is None:
        return DASH
    return f"{bpm:+.1f}" if round(bpm, 1) else "0.0"


def describe_finding(found: Responses) -> str:
    """Return what was found, in a sentence or two."""
    row = found.farthest
    if found.p is None or row is None:
        return why_no_test(found)
    change, low, high = (format_change(row[name]) for name in ("change_bpm", "low_bpm", "high_bpm"))
    lead = "" if found.p < _SIGNIFICANT else "No more than chance gives. "
    return (
        f"{lead}The mean over members is farthest from chance {found.farthest_s} s after the mark: {change} bpm (95 % "
        f"interval {low} to {high}). Moved to other times, the same marks gave as much in "
        f"{round(found.p * (found.surrogates + 1)) - 1:,} of {found.surrogates:,} tries: p = {found.p:.3f}."
    )


def why_no_test(found: Responses) -> str:
    """Return why there is neither an interval nor a p."""
    if found.used_marks < LEAST_INSTANTS:
        marks = "Only 1 mark" if found.used_marks else "No mark"
        return f"{marks} could be used: an interval and a test need at least {LEAST_INSTANTS}."
    return "No test: the marks are all at one second, or nothing after them was observed."


def describe_notes(found: Responses) -> list[str]:
    """Return what to know before trusting the figures: what is left out, what overlaps, and the clocks."""
    notes = []
    used, unobserved, overlapping = (int(found.members[name].sum()) for name in ("used", "unobserved", "overlapping"))
    if left_out := found.marks - found.used_marks:
        notes.append(f"{format_count(left_out, 'mark')} of {found.marks:,} could not be used.")
    if unobserved:
        notes.append(
            f"{format_count(unobserved, 'window')} of {used + unobserved:,} left out: less than "
            f"{format_share(LEAST_OBSERVED)} of the time was observed, or none of the baseline."
        )
    if LEAST_INSTANTS <= found.used_marks < _FEW_MARKS:
        notes.append(f"The interval of fewer than {_FEW_MARKS} marks is narrower than it should be.")
    if found.absent:
        notes.append(f"{format_count(found.absent, 'mark')} left out: of members who have no readings in the session.")
    if overlapping:
        notes.append(
            f"{overlapping:,} of {used:,} windows overlap another one of the same member: what follows one mark is in "
            "the window of the other, too, which flattens responses."
        )
    notes.append(_describe_clocks(found.lag_s))
    return notes


def _describe_clocks(lag_s: float | None) -> str:
    if lag_s is None:
        return "Marks are on the clock of the imported readings, as their file gives it."
    return (
        f"Two clocks: readings were received {lag_s:,.1f} s (median) after they occurred. Marks are made by the "
        "recorder's clock, and were moved by that to the readings' clock: if both clocks are right, a mark stands as "
        "much too early, and a response looks later than it was."
    )


def describe_method(found: Responses) -> list[tuple[str, str]]:
    """Return how it was computed: terms and their meanings."""
    method = {
        "Window": describe_window(found.window),
        "Mean": "Each window minus the mean of its baseline, averaged over a member's windows, then over members, each "
        "of them once.",
        "Interval": f"The middle 95 % over {RESAMPLES:,} draws of as many marks, with repetition; a mark is drawn with "
        "the windows of all members it is about, and with other marks at its second (percentile bootstrap, Efron & "
        "Tibshirani 1993).",
        "p": f"All marks of a session are shifted as one by a random time, from its end around to its beginning, "
        f"{found.surrogates:,} times; windows observed too little are left out there, too. Compared is the largest "
        "mean after the mark, up or down, each second in units of its own spread over the shifts (max-T, Westfall & "
        "Young 1993). p = (1 + shifts with one as large) / (1 + shifts): one for all seconds together.",
        "Chance": "The middle 95 % of the shifted means, second by second.",
        "Seed": f"{found.seed}: the same one gives the same interval and p.",
    }
    return list(method.items())


def describe_window(window: Window) -> str:
    """Describe what is looked at around a mark."""
    first, last = window.baseline_s
    return (
        f"The heart rate each second from {window.before_s} s before the mark to {window.after_s} s after it, never "
        f"interpolated; the baseline is {-first} to {-last} s before it. At least "
        f"{format_share(LEAST_OBSERVED)} of its seconds are observed, else it is left out."
    )


def describe_title(found: Responses) -> str:
    """Return the result's title."""
    return f"Responses to {plain(found.label)}"


def describe_amount(found: Responses) -> str:
    """Return of how much it is: marks, sessions and members."""
    used = f"{found.used_marks:,} of {format_count(found.marks, 'mark')}"
    members = format_count(found.members.filter(found.members["used"] > 0).height, "member")
    return f"{used} used, in {format_count(found.sessions, 'session')}, of {members}"
