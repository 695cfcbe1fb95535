"""What a BIDS dataset says of itself: README, and what its columns mean."""

from typing import Any

from pulsoid_rec.analysis.metrics.columns import SUMMARY

README = """\
Heart rates of the members of a room, recorded by Pulsoid and pulsoid-rec.

sub-* is a member, ses-* a session of a room: its label, and the session's number in four digits.
A session ends where nobody in the room sent a heart rate for {definitions.session_gap_s:g} s.
All times of a session are in seconds from one instant, the same for all of its members, so that rows of different
members can be compared.

*_physio.tsv.gz has a row each second, from the member's first heart rate to the last: the latest one sent.
It is n/a where that was sent more than {definitions.max_hold_s:g} s before. Nothing is interpolated.
Values below {definitions.min_bpm} or above {definitions.max_bpm} beats per minute are taken for errors of the sensor:
they are n/a.
*_physio.json and *_sessions.tsv tell how much of the time is observed, and how much was left out.
*_physioevents.tsv.gz lists the gaps, *_events.tsv the marks and phases that were set while recording.

Before you publish this: add Authors and License to dataset_description.json, and write here what the members did.
With or without pseudonyms these are personal data, which may lead to a person.
"""

TIMESTAMP: dict[str, Any] = {
    "Description": "Time since the session's first second, which is the same for all of its members",
    "Units": "s",
}
HEART_RATE: dict[str, Any] = {
    "Description": "Heart rate as the sensor gave it: the latest plausible one, if it still holds at this instant",
    "Units": "1/min",
}
PHYSIOEVENTS: dict[str, Any] = {
    "Columns": ["onset", "duration", "trial_type"],
    "Description": "Gaps: when no plausible heart rate holds, whatever the reason",
    "OnsetSource": "timestamp",
    "onset": {"Description": "First second of the gap, as in the column timestamp of the physio file", "Units": "s"},
    "duration": {"Description": "How many seconds have no heart rate", "Units": "s"},
    "trial_type": {
        "Description": "What it is",
        "Levels": {"gap": "The sensor, the member's connection or the recorder gave no plausible heart rate"},
    },
}
EVENTS: dict[str, Any] = {
    "onset": {"Description": "When it was or began, from the session's first second", "Units": "s"},
    "duration": {"Description": "How long a phase lasted while the member was there; 0 of a mark", "Units": "s"},
    "trial_type": {"Description": "The label that it was given while recording"},
    "kind": {
        "Description": "What the label stands for",
        "Levels": {"mark": "an instant", "phase": "a part of the session, up to the next phase or its end"},
    },
}
PARTICIPANTS: dict[str, Any] = {
    "species": {"Description": "Species of the participant"},
    "age": {
        "Description": "Year of the first session here minus year of birth; 89 stands for 89 and above",
        "Units": "year",
    },
    "sex": {"Description": "Sex of the participant", "Levels": {"female": "female", "male": "male"}},
    "handedness": {"Description": "Not recorded"},
}
SESSIONS: dict[str, Any] = {
    "session_id": {"Description": "The session's label"},
    "acq_time": {
        "Description": "When the member's first row was, UTC. A year before 1926: moved back by some whole weeks"
    },
    "room": {"Description": "The room"},
    **{column.name: {"Description": column.meaning[0].upper() + column.meaning[1:]} for column in SUMMARY},
}
