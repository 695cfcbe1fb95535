"""Which days are archived."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from pulsoid_rec.recorder.archiving.cutoff import parse_before
from pulsoid_rec.recorder.contract.errors import UsageError

NOW = datetime(2026, 3, 5, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "first_kept"),
    [
        ("1d", date(2026, 3, 4)),
        ("12h", date(2026, 3, 4)),
        ("6h", date(2026, 3, 5)),
        ("361m", date(2026, 3, 4)),
        ("0d", date(2026, 3, 5)),
        (" 1.5D ", date(2026, 3, 3)),
        ("2w", date(2026, 2, 19)),
        ("2026-03-05", date(2026, 3, 5)),
        ("0001-01-02", date(1, 1, 2)),
    ],
)
def test_days_that_ended_long_enough_ago_are_archived(text: str, first_kept: date) -> None:
    assert parse_before(text, NOW) == first_kept
    assert parse_before(text, NOW.astimezone(timezone(timedelta(hours=14)))) == first_kept


@pytest.mark.parametrize(
    "text", ["", "1", "-1d", "d", "1y", "1e3d", "nan", "infd", "9999999d", "1" * 400 + "d", "2026-02-30", "٣d", "1d 2h"]
)
def test_what_is_neither_a_duration_nor_a_date_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--before cannot be"):
        parse_before(text, NOW)


def test_a_date_in_the_future_is_refused() -> None:
    with pytest.raises(UsageError, match="in the future"):
        parse_before("2026-03-06", NOW)
