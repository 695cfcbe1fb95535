"""Notes on clocks that were set, or are wrong all the time."""

from datetime import timedelta

from pulsoid_rec.analysis.findings.clocks import DIFFERENT, Step
from pulsoid_rec.analysis.findings.note import Note, make_note, merge_many
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.recorder.contract.wording import format_duration


def clock_notes(view: SessionView) -> list[Note]:
    """Describe how the recorder's clock differs from the room's, and members' clocks from both."""
    notes = []
    lead = view.clocks.lead
    if abs(lead) >= DIFFERENT:
        apart = f"{_duration(lead)} {'ahead of' if lead < timedelta() else 'behind'} the room's"
        notes.append(make_note(view, None, "clock", f"the recorder's clock is {apart}; times here are the room's"))
    for step in view.clocks.steps:
        if step.profile_id is None:
            apart = f"moved {_duration(step.by)} apart at {view.clock(step.at, 'minutes')}"
            notes.append(make_note(view, None, "clock", f"the recorder's clock and the room's {apart}"))
    own = []
    for id_ in view.names:
        if steps := [step for step in view.clocks.steps if step.profile_id == id_]:
            own.append(make_note(view, id_, "clock", _describe_steps(view, steps)))
        elif offset := view.clocks.offsets.get(id_):
            side = "ahead of" if offset > timedelta() else "behind"
            own.append(make_note(view, id_, "clock", f"the clock is {_duration(offset)} {side} the room's"))
    return [*notes, *merge_many(own, f"the clocks of {len(own)} members were set or are wrong")]


def _describe_steps(view: SessionView, steps: list[Step]) -> str:
    by, at = steps[0].by, view.clock(steps[0].at, "minutes")
    first = f"{'forward' if by > timedelta() else 'back'} by {_duration(by)} at {at}"
    return f"the clock went {first}" if len(steps) == 1 else f"the clock was set {len(steps)} times, first {first}"


def _duration(by: timedelta) -> str:
    return format_duration(abs(by).total_seconds())
