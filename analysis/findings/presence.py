"""Notes on when the recorder and each member were present: a member's silence is not a gap in the recording."""

from datetime import datetime
from typing import NamedTuple

import polars as pl

from pulsoid_rec.analysis.findings.checks import SILENCE_S
from pulsoid_rec.analysis.findings.note import Note, make_note, merge_many
from pulsoid_rec.analysis.findings.offline import Offline
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.recorder.contract.wording import format_count, format_duration

APART_S = 30.0
"""Members who begin or end at most this far apart count as together: nobody switches sensors on at one instant."""


def presence_notes(view: SessionView) -> list[Note]:
    """Describe when the recorder was offline, and who came late, left early, or fell silent in a session.

    The recorder's notes come first, then the members' in the order of the summary.
    """
    return [
        *_recorder_notes(view),
        *_apart_notes(view, "first_at", "first", "after", "began later"),
        *_apart_notes(view, "last_at", "last", "before", "ended earlier"),
        *_silences(view),
        *_room_members(view),
    ]


def _recorder_notes(view: SessionView) -> list[Note]:
    hold_s = view.definitions.max_hold_s
    long = [time for time in view.offline if time.length_s > hold_s]
    total_s = sum(time.length_s for time in long)
    notes = merge_many(
        [make_note(view, None, "recorder", _describe_offline(view, time)) for time in long],
        f"the recorder was offline {len(long)} times, {format_duration(total_s)} in all",
    )
    if short := len(view.offline) - len(long):
        text = f"the recorder reconnected {format_count(short, 'time')}, each within {hold_s:g} s"
        notes.append(make_note(view, None, "recorder", text))
    return notes


def _describe_offline(view: SessionView, time: Offline) -> str:
    begins, ends = view.clock(time.begins_at), view.clock(time.ends_at)
    if time.cut_off:
        return f"the recorder was cut off some time after {begins}, the last it received, and was offline until {ends}"
    return f"the recorder was offline from {begins} to {ends} ({format_duration(time.length_s)})"


def _present(view: SessionView, column: str) -> pl.DataFrame:
    """Return members' first or last instants; of those whose clocks are wrong, of the receipt, on the room's clock."""
    place = 0 if column == "first_at" else -1
    present = view.summary.drop_nulls(column).select("profile_id", column)
    received = {
        id_: min(max(view.clocks.received[id_][place][place], view.present_from), view.present_until)
        for id_ in view.clocks.wrong
    }
    on_room_clock = pl.col("profile_id").replace_strict(received, default=pl.col(column), return_dtype=INSTANT)
    return present.with_columns(on_room_clock.alias(column)) if received else present


def _apart_notes(view: SessionView, column: str, extreme: str, side: str, merged: str) -> list[Note]:
    """Describe whose `first_at` or `last_at` is how far after the first or before the last of all."""
    present, at = _present(view, column), pl.col(column)
    present = present.select("profile_id", at - at.min() if extreme == "first" else at.max() - at)
    far = {id_: apart.total_seconds() for id_, apart in present.iter_rows() if apart.total_seconds() > APART_S}
    both = 2
    reference = "the other's" if present.height == both else "the others"
    if len(far) > 1:  # The others are not together, so the first or last of them is the reference.
        reference = f"the {extreme} member's"
    untimely = set(view.untimely["profile_id"])
    notes = [
        make_note(view, id_, "presence", f"{extreme} {reading} {format_duration(seconds)} {side} {reference}")
        for id_, seconds in far.items()
        for reading in ["timely reading" if id_ in untimely else "reading"]
    ]
    return merge_many(notes, f"{len(far)} of {present.height} members {merged} than the {extreme}")


class _Silence(NamedTuple):
    begins_at: datetime
    ends_at: datetime
    recorded_s: float  # for how long a recorder was connected meanwhile


def _silences(view: SessionView) -> list[Note]:
    """Describe each member's silences while the recorder was connected."""
    silences: dict[str, list[_Silence]] = {id_: [] for id_ in view.names}
    for id_, *gap in view.checks.silences.select("profile_id", "begins_at", "ends_at").iter_rows():
        for begins_at, ends_at in view.clocks.unheard(id_, *gap):
            recorded_s = (ends_at - begins_at).total_seconds() - sum(
                time.overlap_s(begins_at, ends_at) for time in view.offline
            )
            if recorded_s > SILENCE_S:
                silences[id_].append(_Silence(begins_at, ends_at, recorded_s))
    notes = [make_note(view, id_, "silence", _describe_silences(view, id_, of)) for id_, of in silences.items() if of]
    listening = " while the recorder was listening" if view.has_connections else ""
    return merge_many(
        notes, f"{len(notes)} members were silent for longer than {format_duration(SILENCE_S)}{listening}"
    )


def _describe_silences(view: SessionView, profile_id: str, silences: list[_Silence]) -> str:
    longest = max(silences, key=lambda silence: silence.recorded_s)
    text = f"from {view.clock(longest.begins_at)} to {view.clock(longest.ends_at)}"
    if longest.recorded_s < (longest.ends_at - longest.begins_at).total_seconds():
        text += f", for {format_duration(longest.recorded_s)} of which the recorder was listening"
    elif view.has_connections:
        text += " while the recorder was listening"
    if len(silences) > 1:
        total_s = sum(silence.recorded_s for silence in silences)
        text = f"{len(silences)} times, {format_duration(total_s)} in all, the longest {text}"
    return f"{'no timely reading' if profile_id in view.untimely['profile_id'] else 'silent'} {text}"


def _room_members(view: SessionView) -> list[Note]:
    """Describe who left the room, and who was in it without sending a reading."""
    returns = {
        (id_, at): back_at
        for id_, at, back_at in view.checks.returns.select("profile_id", "removed_at", "first_at").iter_rows()
    }
    left = []
    removed = view.member_events.filter(pl.col("event") == "removed")
    for id_, at in removed.select("profile_id", "occurred_at").iter_rows():
        back_at = returns.get((id_, at))
        back = f", readings again from {view.clock(back_at)}" if back_at is not None else ""
        left.append(make_note(view, id_, "presence", f"left the room at {view.clock(at)}{back}"))
    updated = view.member_events.filter(pl.col("event") == "updated")["profile_id"]
    quiet = [
        make_note(view, id_, "presence", "in the room, but sent no reading")
        for id_ in dict.fromkeys(updated)
        if id_ not in view.names and id_ not in view.clocks.heard
    ]
    return [
        *merge_many(left, f"{len(left)} departures from the room"),
        *merge_many(quiet, f"{len(quiet)} members were in the room and sent no reading"),
    ]
