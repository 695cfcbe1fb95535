"""A season: on which days the sessions were, and one member's heart rate by day, week, month or year."""

from datetime import date, tzinfo

import altair as alt
import polars as pl

from pulsoid_rec.analysis.charts.drawing import Drawing, Source
from pulsoid_rec.analysis.charts.style import encode, light
from pulsoid_rec.analysis.findings.local_time import to_local
from pulsoid_rec.analysis.findings.wording import format_share
from pulsoid_rec.recorder.contract.wording import format_count, format_duration

_CELL = 12  # height of a day, in pixels
_ROWS = 8  # a year's rows: seven days, from Monday, and a space
_WEEKDAYS = ("Mon", "", "", "Thu", "", "", "Sun")  # labels of rows
_MONTHS = "['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']"
_WEEKS = [1, 5, 9, 14, 18, 22, 27, 31, 35, 40, 44, 48]  # weeks, from 0, in which months have their labels
_MOST_YEARS = 10  # in more years days without a session are not drawn
_TITLES = {"day": "%a %e %b %Y", "week": "from %a %e %b %Y", "month": "%b %Y", "year": "%Y"}
_AXIS = {"year": "%Y", "quarter": "%b", "month": "%b", "week": "%e %b", "date": "%e %b", "day": "%e %b"}


def days_of(sessions: pl.DataFrame, zone: tzinfo | None = None) -> pl.DataFrame:
    """Add up sessions by the local day on which they began: `day`, `sessions`, `recorded_s`, in the order of time."""
    days = [to_local(at, zone).date() for at in sessions["started_at"]]
    length_s = (pl.col("ended_at") - pl.col("started_at")).dt.total_microseconds() / 1e6
    by_day = sessions.select(day=pl.Series(days, dtype=pl.Date), length_s=length_s).group_by("day")
    return by_day.agg(sessions=pl.len(), recorded_s=pl.col("length_s").sum()).sort("day")


def season_calendar(sessions: pl.DataFrame, zone: tzinfo | None = None) -> Drawing:
    """Prepare the days of some years as cells, a column a week: the more was recorded on a day, the fuller its colour.

    A session is on the day on which it began.
    """
    days = days_of(sessions, zone)
    years = sorted({day.year for day in days["day"]}, reverse=True)
    rows = [
        _place(day, years)
        | {
            "date": f"{day:%a} {day.day} {day:%b %Y}",
            "hours": recorded_s / 3600,
            "sessions": count,
            "recorded": format_duration(recorded_s),
        }
        for day, count, recorded_s in days.iter_rows()
    ]
    return Drawing(
        make=_make_calendar,
        shape=tuple(years),
        description="Days with sessions",
        datasets={"days": encode(_empty_days(years)), "recorded": encode(rows)},
        height=_CELL * _ROWS * len(years),
    )


def _make_calendar(source: Source, *years: int) -> alt.LayerChart:
    marked = [
        (_ROWS * place + day, f"{year} {name}" if day == 0 else name)
        for place, year in enumerate(years)
        for day, name in enumerate(_WEEKDAYS)
        if name
    ]
    places = [row for row, _ in marked]
    labels = f"({encode([label for _, label in marked])})[indexof({places}, datum.value)]"
    every = list(range(_ROWS * len(years)))
    y_axis = alt.Axis(values=places, labelExpr=labels, grid=False, labelOverlap=False)
    x_axis = alt.Axis(
        values=_WEEKS,
        labelExpr=f"{_MONTHS}[indexof({_WEEKS}, datum.value)]",
        labelAngle=0,
        labelOverlap=True,
        grid=False,
    )
    x = alt.X("week:O", scale=alt.Scale(domain=list(range(54)), paddingInner=0.15), axis=x_axis)
    y = alt.Y("row:O", scale=alt.Scale(domain=every, paddingInner=0.15), axis=y_axis)
    empty = alt.Chart(source.data("days")).mark_rect(fill=light("rule"), opacity=0.6, aria=False).encode(x=x, y=y)
    tooltips = [alt.Tooltip(f"{key}:N") for key in ("date", "sessions", "recorded")]
    opacity = alt.FillOpacity("hours:Q", scale=alt.Scale(range=[0.3, 1], domainMin=0), legend=None)
    cells = alt.Chart(source.data("recorded")).mark_rect(fill=light("accent"), aria=False)
    cells = cells.encode(x=x, y=y, fillOpacity=opacity, tooltip=tooltips)
    return alt.LayerChart(layer=[empty, cells])


