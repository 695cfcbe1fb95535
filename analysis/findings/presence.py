"""When the recorder and each member were there: a member's silence told from a gap in the recording."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import polars as pl

from pulsoid_rec.analysis.findings.notes import Note, few_or_one, note_on
from pulsoid_rec.analysis.findings.offline import Offline
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.session_view import SessionView, before
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.recorder.contract.wording import format_count, format_duration

APART_S = 30.0
"""Members who begin or end less than this apart began or ended together: sensors are never switched on as one."""

SILENCE_S = 60.0
"""A member's silence shorter than this is in the gap figures alone; a longer one is named."""


def presence_notes(report: ReportData, parts: Iterable[SessionView]) -> list[Note]:
    """Say when the recorder was offline, and who came late, left early, or fell silent.

    Parameters
    ----------
    report
        The report; without `readings`, silences within the session are not told.
    parts
        Its sessions.

    Returns
    -------
    list of Note
        By session, the recorder's first and then the members' in the order of the summary.
    """
    notes = []
    known = set(report.connection_events["room_id"])
    for part in parts:
        notes += _recorder_notes(part, report.options)
        notes += _arrivals(part) + _departures(part)
        notes += _silences(part, listening=part.room_id in known)
        notes += _member_events(part, report.member_events.filter(pl.col("room_id") == part.room_id))
    return notes


def _recorder_notes(part: SessionView, options: Definitions) -> list[Note]:
    hold = timedelta(seconds=options.max_hold_s)
    long = [time for time in part.offline if time.ends_at - time.begins_at > hold]
    notes = [note_on(part, None, "recorder", _offline_words(part, time)) for time in long]
    total_s = sum((time.ends_at - time.begins_at).total_seconds() for time in long)
    notes = few_or_one(notes, f"the recorder was offline {len(long)} times, {format_duration(total_s)} in all")
    if short := len(part.offline) - len(long):
        text = f"the recorder reconnected {format_count(short, 'time')}, each within {options.max_hold_s:g} s"
        notes.append(note_on(part, None, "recorder", text))
    return notes


def _offline_words(part: SessionView, time: Offline) -> str:
    begins, ends = (part.clock(at) for at in (time.begins_at, time.ends_at))
    if time.cut_off:
        return f"the recorder was cut off some time after {begins}, the last it received, and was offline until {ends}"
    length_s = (time.ends_at - time.begins_at).total_seconds()
    return f"the recorder was offline from {begins} to {ends} ({format_duration(length_s)})"


def _arrivals(part: SessionView) -> list[Note]:
    present = part.summary.filter(pl.col("first_at").is_not_null()).select("profile_id", "first_at").rows()
    if not present:
        return []
    start = min(at for _, at in present)
    late = {id_: (at - start).total_seconds() for id_, at in present if (at - start).total_seconds() > APART_S}
    whom = _whom(len(late), len(present), "the first")
    notes = [
        note_on(part, id_, "presence", f"{part.names[id_]}: first reading {format_duration(late_s)} after {whom}")
        for id_, late_s in late.items()
    ]
    return few_or_one(notes, f"{len(late)} of {len(present)} members began later than the first")


def _whom(apart: int, present: int, extreme: str) -> str:
    """Tell from whom one is apart: "the others" only where all of those are together."""
    if apart > 1:
        return f"{extreme} member's"
    others = present - 1
    return "the other's" if others == 1 else "the others"


def _departures(part: SessionView) -> list[Note]:
    present = part.summary.filter(pl.col("last_at").is_not_null()).select("profile_id", "last_at").rows()
    if not present:
        return []
    end = max(at for _, at in present)
    early = {id_: (end - at).total_seconds() for id_, at in present if (end - at).total_seconds() > APART_S}
    whom = _whom(len(early), len(present), "the last")
    notes = [
        note_on(part, id_, "presence", f"{part.names[id_]}: last reading {format_duration(early_s)} before {whom}")
        for id_, early_s in early.items()
    ]
    return few_or_one(notes, f"{len(early)} of {len(present)} members ended earlier than the last")


def _silences(part: SessionView, *, listening: bool) -> list[Note]:
    """Name each member's silences while the recorder listened; where it did not, the silence is the recorder's."""
    silent = (
        part.readings.with_columns(before_at=before("occurred_at"))
        .filter(pl.col("occurred_at") - pl.col("before_at") > timedelta(seconds=SILENCE_S))
        .select("profile_id", "before_at", "occurred_at")
    )
    theirs: dict[str, list[_Silence]] = {}
    for id_, begin, end in silent.iter_rows():
        unheard_s = sum(_overlap_s(begin, end, time) for time in part.offline)
        silence = _Silence(begin, end, (end - begin).total_seconds() - unheard_s)
        if silence.heard_s > SILENCE_S:
            theirs.setdefault(id_, []).append(silence)
    notes = []
    for id_ in part.names:
        if silences := theirs.get(id_):
            longest = max(silences, key=lambda silence: silence.heard_s)
            when = f"from {part.clock(longest.begins_at)} to {part.clock(longest.ends_at)}"
            if longest.heard_s < longest.length_s:
                when += f", for {format_duration(longest.heard_s)} of which the recorder was listening"
            elif listening:
                when += " while the recorder was listening"
            if len(silences) > 1:
                total_s = sum(silence.heard_s for silence in silences)
                when = f"{len(silences)} times, {format_duration(total_s)} in all, the longest {when}"
            notes.append(note_on(part, id_, "silence", f"{part.names[id_]}: silent {when}"))
    while_ = " while the recorder was listening" if listening else ""
    return few_or_one(notes, f"{len(notes)} members were silent for longer than {format_duration(SILENCE_S)}{while_}")


class _Silence(NamedTuple):
    begins_at: datetime
    ends_at: datetime
    heard_s: float

    @property
    def length_s(self) -> float:
        return (self.ends_at - self.begins_at).total_seconds()


def _overlap_s(begin: datetime, end: datetime, time: Offline) -> float:
    return max(0.0, (min(end, time.ends_at) - max(begin, time.begins_at)).total_seconds())


def _member_events(part: SessionView, events: pl.DataFrame) -> list[Note]:
    """Tell who left the room, and who was in it without sending a reading."""
    here = events.filter(pl.col("occurred_at").is_between(part.started_at, part.ended_at)).sort("occurred_at")
    left = []
    for id_, at in here.filter(pl.col("event") == "removed").select("profile_id", "occurred_at").iter_rows():
        later = part.readings.filter((pl.col("profile_id") == id_) & (pl.col("occurred_at") > at))
        back_at = later["occurred_at"].min()
        back = f", readings again from {part.clock(back_at)}" if isinstance(back_at, datetime) else ""
        text = f"{part.names.get(id_, id_[:8])}: left the room at {part.clock(at)}{back}"
        left.append(note_on(part, id_, "presence", text))
    configs = dict(here.filter(pl.col("event") == "updated").select("profile_id", "config").iter_rows())
    quiet = [
        note_on(part, id_, "presence", f"{_name(id_, config)}: in the room, but sent no reading")
        for id_, config in configs.items()
        if id_ not in part.names
    ]
    return few_or_one(left, f"{len(left)} departures from the room") + few_or_one(
        quiet, f"{len(quiet)} members were in the room and sent no reading"
    )


def _name(profile_id: str, config: str | None) -> str:
    """Name a member of whom nothing is known but an event."""
    said = json.loads(config) if config else None
    name = said.get("name") if isinstance(said, dict) else None
    return name if isinstance(name, str) and name.strip() else profile_id[:8]
