"""Notes on faulty sensors (zeros, impossible values, one value for minutes, jumps), coverage and duplicates."""

from datetime import timedelta
from typing import Any, Final

import polars as pl

from pulsoid_rec.analysis.findings.note import Note, make_note, merge_many
from pulsoid_rec.analysis.findings.session_view import SessionView, before
from pulsoid_rec.analysis.findings.wording import format_share
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.recorder.contract.wording import format_count, format_duration

UNCHANGING_S = 180.0
"""A bpm that stays the same for this long or longer is a fault.

A heart speeds up and slows down with every breath. In 24 series of people sitting still at a game, smoothed and at one
reading a second, the longest such time was 45 s; four times as long means a sensor that repeats itself.
"""

JUMP_BPM = 30
"""A larger change between two readings at most `JUMP_S` apart is a fault."""

JUMP_S = 1.0
"""Readings further apart than this have no jump between them."""

LOW_COVERAGE = 0.9
"""A lower share of covered time has a note."""

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


def find_faults(readings: pl.DataFrame, definitions: Definitions) -> pl.DataFrame:
    """Find values that cannot be a heart rate, in the readings of one session.

    Parameters
    ----------
    readings
        `profile_id`, `occurred_at`, `bpm`, `plausible`, ordered by profile and time.
    definitions
        A gap, longer than `max_hold_s`, ends an unchanging time, since nothing is known of the heart rate in it.

    Returns
    -------
    pl.DataFrame
        A row for each member and fault found, by both, columns as in `FINDINGS`. `what` is `zeros`, `implausible`
        (all others outside the plausible range), `unchanging` or `jumps`; `times` counts readings for the first two,
        unchanging times for the third, and jumps for the fourth; `first_at` and `last_at` are the first and last
        reading concerned; `low_bpm` and `high_bpm` the lowest and highest value concerned, for `unchanging` of the
        longest; `longest_s` is the longest unchanging time, else null. Empty if there are no faults.
    """
    plausible = readings.lazy().filter("plausible")
    plausible = plausible.with_columns(before_at=before("occurred_at"), before_bpm=before("bpm"))
    implausible = readings.lazy().filter(pl.col("plausible").not_())
    found = [
        _count_faults(implausible.filter(pl.col("bpm") == 0), "zeros"),
        _count_faults(implausible.filter(pl.col("bpm") != 0), "implausible"),
        _find_unchanging(plausible, definitions),
        _find_jumps(plausible),
    ]
    return pl.concat(found).sort("profile_id", "what").collect()


def _count_faults(rows: pl.LazyFrame, what: str, **columns: pl.Expr) -> pl.LazyFrame:
    """Summarize faults, one a row, as `FINDINGS`; `columns` replace those that come from the rows themselves."""
    usual = {
        "first_at": pl.col("occurred_at").min(),
        "last_at": pl.col("occurred_at").max(),
        "low_bpm": pl.col("bpm").min(),
        "high_bpm": pl.col("bpm").max(),
        "longest_s": pl.lit(None, pl.Float64()),
    }
    return rows.group_by("profile_id").agg(what=pl.lit(what), times=pl.len(), **usual | columns)


def _find_unchanging(plausible: pl.LazyFrame, definitions: Definitions) -> pl.LazyFrame:
    silence = pl.col("occurred_at") - pl.col("before_at") > timedelta(microseconds=definitions.max_hold_us)
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
    longest_bpm = pl.col("bpm").get(pl.col("length_s").arg_max())
    return _count_faults(
        runs,
        "unchanging",
        first_at=pl.col("first_at").min(),
        last_at=pl.col("last_at").max(),
        low_bpm=longest_bpm,
        high_bpm=longest_bpm,
        longest_s=pl.col("length_s").max(),
    )


def _find_jumps(plausible: pl.LazyFrame) -> pl.LazyFrame:
    near = pl.col("occurred_at") - pl.col("before_at") <= timedelta(seconds=JUMP_S)
    far = (pl.col("bpm") - pl.col("before_bpm")).abs() > JUMP_BPM
    return _count_faults(
        plausible.filter(near & far),
        "jumps",
        first_at=pl.col("before_at").min(),
        low_bpm=pl.min_horizontal(pl.col("bpm").min(), pl.col("before_bpm").min()),
        high_bpm=pl.max_horizontal(pl.col("bpm").max(), pl.col("before_bpm").max()),
    )


def quality_notes(view: SessionView) -> list[Note]:
    """Describe faults of sensors, low coverage and duplicates in a session, in this order.

    Without the session's readings, only what the summary counts is found: implausible readings, duplicates, coverage.
    """
    limits = f"outside {view.definitions.min_bpm} to {view.definitions.max_bpm} bpm"
    if view.readings.is_empty():
        counts = view.summary.filter(pl.col("implausible") > 0).select("profile_id", "implausible")
        faults = [
            make_note(view, id_, "quality", f"{format_count(count, 'reading')} {limits}")
            for id_, count in counts.iter_rows()
        ]
    else:
        found = find_faults(view.readings, view.definitions).rows_by_key("profile_id", named=True)
        sent = dict(view.summary.select("profile_id", pl.col("readings") + pl.col("implausible")).iter_rows())
        faults = [
            make_note(view, id_, "quality", _describe_fault(view, fault, limits, sent[id_]))
            for id_ in view.names
            for fault in found.get(id_, [])
        ]
    low = view.summary.filter(pl.col("coverage") < LOW_COVERAGE).select("profile_id", "coverage")
    coverage = [
        make_note(view, id_, "coverage", f"readings cover {format_share(share)} of the time from first to last")
        for id_, share in low.iter_rows()
    ]
    least = format_share(LOW_COVERAGE)
    notes = [
        *merge_many(faults, f"{format_count(len(faults), 'remark')} on sensors"),
        *merge_many(coverage, f"readings of {len(coverage)} members cover less than {least} of their time"),
    ]
    if doubled := int(view.summary["duplicates"].sum()):
        text = f"{format_count(doubled, 'reading')} came twice, and {'was' if doubled == 1 else 'were'} counted once"
        notes.append(make_note(view, None, "quality", text))
    return notes


def _describe_fault(view: SessionView, fault: dict[str, Any], limits: str, sent: int) -> str:
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
            return f"{format_count(times, 'reading')} {limits} ({values}; {of_all}), {when}"
        case "unchanging":
            often = "" if times == 1 else f"{times} times, the longest "
            return f"one unchanging value {often}for {format_duration(fault['longest_s'])} ({values} bpm), {when}"
        case _:
            apart = f"more than {JUMP_BPM} bpm within {JUMP_S:g} s"
            return f"{format_count(times, 'jump')} of {apart} (between {low} and {high}), {when}"
