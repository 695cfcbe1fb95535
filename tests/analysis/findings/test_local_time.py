"""Whatever time is printed selects the same instant when it is typed."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st
from report_samples import READINGS, report_of

from pulsoid_rec.analysis.charts.history import calendar, session_labels
from pulsoid_rec.analysis.charts.timeline import timeline_drawing
from pulsoid_rec.analysis.findings.local_time import find_change, fixed_zone, format_clock, format_instant, to_local
from pulsoid_rec.analysis.findings.session_view import session_views
from pulsoid_rec.analysis.metrics.filters import Filter, parse_instant

BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
NEW_YORK = "EST5EDT,M3.2.0,M11.1.0"
LORD_HOWE = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"
FIRST_HALF_PAST_TWO = datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
SECOND_HALF_PAST_TWO = datetime(2024, 10, 27, 1, 30, tzinfo=UTC)


@pytest.fixture(scope="module", params=[BERLIN, NEW_YORK, LORD_HOWE, "UTC0"])
def _zone(request: pytest.FixtureRequest) -> Iterator[None]:
    yield from in_zone(request.param)


@pytest.fixture
def _berlin() -> Iterator[None]:
    yield from in_zone(BERLIN)


def in_zone(zone: str) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("the system's time zone cannot be set on Windows")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        yield
    time.tzset()


def typed(text: str) -> datetime:
    return parse_instant(text, "--since", datetime(2026, 7, 1, tzinfo=UTC))


ANY_INSTANT = st.datetimes(timezones=st.just(UTC))
NEAR_A_CHANGE = st.builds(
    lambda change, minutes: change + timedelta(minutes=minutes),
    st.sampled_from([datetime(2024, month, day, tzinfo=UTC) for month, day in ((10, 27), (11, 3), (3, 31), (4, 6))]),
    st.integers(-1000, 1000),
)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
EDGES = st.sampled_from([FIRST, LAST])
INSTANTS = st.one_of(ANY_INSTANT, NEAR_A_CHANGE, EDGES)


@given(INSTANTS)
@pytest.mark.usefixtures("_zone")
def test_an_instant_is_selected_by_what_is_printed_of_it(at: datetime) -> None:
    second = at.replace(microsecond=0)
    assert typed(format_instant(at, None)) == second
    assert typed(f"{to_local(at, None).replace(tzinfo=None).isoformat(' ')} {fixed_zone(at, None)}") == at
    assert typed(str(Filter(since=at)).removeprefix("since ")) == second


@given(st.one_of(NEAR_A_CHANGE, EDGES), st.timedeltas(timedelta(hours=-30), timedelta(hours=30)))
@pytest.mark.usefixtures("_zone")
def test_a_time_of_day_with_the_date_of_its_session_is_the_same_instant(start: datetime, later: timedelta) -> None:
    try:
        at = start + later
    except OverflowError:
        at = start
    text = format_clock(at, None, start)
    date = "" if " " in text else f"{to_local(start, None).date()} "
    assert typed(date + text) == at.replace(microsecond=0)


@pytest.mark.usefixtures("_berlin")
def test_the_hour_that_comes_twice_has_its_offset() -> None:
    assert format_instant(FIRST_HALF_PAST_TWO, None) == "2024-10-27 02:30:00+02:00"
    assert format_instant(SECOND_HALF_PAST_TWO, None) == "2024-10-27 02:30:00+01:00"
    assert format_instant(SECOND_HALF_PAST_TWO + timedelta(hours=1), None) == "2024-10-27 03:30:00"


@pytest.mark.usefixtures("_berlin")
def test_in_a_session_over_a_clock_change_the_time_is_the_clocks_with_its_offset() -> None:
    start = datetime(2024, 10, 26, 22, tzinfo=UTC)
    clock = [format_clock(start + timedelta(hours=hours), None, start) for hours in (1.5, 2.5, 3.5, 4, 23)]
    assert clock == ["01:30:00", "02:30:00+02:00", "02:30:00+01:00", "03:00:00+01:00", "22:00:00+01:00"]
    assert format_clock(start + timedelta(hours=26), None, start) == "2024-10-28 01:00:00+01:00"


@pytest.mark.usefixtures("_berlin")
def test_a_change_of_the_clocks_is_found_to_the_second() -> None:
    start = datetime(2024, 10, 26, 22, 0, 0, 400_000, tzinfo=UTC)
    autumn, spring = datetime(2024, 10, 27, 1, tzinfo=UTC), datetime(2025, 3, 30, 1, tzinfo=UTC)
    assert find_change(start, start + timedelta(hours=6), None) == autumn
    assert find_change(start, start + timedelta(days=300), None) == autumn
    assert find_change(spring - timedelta(days=9), spring + timedelta(minutes=1), None) == spring
    assert find_change(start, start + timedelta(hours=2), None) is None
    assert find_change(LAST, LAST, None) is None


@pytest.mark.slow
@pytest.mark.usefixtures("_berlin")
def test_the_axis_of_a_session_shows_what_clocks_showed() -> None:
    start = datetime(2024, 10, 26, 22, tzinfo=UTC)
    rows = [("room", 1, "a", "a", at, at, 80, True) for at in (start, start + timedelta(hours=6))]
    [view] = session_views(report_of(pl.DataFrame(rows, READINGS, orient="row")))
    svg = vl_convert.vegalite_to_svg(timeline_drawing(view, view).chart(width=760).to_dict())
    labels = re.findall(r">(\d\d:\d\d|[+-]\d\d:\d\d)<", svg)
    assert labels == ["01:00", "02:00", "02:00", "+01:00", "03:00", "+01:00", "04:00", "+01:00", "05:00", "+01:00"]


@pytest.mark.parametrize("year", [1, 9999])
@pytest.mark.parametrize("hours", [-14, 0, 14])
def test_the_first_and_the_last_year_are_printed_in_every_zone(year: int, hours: int) -> None:
    at = FIRST if year == 1 else LAST
    zone = timezone(timedelta(hours=hours))
    assert format_instant(at, zone).startswith(f"{year:04}-")
    assert format_clock(at, zone, at)
    assert len(session_labels(sessions((1, "r", at)), zone)) == 1
    calendar(pl.DataFrame([("r", 1, at, at, 1, 1)], schema=[*CALENDAR], orient="row"), zone)


CALENDAR = ("room_id", "session", "started_at", "ended_at", "members", "readings")


def sessions(*rows: tuple[int, str, datetime]) -> pl.DataFrame:
    schema = {"session": pl.Int64(), "room_id": pl.String(), "first_at": pl.Datetime("us", "UTC")}
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.mark.usefixtures("_berlin")
def test_sessions_have_labels_of_their_own() -> None:
    year_before = datetime(2023, 10, 27, 0, 30, tzinfo=UTC)
    hours = sessions((1, "r", FIRST_HALF_PAST_TWO), (2, "r", SECOND_HALF_PAST_TWO))
    assert session_labels(hours, None) == ["27 Oct\n02:30\n+02:00", "27 Oct\n02:30\n+01:00"]
    years = sessions((1, "r", year_before), (2, "r", SECOND_HALF_PAST_TWO))
    assert session_labels(years, None) == ["27 Oct\n2023\n02:30", "27 Oct\n2024\n02:30\n+01:00"]
    rooms = sessions((1, "gym", year_before), (1, "track", year_before))
    assert session_labels(rooms, None) == ["27 Oct\n02:30\ngym", "27 Oct\n02:30\ntrack"]
    minute = sessions((1, "r", year_before), (2, "r", year_before + timedelta(seconds=20)))
    assert session_labels(minute, None) == ["27 Oct\n02:30\nsession 1", "27 Oct\n02:30\nsession 2"]
