"""The columns of the summary, each described once: schema, tables, page, exports and README come from here."""

from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Literal

import polars as pl

from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.analysis.metrics.zones import ZONES

Topic = Literal["What was recorded", "Heart rate", "Effort"]

NO_HR_MAX = "HRmax is unknown: give hr_max or birth_year in members.toml"
NO_EFFORT = "no effort of 2 min at or above 70 % of HRmax that readings cover until a minute after it"
_NO_BANISTER = "needs HRmax, hr_rest and sex, given in members.toml"
_TOO_SHORT = "too few seconds were observed"


@dataclass(frozen=True, slots=True)
class SummaryColumn:
    """A column of the summary."""

    name: str
    type: pl.DataType
    meaning: str  # with the unit
    head: str = ""  # in tables for people; a column without a head is in none of them
    _: KW_ONLY
    unit: str = ""
    topic: Topic = "What was recorded"  # the table of the page it is in
    order: int = 0  # its place there: ascending, equal ones as listed here
    rank: int | None = None  # where the terminal is too narrow, higher ones are left out first; None: only on the page
    # `minutes` turns seconds into minutes.
    format: Literal["number", "minutes", "duration", "share", "clock"] = "number"
    decimals: int = 0
    is_additive: bool = False  # whether the sum over all members makes sense
    is_optional: bool = False  # whether the terminal leaves it out when it is null for every member
    why_null: str = "there is only one reading"  # for a member who has plausible readings


_TEXT, _INTEGER, _BPM, _FLOAT = pl.String(), pl.Int64(), pl.Int32(), pl.Float64()
_bpm = partial(SummaryColumn, unit="bpm", topic="Heart rate")
_effort = partial(SummaryColumn, topic="Effort", is_optional=True, why_null=NO_HR_MAX)

PHASE = (
    SummaryColumn("phase", _INTEGER, "number of the session's phase; 0 is what comes before the first mark of one"),
    SummaryColumn("phase_label", _TEXT, "the label of the phase's mark; null for phase 0"),
    SummaryColumn("phase_started_at", INSTANT, "when the phase began, UTC, by the clock of the readings"),
    SummaryColumn("phase_ended_at", INSTANT, "when it ended; what occurred at this instant is not in it"),
)
"""Columns after `session` of a summary by phase."""

SUMMARY = (
    SummaryColumn("room_id", _TEXT, "the room"),
    SummaryColumn("session", _INTEGER, "number of the room's session, in the order of receipt"),
    SummaryColumn("profile_id", _TEXT, "the member"),
    SummaryColumn(
        "name", _TEXT, "the member's name: of members.toml, else of the latest config, else the id's first 8 characters"
    ),
    SummaryColumn("first_at", INSTANT, "first plausible reading, UTC", "From", format="clock"),
    SummaryColumn("last_at", INSTANT, "last plausible reading, UTC", "To", format="clock"),
    SummaryColumn("span_s", _FLOAT, "seconds from the first plausible reading to the end of the last one's hold"),
    SummaryColumn(
        "observed_s",
        _FLOAT,
        "seconds for which plausible readings held",
        "Observed",
        rank=5,
        format="duration",
        is_additive=True,
    ),
    SummaryColumn("coverage", _FLOAT, "observed_s / span_s", "Coverage", rank=4, format="share"),
    SummaryColumn("readings", _INTEGER, "plausible readings", "Readings", rank=12, is_additive=True),
    SummaryColumn(
        "duplicates",
        _INTEGER,
        "rows equal in room, member, instant and bpm to an earlier one; left out",
        "Twice",
        unit="readings",
        order=2,
    ),
    SummaryColumn(
        "implausible",
        _INTEGER,
        "readings outside the plausible range; left out of every statistic",
        "Implausible",
        unit="readings",
        order=1,
    ),
    SummaryColumn(
        "untimely",
        _INTEGER,
        "readings whose time is wrong: more than a day off, by the room's clock; left out, and in no session",
        "Untimely",
        unit="readings",
        order=1,
    ),
    SummaryColumn(
        "gaps",
        _INTEGER,
        "times that consecutive plausible readings were further apart than a reading holds",
        "Gaps",
        rank=11,
        is_additive=True,
    ),
    SummaryColumn(
        "longest_gap_s",
        _FLOAT,
        "seconds of the longest of them; 0 when there are none",
        "Longest gap",
        format="duration",
    ),
    _bpm("bpm_mean", _FLOAT, "beats per minute, mean weighted by time", "Mean", rank=1, decimals=1),
    _bpm(
        "bpm_sd", _FLOAT, "beats per minute, population standard deviation weighted by time", "SD", rank=9, decimals=1
    ),
    _bpm("bpm_min", _BPM, "beats per minute, lowest plausible reading", "Min", rank=16),
    _bpm(
        "bpm_floor",
        _BPM,
        "beats per minute, lowest that was held for 60 s or more, it or lower",
        "Floor",
        rank=7,
        why_null=_TOO_SHORT,
    ),
    _bpm("bpm_p05", _BPM, "beats per minute, 5 % quantile weighted by time", "5 %", rank=15),
    _bpm("bpm_median", _BPM, "beats per minute, median weighted by time", "Median", rank=6),
    _bpm("bpm_p95", _BPM, "beats per minute, 95 % quantile weighted by time", "95 %", rank=15),
    _bpm(
        "bpm_peak",
        _BPM,
        "beats per minute, highest that was held for 5 s or more, it or higher",
        "Peak",
        rank=2,
        why_null=_TOO_SHORT,
    ),
    _bpm("bpm_max", _BPM, "beats per minute, highest plausible reading", "Max", rank=16),
    *(
        _effort(
            f"zone{zone}_s",
            _FLOAT,
            f"seconds in zone {zone}" + (f", from {40 + 10 * zone} % of HRmax" if zone else ", below zone 1"),
            f"Zone {zone}",
            unit="min",
            format="minutes",
            decimals=1,
        )
        for zone in ZONES
    ),
    _effort(
        "hr_max",
        _FLOAT,
        "highest heart rate in beats per minute, to a tenth; null when unknown",
        "HRmax",
        unit="bpm",
        order=-1,
        rank=13,
    ),
    SummaryColumn("hr_max_source", _TEXT, "where hr_max is from: given, age (208 - 0.7 x age, Tanaka 2001)"),
    _effort(
        "trimp_edwards",
        _FLOAT,
        "training load: minutes in each zone times its number (Edwards 1993)",
        "TRIMP",
        unit="Edwards",
        rank=8,
        decimals=1,
    ),
    _effort(
        "trimp_banister",
        _FLOAT,
        "training load: minutes weighted by heart-rate reserve (Banister 1991)",
        "TRIMP",
        unit="Banister",
        rank=14,
        decimals=1,
        why_null=_NO_BANISTER,
    ),
    _effort(
        "hrr60",
        _FLOAT,
        "beats per minute, largest fall in the 60 s after an effort of 2 min at 70 % of HRmax (Cole 1999)",
        "HRR60",
        unit="bpm",
        rank=10,
        decimals=1,
        why_null=NO_EFFORT,
    ),
)
"""In their order, which users build on."""
