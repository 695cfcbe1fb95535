"""Instants in every form of ISO 8601 that a JSON writer may use; oracles are `datetime.fromisoformat` and msgspec."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsoid_rec.recorder.pulsoid.timestamps import parse_timestamp

AT = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
zones = st.builds(
    lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-23 * 60 - 59, 23 * 60 + 59)
) | st.just(UTC)
instants = st.builds(
    lambda at, zone: at.replace(tzinfo=zone),
    st.datetimes(AT.replace(year=1, tzinfo=None), AT.replace(year=9999, tzinfo=None)),
    zones | st.none(),
)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T18:00Z",
        "2026-03-02T18:00:00Z",
        "2026-03-02t18:00:00z",
        "2026-03-02 18:00:00Z",
        "2026-03-02T18:00:00,000Z",
        "2026-03-02T18:00:00.000000000000Z",
        "2026-03-02T19:00+01",
        "2026-03-02T19:30:00+0130",
        "2026-03-02T12:30:00-05:30",
        "20260302T180000Z",
        "20260302T1800Z",
        "20260302T180000.000+00",
        "2026-03-02T17:59:60Z",
        "2026-03-02T24:00:00+06:00",
        "20260302T2400+0600",
    ],
)
def test_each_form_of_an_instant_is_taken(text: str) -> None:
    assert parse_timestamp(text) == AT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-03-02",
        "2026-03-02T18",
        "2026-03-02T18:0Z",
        "2026-03-0218:00Z",
        "2026-0302T18:00Z",
        "2026-03-02T18:0000Z",
        "2026-03-02T18:00.5Z",
        "2026-03-02T18:00:00.Z",
        "2026-03-02T18:00:61Z",
        "2026-03-02T18:60:00Z",
        "2026-03-02T24:00:01Z",
        "2026-03-02T24:01Z",
        "2026-03-02T25:00Z",
        "2026-02-29T18:00Z",
        "2026-13-02T18:00Z",
        "0000-03-02T18:00Z",
        "2026-03-02T18:00+24:00",
        "2026-03-02T18:00+01:60",
        "2026-03-02T18:00ZZ",
        " 2026-03-02T18:00Z",
        "2026-03-02T18:00Z\n",
        "\uff12026-03-02T18:00Z",
        "2026-W10-1T18:00Z",
    ],
)
def test_what_is_no_instant_is_none(text: str) -> None:
    assert parse_timestamp(text) is None


def test_second_60_is_the_first_of_the_next_minute() -> None:
    assert parse_timestamp("2016-12-31T23:59:60Z") == datetime(2017, 1, 1, tzinfo=UTC)
    assert parse_timestamp("2017-01-01T00:59:60.25+01:00") == datetime(2017, 1, 1, microsecond=250_000, tzinfo=UTC)


def test_an_instant_without_an_offset_is_naive() -> None:
    assert parse_timestamp("2026-03-02T18:00") == AT.replace(tzinfo=None)


def test_after_the_year_9999_there_is_none() -> None:
    with pytest.raises(OverflowError):
        parse_timestamp("9999-12-31T24:00Z")


@given(instants, st.sampled_from(["auto", "hours", "minutes", "seconds", "milliseconds", "microseconds"]))
def test_what_python_writes_is_read_as_python_does(at: datetime, timespec: str) -> None:
    text = at.isoformat(timespec=timespec)
    if timespec == "hours":
        text = text.replace(f"T{at.hour:02}", f"T{at.hour:02}:00")
    found = parse_timestamp(text)
    assert found == datetime.fromisoformat(text)
    assert found is not None
    assert found.tzinfo == at.tzinfo
    basic = text[:19].replace("-", "").replace(":", "") + text[19:].replace(".", ",")
    if timespec not in ("hours", "minutes"):
        assert parse_timestamp(basic) == found


@given(instants, st.from_regex(r"\A[0-9]{1,12}\Z"))
def test_what_msgspec_reads_is_read_alike(at: datetime, fraction: str) -> None:
    text = at.replace(microsecond=0).isoformat()
    text = f"{text[:19]}.{fraction}{text[19:]}"
    assert parse_timestamp(text) == msgspec.convert(text, datetime)


@given(st.text(alphabet="0123456789-:.,+TZtz ", max_size=32) | st.text())
def test_nothing_else_is_raised(text: str) -> None:
    try:
        parse_timestamp(text)
    except OverflowError:
        assert text.startswith("9999")
