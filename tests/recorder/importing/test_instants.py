"""Times of files: with a zone or without, numbers since 1970, and times since a start."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.importing.instants import Instants, NoZoneError, parse_zone

BERLIN = ZoneInfo("Europe/Berlin")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def us(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


def parse(text: str, zone: str | None = None, start: str | None = None, format_: str | None = None) -> datetime:
    at = Instants(None if zone is None else parse_zone(zone), start, format_).parse(text)
    return EPOCH + timedelta(microseconds=at)


def why_not(text: str, zone: str | None = None, **options: str) -> str:
    with pytest.raises(ValueError, match="its time") as caught:
        parse(text, zone, **options)
    return str(caught.value)


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=offsets))  # noqa: DTZ001 - has a zone
def test_every_instant_is_parsed_to_the_microsecond_in_every_form(instant: datetime) -> None:
    for text in (instant.isoformat(), instant.isoformat(" "), instant.astimezone(UTC).isoformat() + "Z"):
        assert Instants(None, None, None).parse(text.replace("+00:00Z", "Z")) == us(instant)
    assert parse(instant.isoformat(), "Europe/Berlin") == instant, "its own zone counts"


@given(st.datetimes(datetime(1990, 1, 1), datetime(2035, 1, 1)))  # noqa: DTZ001 - it is the zone that is looked for
def test_a_time_without_a_zone_is_that_of_the_zone_or_rejected_where_clocks_change(naive: datetime) -> None:
    there = [at for fold in (0, 1) if (at := naive.replace(tzinfo=BERLIN, fold=fold).astimezone(UTC))]
    really = {at for at in there if at.astimezone(BERLIN).replace(tzinfo=None) == naive}
    if len(really) == 1:
        assert {parse(naive.isoformat(), "Europe/Berlin")} == really
    else:
        reason = "comes twice" if really else "does not exist"
        assert reason in why_not(naive.isoformat(), "Europe/Berlin")


def test_the_hour_that_comes_twice_or_never_is_rejected() -> None:
    assert "2024-10-27 02:30:00 comes twice in Europe/Berlin" in why_not("2024-10-27 02:30:00", "Europe/Berlin")
    assert "2024-03-31 02:30:00 does not exist in Europe/Berlin" in why_not("2024-03-31T02:30", "Europe/Berlin")
    assert parse("2024-10-27 02:30:00", "+02:00") == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "hour", "minute", "second"),
    [
        ("2024-01-15T09:05:01", 9, 5, 1),
        ("2024-01-15 9:05:01", 9, 5, 1),
        ("15.01.2024 9:05", 9, 5, 0),
        ("15.1.2024, 09:05:01,0", 9, 5, 1),
        ("2024/01/15 09:05:01", 9, 5, 1),
        ("20240115T090501", 9, 5, 1),
        ("2024-01-15T09:05:01.0000004", 9, 5, 1),
        ("2024-01-14T24:00:00", 0, 0, 0),
        ("2024-01-15T09:05:01 UTC", 9, 5, 1),
        ("1705309501", 9, 5, 1),
        ("1705309501,0", 9, 5, 1),
        ("1705309501000", 9, 5, 1),
        ("1705309501000000", 9, 5, 1),
        ("1705309501000000000", 9, 5, 1),
        ("1.705309501e9", 9, 5, 1),
    ],
)
def test_usual_forms_are_understood(text: str, hour: int, minute: int, second: int) -> None:
    assert parse(text, "UTC") == datetime(2024, 1, 15, hour, minute, second, tzinfo=UTC)


def test_a_fraction_of_a_number_is_exact() -> None:
    assert us(parse("1705309501.123456")) == 1_705_309_501_123_456
    assert us(parse("1705309501123.4")) == 1_705_309_501_123_400


@pytest.mark.parametrize(
    ("text", "start", "seconds"),
    [("0", "2024-01-15 10:00", 0), ("12,5", "2024-01-15 10:00", 12.5), ("1:02:03", "15.01.2024 10:00", 3723)],
)
def test_times_may_count_from_a_start(text: str, start: str, seconds: float) -> None:
    assert parse(text, "+01:00", start) == datetime(2024, 1, 15, 9, tzinfo=UTC) + timedelta(seconds=seconds)


def test_other_forms_are_named() -> None:
    assert parse("01/31/2024 1:02:03 PM", "UTC", format_="%m/%d/%Y %I:%M:%S %p") == datetime(
        2024, 1, 31, 13, 2, 3, tzinfo=UTC
    )
    assert parse("31/01/2024 13+0100", format_="%d/%m/%Y %H%z") == datetime(2024, 1, 31, 12, tzinfo=UTC)
    assert "is not in the form %d.%m.%Y" in why_not("2024-01-31", "UTC", format_="%d.%m.%Y")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("01/02/2024 10:00:00", "--time-format names its form"),  # of January or of February?
        ("2024-01-15", "not understood"),
        ("2024-02-30T10:00:00", "not understood"),
        ("45321.5", "add --start"),
        ("12", "add --start"),
        ("00:00:12", "has no date; if it is counted from a start, add --start"),
        ("0001-01-01T00:00:00+01:00", "outside the years 1 to 9999"),
        ("9999-12-31T23:59:59-01:00", "outside the years 1 to 9999"),
        ("9999-12-31T24:00:00", "outside the years 1 to 9999"),
        ("9999-12-31T23:59:59.9999999", "outside the years 1 to 9999"),
        ("2024-01-15T24:00:01", "not understood"),
        ("nan", "not understood"),
        ("\udce4", "not understood"),
    ],
)
def test_what_cannot_be_a_time_is_rejected_with_the_reason(text: str, reason: str) -> None:
    assert reason in why_not(text, "UTC")


def test_numbers_of_one_file_have_one_unit() -> None:
    instants = Instants(None, None, None)
    assert instants.parse("1705309501") == 1_705_309_501_000_000
    with pytest.raises(ValueError, match="not in seconds since 1970, as others are"):
        instants.parse("1705309501000")
    assert instants.description == "seconds since 1970"


def test_a_time_without_a_zone_needs_one() -> None:
    with pytest.raises(NoZoneError):
        parse("2024-01-15T09:05:01")
    with pytest.raises(UsageError, match=r"--start .* has no zone. Add --zone"):
        parse("12", start="2024-01-15T09:05:01")
    with pytest.raises(UsageError, match="--start cannot be 'noon'"):
        parse("12", start="noon")


@pytest.mark.parametrize("text", ["Mars/Olympus", "+25:00", "../x", "", "a\0b"])
def test_a_zone_that_is_none_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="Give one such as Europe/Berlin, UTC or "):
        parse_zone(text)


def test_zones_are_names_or_offsets() -> None:
    now = datetime(2024, 1, 1, tzinfo=UTC)
    offsets = [parse_zone(text).utcoffset(now) for text in ("utc", "+5", "-05:30", "UTC+2", "Asia/Tokyo")]
    assert offsets == [timedelta(hours=hours) for hours in (0, 5, -5.5, 2, 9)]
