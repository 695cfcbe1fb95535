"""Several sessions: when they were, and one member's heart rate in each."""

from datetime import datetime, timedelta, tzinfo
from typing import Any

import altair as alt
import polars as pl

from pulsoid_rec.analysis.charts.drawing import Drawing, Source
from pulsoid_rec.analysis.charts.season import season_calendar
from pulsoid_rec.analysis.charts.style import encode, light
from pulsoid_rec.analysis.findings.local_time import format_clock, format_instant, to_local
from pulsoid_rec.analysis.findings.season import MOST_SESSIONS
from pulsoid_rec.analysis.findings.wording import DASH, format_share
from pulsoid_rec.recorder.contract.wording import format_duration


def calendar(sessions: pl.DataFrame, zone: tzinfo | None = None) -> Drawing:
    """Prepare sessions as bars on a clock, a row for each day that has one; the days of many sessions as cells.

    `zone` is the clock's, None for this computer's.
    """
    if sessions.height > MOST_SESSIONS:
        return season_calendar(sessions, zone)
    rows = [piece for row in sessions.iter_rows(named=True) for piece in _days(row, zone)]
    days = sorted({row["day"] for row in rows})
    return Drawing(
        make=_make_calendar,
        shape=tuple(days),
        description="Sessions by day",
        datasets={"sessions": encode(rows)},
        height=22 * max(1, len(days)),
    )


def _make_calendar(source: Source, *days: str) -> alt.LayerChart:
    axis = alt.Axis(labelExpr="utcFormat(toDate(datum.value + 'T00:00Z'), '%a %d %b %Y')", labelColor=light("ink"))
    hours = alt.Axis(values=list(range(0, 25, 3)), labelExpr="datum.value + ':00'", labelFlush=True)
    tooltips = [alt.Tooltip(f"{key}:N") for key in ("room", "session", "time", "length", "members", "readings")]
    bars = (
        alt.Chart(source.data("sessions"))
        .mark_bar(height=13, cornerRadius=2, fill=light("accent"), opacity=0.75, aria=False)
        .encode(
            y=alt.Y("day:N", sort=days, scale=alt.Scale(domain=[*days]), axis=axis),
            x=alt.X("from:Q", scale=alt.Scale(domain=[0, 24], nice=False), axis=hours),
            x2=alt.X2("to:Q"),
            tooltip=tooltips,
        )
    )
    return alt.LayerChart(layer=[bars])


def _days(session: dict[str, Any], zone: tzinfo | None) -> list[dict[str, Any]]:
    """Divide a session at midnights, since each day has a row, by the times that clocks showed."""
    started_at, ended_at = session["started_at"], session["ended_at"]
    begin, end = (to_local(at, zone).replace(tzinfo=None) for at in (started_at, ended_at))
    values = {
        "room": session["room_id"],
        "session": session["session"],
        "time": f"{format_clock(started_at, zone, started_at)} to {format_clock(ended_at, zone, started_at)}",
        "length": format_duration((ended_at - started_at).total_seconds()),
        "members": session["members"],
        "readings": f"{session['readings']:,}",
    }
    pieces = []
    for day in range(begin.toordinal(), max(begin, end).toordinal() + 1):
        midnight = datetime.fromordinal(day)
        from_h = max(0.0, (begin - midnight) / timedelta(hours=1))
        # A session of a few seconds must be visible, too.
        to_h = max(from_h + 0.05, min(24.0, (end - midnight) / timedelta(hours=1)))
        place = {"day": midnight.date().isoformat(), "from": round(from_h, 3), "to": round(to_h, 3)}
        pieces.append(values | place)
    return pieces


def member_history(summary: pl.DataFrame, profile_id: str, zone: tzinfo | None = None) -> Drawing:
    """Prepare one member's heart rate in each session, side by side: the mean, and the range of 90 % of the time.

    Sessions of the summary without a reading of the member are left out.
    """
    mine = summary.filter((pl.col("profile_id") == profile_id) & pl.col("bpm_mean").is_not_null()).sort("first_at")
    labels = session_labels(mine, zone)
    rows = [
        _session_row(row, zone) | {"label": label}
        for row, label in zip(mine.iter_rows(named=True), labels, strict=True)
    ]
    return Drawing(
        make=_make_history,
        shape=tuple(labels),
        description="Heart rate by session",
        datasets={"sessions": encode(rows)},
        height=140,
    )


def _make_history(source: Source, *labels: str) -> alt.LayerChart:
    axis = alt.Axis(labelAngle=0, labelOverlap=True, labelExpr="split(datum.value, '\\n')")
    x = alt.X("label:N", sort=labels, scale=alt.Scale(domain=[*labels]), axis=axis)
    y = alt.Y("low:Q", scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(title="bpm", titleAngle=0, titleY=-8))
    tooltips = [
        alt.Tooltip(f"{key}:N")
        for key in ("room", "session", "date", "mean", "middle 90 %", "peak", "observed", "coverage")
    ]
    base = alt.Chart(source.data("sessions"))
    ranges = base.mark_rule(strokeWidth=6, strokeCap="round", stroke=light("quiet"), opacity=0.6, aria=False)
    ranges = ranges.encode(x=x, y=y, y2=alt.Y2("high:Q"), tooltip=tooltips)
    means = base.mark_point(filled=True, size=60, opacity=1, fill=light("accent"), aria=False)
    means = means.encode(x=x, y=alt.Y("bpm_mean:Q"), tooltip=tooltips)
    return alt.LayerChart(layer=[ranges, means])


def session_labels(sessions: pl.DataFrame, zone: tzinfo | None) -> list[str]:
    """Label sessions by when they began, no two alike: with the year, the room or the number where they differ.

    `sessions` have `room_id`, `session`, `first_at`; labels are in their order, of several lines.
    """
    instants, rooms, numbers = (sessions[name].to_list() for name in ("first_at", "room_id", "session"))
    days = [to_local(at, zone) for at in instants]
    clocks = [format_instant(at, zone, "minutes").partition(" ")[2] for at in instants]
    lines = [[f"{day.day} {day:%b}" for day in days], [clock[:5] for clock in clocks], [clock[5:] for clock in clocks]]
    if len({day.year for day in days}) > 1:
        lines.insert(1, [f"{day.year:04}" for day in days])
    if len(set(rooms)) > 1:
        lines.append(rooms)
    if len(set(zip(*lines, strict=True))) < len(instants):  # several began within a minute
        lines.append([f"session {number}" for number in numbers])
    return ["\n".join(filter(None, label)) for label in zip(*lines, strict=True)]


def _session_row(row: dict[str, Any], zone: tzinfo | None) -> dict[str, Any]:
    first_at: datetime = row["first_at"]
    local = to_local(first_at, zone)
    known = row["bpm_p05"] is not None
    return {
        "room": row["room_id"],
        "session": row["session"],
        "date": f"{local:%a} {format_instant(first_at, zone)}",
        "low": row["bpm_p05"],
        "high": row["bpm_p95"],
        "bpm_mean": round(row["bpm_mean"], 1),
        "mean": f"{row['bpm_mean']:.0f} bpm",
        "middle 90 %": f"{row['bpm_p05']} to {row['bpm_p95']}" if known else DASH,
        "peak": DASH if row["bpm_peak"] is None else str(row["bpm_peak"]),
        "observed": format_duration(row["observed_s"]),
        "coverage": format_share(row["coverage"]),
    }
