"""What gives a sensor away: zeros, impossible values, one value for minutes, leaps; each with counts and times."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

import polars as pl

from pulsoid_rec.analysis.findings.notes import Note, few_or_one, note_on
from pulsoid_rec.analysis.findings.session_view import SessionView, before
from pulsoid_rec.analysis.findings.wording import format_share
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.recorder.contract.wording import format_count, format_duration

UNCHANGING_S = 180.0
"""Longest time one whole bpm may stay the same before it is named.

A heart speeds up and slows down with every breath. In 24 series of people sitting still at a game, smoothed and at one
reading a second, the longest such time was 45 s; four times that is not breathing, but a sensor that repeats itself.
"""

JUMP_BPM = 30
"""Largest change between two readings at most `JUMP_S` apart that is not named."""

JUMP_S = 1.0
"""How close together two readings are for their difference to be a jump."""

LOW_COVERAGE = 0.9
"""Below this share of covered time a member's figures are marked as resting on part of it."""

FINDINGS: Final = {
    "profile_id": pl.String(),
    "what": pl.String(),
    "times": pl.UInt32(),
    "first_at": pl.Datetime("us", "UTC"),
    "last_at": pl.Datetime("us", "UTC"),
    "low_bpm": pl.Int32(),
    "high_bpm": pl.Int32(),
    "longest_s": pl.Float64(),
}
"""Columns of `find_faults`."""


def find_faults(readings: pl.DataFrame, options: Definitions) -> pl.DataFrame:
    """Find what a beating heart does not do, in the readings of one session.

    Parameters
    ----------
    readings
        `profile_id`, `occurred_at`, `bpm`, `plausible`, ordered by profile and time.
    options
        Its `max_hold_s` ends an unchanging time, since nothing is known of what lies in a gap.

    Returns
    -------
    pl.DataFrame
        A row for each member and fault found, by both, columns as in `FINDINGS`. `what` is `zeros`, `implausible`
        (all others outside the plausible range), `unchanging` or `jumps`; `times` counts readings for the first two,
        unchanging times for the third, and jumps for the fourth; `first_at` and `last_at` are the first and last
        reading concerned; `low_bpm` and `high_bpm` the lowest and highest value concerned, for `unchanging` of the
        longest; `longest_s` is the longest unchanging time, else null. Empty when all is well.
    """
    plausible = readings.lazy().filter("plausible")
    plausible = plausible.with_columns(before_at=before("occurred_at"), before_bpm=before("bpm"))
    implausible = readings.lazy().filter(pl.col("plausible").not_())
    found = [
        _tally(implausible.filter(pl.col("bpm") == 0), "zeros"),
        _tally(implausible.filter(pl.col("bpm") != 0), "implausible"),
        _unchanging(plausible, options),
        _jumps(plausible),
    ]
    return pl.concat(found).sort("profile_id", "what").collect()


def _tally(rows: pl.LazyFrame, what: str) -> pl.LazyFrame:
    return rows.group_by("profile_id").agg(
        pl.lit(what).alias("what"),
        pl.len().alias("times"),
        pl.col("occurred_at").min().alias("first_at"),
        pl.col("occurred_at").max().alias("last_at"),
        pl.col("bpm").min().alias("low_bpm"),
        pl.col("bpm").max().alias("high_bpm"),
        pl.lit(None, pl.Float64()).alias("longest_s"),
    )


def _unchanging(plausible: pl.LazyFrame, options: Definitions) -> pl.LazyFrame:
    silence = pl.col("occurred_at") - pl.col("before_at") > timedelta(microseconds=options.max_hold_us)
    is_first = ((pl.col("bpm") != pl.col("before_bpm")) | silence).fill_null(value=True)
    # A run ends with the row before the next one's first: there are far fewer runs than rows to group.
    runs = (
        plausible.with_columns(row_before_at=pl.col("occurred_at").shift(1), last_row_at=pl.col("occurred_at").last())
        .filter(is_first)
        .select(
            "profile_id",
            "bpm",
            first_at=pl.col("occurred_at"),
            last_at=pl.col("row_before_at").shift(-1).fill_null(pl.col("last_row_at")),
        )
        .with_columns(length_s=(pl.col("last_at") - pl.col("first_at")).dt.total_microseconds() / 1e6)
        .filter(pl.col("length_s") >= UNCHANGING_S)
        .sort("profile_id", "first_at")
    )
    longest = pl.col("bpm").get(pl.col("length_s").arg_max())
    return runs.group_by("profile_id").agg(
        pl.lit("unchanging").alias("what"),
        pl.len().alias("times"),
        pl.col("first_at").min(),
        pl.col("last_at").max(),
        longest.alias("low_bpm"),
        longest.alias("high_bpm"),
        pl.col("length_s").max().alias("longest_s"),
    )


