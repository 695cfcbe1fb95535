"""Notes on faulty sensors (zeros, impossible values, one value for minutes, jumps), slow ones, coverage, duplicates."""

import math
from typing import Any

import polars as pl

from pulsoid_rec.analysis.findings.faults import JUMP_BPM
from pulsoid_rec.analysis.findings.note import Note, make_note, merge_many
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.findings.wording import format_share
from pulsoid_rec.analysis.metrics.definitions import MICROSECONDS
from pulsoid_rec.recorder.contract.wording import format_count, format_duration

LOW_COVERAGE = 0.9  # a lower share of covered time has a note
LATE_SHARE = 0.1  # a sensor with more late readings than this has a note that it is slow
_TWO = "as if two sensors sent for one member"


def quality_notes(view: SessionView) -> list[Note]:
    """Describe faults of sensors, slow sensors, low coverage and duplicates in a session, in this order."""
    paces = {row["profile_id"]: row for row in view.checks.paces.iter_rows(named=True)}
    found = view.checks.faults.rows_by_key("profile_id", named=True, include_key=True)
    sent = dict(view.summary.select("profile_id", pl.col("readings") + pl.col("implausible")).iter_rows())
    faults = [
        make_note(view, id_, "quality", _describe_fault(view, fault, sent[id_]))
        for id_ in view.names
        for fault in found.get(id_, [])
    ]
    coverage = [
        make_note(view, id_, "coverage", text)
        for id_, share in view.summary.select("profile_id", "coverage").iter_rows()
        if (text := _describe_coverage(share, paces.get(id_), view.definitions.max_hold_s))
    ]
    least = format_share(LOW_COVERAGE)
    notes = [
        *merge_many(faults, f"{format_count(len(faults), 'note')} on sensors"),
        *merge_many(coverage, f"sensors of {len(coverage)} members are slow, or cover less than {least} of their time"),
    ]
    if doubled := int(view.summary["duplicates"].sum()):
        text = f"{format_count(doubled, 'reading')} came twice, and {'was' if doubled == 1 else 'were'} counted once"
        notes.append(make_note(view, None, "quality", text))
    return notes


def _describe_fault(view: SessionView, fault: dict[str, Any], sent: int) -> str:
    times = fault["times"]
    first, last = view.clock(fault["first_at"]), view.clock(fault["last_at"])
    when = f"at {first}" if first == last else f"from {first} to {last}"
    low, high = fault["low_bpm"], fault["high_bpm"]
    values = f"{low}" if low == high else f"{low} to {high}"
    of_all = "all of them" if times == sent else f"of {sent:,}"
    match fault["what"]:
        case "zeros":
            return f"{format_count(times, 'reading')} of 0 bpm ({of_all}), {when}"
        case "implausible":
            limits = f"outside {view.definitions.min_bpm} to {view.definitions.max_bpm} bpm"
            return f"{format_count(times, 'reading')} {limits} ({values}; {of_all}), {when}"
        case "unchanging":
            often = "" if times == 1 else f"{times} times, the longest "
            return f"one unchanging value {often}for {format_duration(fault['longest_s'])} ({values} bpm), {when}"
        case "jumps":
            apart = f"more than {JUMP_BPM} bpm within {fault['longest_s']:g} s"
            return f"{format_count(times, 'jump')} of {apart} (between {low} and {high}), {when}"
        case "levels":
            return f"{times:,} of {sent:,} readings off from both neighbours (between {low} and {high}), {_TWO}, {when}"
        case _:
            return f"{times:,} of {sent:,} readings at uneven steps of less than 1 s, {_TWO}, {when}"


def _describe_coverage(share: float | None, pace: dict[str, Any] | None, max_hold_s: float) -> str | None:
    """Describe how much of the time readings cover, if it is little, or the sensor is slow."""
    low = share is not None and share < LOW_COVERAGE
    if pace is None or share is None or pace["late"] <= LATE_SHARE:
        return f"readings cover {format_share(share)} of the time from first to last" if low else None
    often = "" if pace["pace_s"] > max_hold_s else "often "
    return (
        f"reports every {pace['pace_s']:g} s, {often}longer than a reading holds ({max_hold_s:g} s), so readings cover "
        f"{format_share(share)} of the time: use --max-hold {math.ceil(pace['longest_us'] / MICROSECONDS)}"
    )
