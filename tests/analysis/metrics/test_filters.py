"""Times and sessions as they are typed."""

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from readings import at

from pulsoid_rec.analysis.metrics.filters import (
    Filter,
    parse_instant,
    parse_session,
    select_sessions,
    to_microseconds,
)
from pulsoid_rec.recorder.contract.errors import UsageError

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("the system's time zone cannot be set on Windows")
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T20:15", datetime(2026, 1, 31, 19, 15, tzinfo=UTC)),
        ("2026-07-31 20:15:01.5", datetime(2026, 7, 31, 18, 15, 1, 500_000, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 30, 23, 0, tzinfo=UTC)),
        ("2026-01-31T20:15Z", datetime(2026, 1, 31, 20, 15, tzinfo=UTC)),
        (" 2026-01-31T20:15:00-05:00 ", datetime(2026, 2, 1, 1, 15, tzinfo=UTC)),
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("1.5 H", NOW - timedelta(hours=1.5)),
        ("3d", NOW - timedelta(days=3)),
        ("2w", NOW - timedelta(weeks=2)),
        ("45s", NOW - timedelta(seconds=45)),
    ],
)
@pytest.mark.usefixtures("in_berlin")
def test_time_is_local_unless_it_has_an_offset_or_is_ago(text: str, expected: datetime) -> None:
    parsed = parse_instant(text, "--since", NOW)
    assert parsed == expected
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["", "yesterday", "20:15", "2026-13-01", "2h30m", "-2h", "9999999999d", "0001-01-01T00:00+14:00", "2 hours"]
)
def test_what_is_not_a_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match=r"--until cannot be .*2026-01-31T20:15"):
        parse_instant(text, "--until", NOW)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert parse_instant(text, "--since", NOW).tzinfo is UTC


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_are_exact(instant: datetime) -> None:
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=to_microseconds(instant)) == instant


@pytest.mark.parametrize(("text", "expected"), [("latest", "latest"), (" ALL ", "all"), ("7", 7), ("012", 12)])
def test_session_is_latest_all_or_a_number(text: str, expected: object) -> None:
    assert parse_session(text, "--session") == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "first", "1.5", "²", "9" * 30])
def test_other_sessions_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--session cannot be .* latest, all, or a number"):
        parse_session(text, "--session")


def test_range_must_not_end_before_it_begins() -> None:
    for until in (NOW, NOW - timedelta(seconds=1)):
        with pytest.raises(UsageError, match=r"since .* UTC\) is not before until .* UTC\)"):
            Filter(since=NOW, until=until)


def test_filter_is_formatted_as_text() -> None:
    assert str(Filter()) == ""
    assert str(Filter(rooms=("a",), session=3)) == "room a, session 3"
    assert (
        str(Filter(rooms=("a", "b"), session="latest", since=NOW, until=NOW + timedelta(days=1)))
        == "rooms a, b, latest session, since 2026-07-01 12:00:00 UTC, until 2026-07-02 12:00:00 UTC"
    )


def test_the_latest_session_is_the_one_that_was_received_last() -> None:
    received = [("r1", 1, 70), ("r1", 2, 60), ("r1", 3, 65), ("r2", 1, 9), ("r2", 2, 9)]
    rows = [(room, session, at(session), at(session), at(last)) for room, session, last in received]
    sessions = pl.DataFrame(
        rows, schema=["room_id", "session", "started_at", "ended_at", "last_received_at"], orient="row"
    )

    def latest(since: datetime | None = None) -> list[tuple[str, int]]:
        return select_sessions(sessions, Filter(session="latest", since=since)).select("room_id", "session").rows()

    assert latest() == [("r1", 1), ("r2", 2)]
    assert latest(at(2)) == [("r1", 3), ("r2", 2)]