def _jumps(plausible: pl.LazyFrame) -> pl.LazyFrame:
    near = pl.col("occurred_at") - pl.col("before_at") <= timedelta(seconds=JUMP_S)
    far = (pl.col("bpm") - pl.col("before_bpm")).abs() > JUMP_BPM
    both = plausible.filter(near & far)
    return both.group_by("profile_id").agg(
        pl.lit("jumps").alias("what"),
        pl.len().alias("times"),
        pl.col("before_at").min().alias("first_at"),
        pl.col("occurred_at").max().alias("last_at"),
        pl.min_horizontal(pl.col("bpm").min(), pl.col("before_bpm").min()).alias("low_bpm"),
        pl.max_horizontal(pl.col("bpm").max(), pl.col("before_bpm").max()).alias("high_bpm"),
        pl.lit(None, pl.Float64()).alias("longest_s"),
    )


def quality_notes(parts: Iterable[SessionView], options: Definitions) -> list[Note]:
    """Name the sensors whose figures are to be read with care, and why.

    Parameters
    ----------
    parts
        The sessions; of one without `readings`, only what the summary tells is named: implausible readings, duplicates
        and coverage.
    options
        What counted as plausible, and how long readings hold.

    Returns
    -------
    list of Note
        By session and, within it, by fault; empty when all is well.
    """
    notes = []
    for part in parts:
        faults = find_faults(part.readings, options).rows_by_key("profile_id", named=True, include_key=True)
        sensors = [
            note_on(part, id_, "quality", _fault_words(part, fault, options))
            for id_ in part.names
            for fault in faults.get(id_, [])
        ]
        if part.readings.is_empty():
            sensors = list(_counted(part, options))
        notes += few_or_one(sensors, f"{format_count(len(sensors), 'remark')} on sensors")
        notes += _coverage_notes(part)
    return notes


def _fault_words(part: SessionView, fault: dict[str, Any], options: Definitions) -> str:
    times = fault["times"]
    first, last = part.clock(fault["first_at"]), part.clock(fault["last_at"])
    when = f"at {first}" if first == last else f"from {first} to {last}"
    low, high = fault["low_bpm"], fault["high_bpm"]
    values = f"{low}" if low == high else f"{low} to {high}"
    member = part.summary.row(by_predicate=pl.col("profile_id") == fault["profile_id"], named=True)
    sent = member["readings"] + member["implausible"]
    of_all = "all of them" if times == sent else f"of {sent:,}"
    match fault["what"]:
        case "zeros":
            words = f"{format_count(times, 'reading')} of 0 bpm ({of_all}), {when}"
        case "implausible":
            outside = f"outside {options.min_bpm} to {options.max_bpm} bpm"
            words = f"{format_count(times, 'reading')} {outside} ({values}; {of_all}), {when}"
        case "unchanging":
            often = "" if times == 1 else f"{times} times, the longest "
            words = f"one unchanging value {often}for {format_duration(fault['longest_s'])} ({values} bpm), {when}"
        case _:
            apart = f"more than {JUMP_BPM} bpm within {JUMP_S:g} s"
            words = f"{format_count(times, 'jump')} of {apart} (between {low} and {high}), {when}"
    return f"{part.names[fault['profile_id']]}: {words}"


def _counted(part: SessionView, options: Definitions) -> Iterator[Note]:
    for id_, count in part.summary.filter(pl.col("implausible") > 0).select("profile_id", "implausible").iter_rows():
        outside = f"outside {options.min_bpm} to {options.max_bpm} bpm"
        yield note_on(part, id_, "quality", f"{part.names[id_]}: {format_count(count, 'reading')} {outside}")


def _coverage_notes(part: SessionView) -> list[Note]:
    low = part.summary.filter(pl.col("coverage") < LOW_COVERAGE).select("profile_id", "coverage")
    notes = [
        note_on(
            part,
            id_,
            "coverage",
            f"{part.names[id_]}: readings cover {format_share(coverage)} of the time from first to last",
        )
        for id_, coverage in low.iter_rows()
    ]
    doubled = part.summary["duplicates"].sum()
    notes = few_or_one(
        notes, f"readings of {len(notes)} members cover less than {format_share(LOW_COVERAGE)} of their time"
    )
    if doubled:
        text = (
            f"{format_count(int(doubled), 'reading')} came twice, and {'was' if doubled == 1 else 'were'} counted once"
        )
        notes.append(note_on(part, None, "quality", text))
    return notes
