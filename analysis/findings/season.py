"""Many sessions as a season: figures of each session, of each member over all of them, and of each member by week."""

from datetime import date, timedelta, tzinfo

import polars as pl

from pulsoid_rec.analysis.findings.local_time import to_local
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.metrics.members import labels
from pulsoid_rec.analysis.metrics.summary import bpm_statistics

MOST_SESSIONS = 60  # more sessions than these are reported as a season: nobody reads the tables and charts of each

REMARK = (
    f"Of more than {MOST_SESSIONS} sessions none is shown alone, and faults of sensors, silences and late "
    "members are looked for in none. To see one: report --room ROOM --session N; those of some weeks: report --since "
    "TIME --until TIME. Left out of all figures, and counted: readings that came twice, are not "
    "plausible, or are of a clock that is wrong."
)

_MOST_PERIODS = 120
_PERIODS = {"day": 1, "week": 7, "month": 31, "year": 366}  # the most days in each


def is_season(report: ReportData) -> bool:
    """Return whether a report has too many sessions to show each of them."""
    return report.sessions.height > MOST_SESSIONS


def season_sessions(report: ReportData) -> pl.DataFrame:
    """Summarize each session over its members.

    Returns `room_id`, `session`, `started_at`, `ended_at`, `duration_s`, `members`, and of the readings in the report
    `observed_s`, `coverage`, `readings`, `left_out`, `bpm_mean` (over the members' time) and `bpm_peak` (the highest of
    theirs); `rejected` (messages not stored, or null); in the order of `report.sessions`.
    """
    mean = (pl.col("bpm_mean") * pl.col("observed_s")).sum() / pl.col("observed_s").sum()
    by = ["room_id", "session"]
    figures = _add_up(report.summary, by, bpm_mean=mean.fill_nan(None), bpm_peak=pl.col("bpm_peak").max())
    duration_s = (pl.col("ended_at") - pl.col("started_at")).dt.total_microseconds() / 1e6
    sessions = report.sessions.select(*by, "started_at", "ended_at", "members", duration_s=duration_s)
    rejected = report.rejected.select(*by, rejected=pl.sum_horizontal("messages", "withheld"))
    sessions = sessions.join(figures, on=by, how="left", maintain_order="left")
    return sessions.join(rejected, on=by, how="left", maintain_order="left")


def season_members(report: ReportData) -> pl.DataFrame:
    """Summarize each member over all sessions; what adds up is added up, the others are of the time taken together.

    Returns `room_id`, `profile_id`, `name` (a label, unique in the room), `sessions` (those with a plausible reading),
    `left_out`, and columns of the summary with the same meaning; ordered by room and name. Those that are neither sums
    nor of the time at each bpm are left out.
    """
    by = ["room_id", "profile_id"]
    summary = report.summary.join(report.sessions.select("room_id", "session", "started_at"), on=["room_id", "session"])
    names = [
        (room_id, profile_id, label)
        for (room_id,), members in summary.sort("started_at").partition_by("room_id", as_dict=True).items()
        for profile_id, label in labels(members.unique("profile_id", keep="last", maintain_order=True)).items()
    ]
    figures = _add_up(
        summary.sort("started_at"),
        by,
        sessions=(pl.col("readings") > 0).sum(),
        longest_gap_s=pl.col("longest_gap_s").max(),
        hr_max=pl.col("hr_max").last(),
        hr_max_source=pl.col("hr_max_source").last(),
        hrr60=pl.col("hrr60").max(),
        **{name: _sum_of_known(name) for name in summary.columns if name.startswith(("zone", "trimp_"))},
    )
    people = pl.DataFrame(names, {"room_id": pl.String(), "profile_id": pl.String(), "name": pl.String()}, orient="row")
    figures = people.join(figures, on=by).join(_statistics(report.time_at_bpm, by), on=by, how="left")
    return figures.sort("room_id", "name", "profile_id")


def season_periods(report: ReportData, zone: tzinfo | None) -> tuple[str, pl.DataFrame]:
    """Summarize each member's time in each day, week, month or year, the shortest of which there are not too many.

    Returns the unit, and `room_id`, `profile_id`, `period` (its first day; of a week Monday), `sessions`, `observed_s`,
    `coverage`, `bpm_mean`, `bpm_p05`, `bpm_p95` and the other statistics of bpm; only those with observed time, in the
    order of time. `report` has sessions; `zone` is the reader's, None for this computer's.
    """
    days = [to_local(at, zone).date() for at in report.sessions["started_at"]]
    length = (max(days) - min(days)).days
    unit = next((unit for unit, most in _PERIODS.items() if length <= most * _MOST_PERIODS), "year")
    started = [_first_day(day, unit) for day in days]
    of = report.sessions.select("room_id", "session", period=pl.Series(started, dtype=pl.Date))
    by = ["room_id", "profile_id", "period"]
    times, summary = (frame.join(of, on=["room_id", "session"]) for frame in (report.time_at_bpm, report.summary))
    figures = _add_up(summary, by, sessions=(pl.col("readings") > 0).sum())
    return unit, figures.join(_statistics(times, by).drop_nulls("bpm_mean"), on=by).sort("period")


def _first_day(day: date, unit: str) -> date:
    if unit == "week":
        return date.fromordinal(max(1, (day - timedelta(days=day.weekday())).toordinal()))
    return day.replace(day=1 if unit != "day" else day.day, month=1 if unit == "year" else day.month)


def _add_up(summary: pl.DataFrame, by: list[str], **further: pl.Expr) -> pl.DataFrame:
    """Add up what adds up: readings, those left out, observed time, gaps; coverage is of all spans together."""
    counts = [name for name in ("readings", "duplicates", "implausible", "untimely", "gaps") if name in summary.columns]
    left_out = pl.sum_horizontal(pl.col("^(duplicates|implausible|untimely)$"))
    return (
        summary.group_by(by, maintain_order=True)
        .agg(
            pl.col(*counts, "observed_s", "span_s").sum(),
            pl.col("first_at").min(),
            pl.col("last_at").max(),
            **further,
        )
        .with_columns(
            left_out=left_out, coverage=pl.when(pl.col("span_s") > 0).then(pl.col("observed_s") / pl.col("span_s"))
        )
    )


def _sum_of_known(name: str) -> pl.Expr:
    """Add up a figure, null where that of any session with a reading is unknown: a sum is never partial."""
    known = pl.col(name).filter(pl.col("readings") > 0)
    return pl.when(known.null_count() == 0, known.len() > 0).then(known.sum())


def _statistics(time_at_bpm: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    held_us = (pl.col("held_s").sum() * 1e6).round().cast(pl.Int64)
    return bpm_statistics(time_at_bpm.group_by(*by, "bpm").agg(held_us=held_us).sort("bpm"), by)