def _place(day: date, years: list[int]) -> dict[str, int]:
    first = day.replace(month=1, day=1).weekday()
    week = (day.timetuple().tm_yday - 1 + first) // 7
    return {"week": week, "row": years.index(day.year) * _ROWS + day.weekday()}


def _empty_days(years: list[int]) -> list[dict[str, int]]:
    """List all days of the years, unless they are too many."""
    if len(years) > _MOST_YEARS:
        return []
    days = (
        date.fromordinal(day)
        for year in years
        for day in range(date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal() + 1)
    )
    return [_place(day, years) for day in days]


def period_drawing(periods: pl.DataFrame, unit: str, ends: tuple[date, date]) -> Drawing:
    """Prepare the chart of one member's heart rate by period: the mean, and the range of nine tenths of the time.

    `periods` are the member's rows of `season.season_periods`, `unit` as it returned it, and `ends` the first and last
    period of all members, so that their charts compare.
    """
    rows = [
        {
            "at": f"{row['period']}T00:00Z",
            "low": row["bpm_p05"],
            "high": row["bpm_p95"],
            "bpm_mean": round(row["bpm_mean"], 1),
            "middle 90 %": f"{row['bpm_p05']} to {row['bpm_p95']}",
            "observed": f"{format_duration(row['observed_s'])} in {format_count(row['sessions'], 'session')}",
            "coverage": format_share(row["coverage"]),
        }
        for row in periods.iter_rows(named=True)
    ]
    return Drawing(
        make=_make_periods,
        shape=(unit,),
        description=f"Heart rate by {unit}",
        datasets={"periods": encode(rows)},
        values={"first": f"{ends[0]}T00:00Z", "last": f"{ends[1]}T00:00Z"},
    )


def _make_periods(source: Source, unit: str) -> alt.LayerChart:
    first, last = (f"toDate({source.value(name)})" for name in ("first", "last"))
    step_ms = 86_400_000 * {"day": 1, "week": 7, "month": 30.5, "year": 365}[unit]
    room = f"width * {step_ms} / ({last} - {first} + 2 * {step_ms})"  # pixels of a period
    scale = alt.Scale(
        type="utc",
        nice=False,
        domainMin=alt.ExprRef(f"{first} - {step_ms}"),  # so that no dot lies on the edge
        domainMax=alt.ExprRef(f"+{last} + {step_ms}"),
    )
    axis = alt.Axis(format=_AXIS, tickCount=alt.ExprRef("max(2, width / 70)"), labelOverlap=True, grid=False)
    x = alt.X("at:T", scale=scale, axis=axis)
    y = alt.Y(
        "low:Q",
        scale=alt.Scale(zero=False, nice=True),
        axis=alt.Axis(title="bpm", titleAngle=0, titleY=-8, tickCount=4),
    )
    tooltips = [
        alt.Tooltip("when:N", title=unit),
        alt.Tooltip("bpm_mean:Q", title="mean", format=".0f"),
        *(alt.Tooltip(f"{key}:N") for key in ("middle 90 %", "observed", "coverage")),
    ]
    base = alt.Chart(source.data("periods")).transform_calculate(when=f"utcFormat(toDate(datum.at), '{_TITLES[unit]}')")
    ranges = base.mark_rule(
        strokeWidth=alt.ExprRef(f"clamp(0.7 * {room}, 1, 6)"), stroke=light("quiet"), opacity=0.6, aria=False
    )
    means = base.mark_point(
        filled=True, size=alt.ExprRef(f"clamp({room} * {room}, 9, 60)"), opacity=1, fill=light("accent"), aria=False
    )
    layers = [
        ranges.encode(x=x, y=y, y2=alt.Y2("high:Q"), tooltip=tooltips),
        means.encode(x=x, y=alt.Y("bpm_mean:Q"), tooltip=tooltips),
    ]
    return alt.LayerChart(layer=layers).properties(height=120)
