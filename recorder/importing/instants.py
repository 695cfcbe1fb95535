"""Times of imported files, as microseconds since 1970. Pure.

A time is ISO 8601 or nearly so, in a format that the user gives, a number since 1970 (seconds, milliseconds,
microseconds or nanoseconds), or how long after a start that the user gives.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.pulsoid.timestamps import parse_timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - for times whose zone is reckoned with apart
_EARLIEST_US, _END_US = -62_135_596_800_000_000, 253_402_300_800_000_000  # the years 1 to 9999
_NUMBER = re.compile(r"\d+(?:[.,]\d*)?(?:[eE]\+?\d\d?)?", re.ASCII)
_UNITS = {"seconds": 6, "milliseconds": 3, "microseconds": 0, "nanoseconds": -3}
"""Units of numbers since 1970, and the power of ten of microseconds that each has."""
_LEAST, _MOST = 10**8, 10**11  # seconds since 1970 that are taken for such: from 1973 to 5138
# Year first, or day first with points, which nobody writes for months first.
_DATE_AND_TIME = re.compile(
    r"(?:(\d{4})[-/.](\d\d?)[-/.](\d\d?)|(\d\d?)\.(\d\d?)\.(\d{4})),?[T ]+(\d\d?)(:\d\d.*)", re.ASCII
)
_FRACTION = re.compile(r"[.,](\d{1,6})(?!\d)", re.ASCII)
_SECONDS_US = {f":{second:02}": second * 1_000_000 for second in range(60)}
_ELAPSED = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d*)?)", re.ASCII)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d?)(?::?(\d\d))?", re.ASCII)

_Parse = Callable[[str], int]


class NoZoneError(ValueError):
    """A time has no zone, and the user named none."""


def parse_zone(text: str) -> tzinfo:
    """Return the zone called `Europe/Berlin`, `UTC` or `+02:00`; raise `UsageError` if there is none."""
    if found := _OFFSET.fullmatch(text):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        if offset < timedelta(days=1):
            return timezone(-offset if found[1] == "-" else offset)
    try:
        return UTC if text.upper() in {"UTC", "GMT", "Z"} else ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"There is no zone {text!r} for --zone", "Give one such as Europe/Berlin, UTC or +02:00."
        ) from None


class Instants:
    """Parses the times of one file.

    `zone` is that of times without one, None if unknown; `start` what times are counted from (in seconds, or hours,
    minutes and seconds), if they are not instants; `format_` one of `strptime` that all times have.
    """

    def __init__(self, zone: tzinfo | None, start: str | None, format_: str | None) -> None:
        self._zone = zone
        self._format = format_
        self._unit: str | None = None
        self._start_us = 0
        self._parse_minute = lru_cache(self._parse_any)  # a file has many readings in each
        self._parse: _Parse = self._parse_instant if format_ is None else self._parse_formatted
        if start is not None:
            try:
                self._start_us = self._parse_instant(start)
            except NoZoneError:
                raise UsageError(f"--start {start} has no zone", "Add --zone, such as --zone Europe/Berlin.") from None
            except ValueError:
                raise UsageError(
                    f"--start cannot be {start!r}", "Give a date and a time, such as 2026-01-31T20:15:00."
                ) from None
            self._parse = self._parse_elapsed

    @property
    def description(self) -> str:
        """How the times that were parsed are read, for the user."""
        if self._parse == self._parse_elapsed:
            return "counted from --start"
        if self._unit is not None:
            return f"{self._unit} since 1970"
        return "with a zone of their own" if self._zone is None else f"in {self._zone} where they have no zone"

    def parse(self, text: str) -> int:
        """Parse a time; raise `ValueError` with the reason if that is impossible."""
        try:
            at = self._parse(text)
        except OverflowError:
            at = _END_US
        if not _EARLIEST_US <= at < _END_US:
            raise ValueError("its time is outside the years 1 to 9999")
        return at

    def _parse_instant(self, text: str) -> int:
        seconds_us = _SECONDS_US.get(text[16:19])  # of 2026-01-31T20:15:01
        if seconds_us is None or text[13] != ":" or text[11:13] == "24":
            return self._parse_any(text)
        zone = text[19:]
        if found := _FRACTION.match(zone):
            seconds_us += int(found[1].ljust(6, "0"))
            zone = zone[found.end() :]
        try:
            return self._parse_minute(f"{text[:17]}00{zone}") + seconds_us
        except ValueError:
            return self._parse_any(text)  # whose reason has the whole time

    def _parse_any(self, text: str) -> int:
        if _NUMBER.fullmatch(text):
            return self._parse_number(Decimal(text.replace(",", ".")), text)
        iso = text
        if found := _DATE_AND_TIME.fullmatch(text):
            year, month, day = (found[1], found[2], found[3]) if found[1] else (found[6], found[5], found[4])
            iso = f"{year}-{month:>02}-{day:>02}T{found[7]:>02}{found[8]}"
        instant = parse_timestamp(iso.replace(" +", "+").replace(" UTC", "Z"))
        if instant is None and ":" in text and _ELAPSED.fullmatch(text):
            raise ValueError(f"its time {text[:40]!r} has no date; if it is counted from a start, add --start")
        if instant is None:
            raise ValueError(f"its time {text[:40]!r} is not understood; --time-format names its form")
        return self._convert(instant)

    def _parse_formatted(self, text: str) -> int:
        assert self._format is not None
        try:
            instant = datetime.strptime(text, self._format)  # noqa: DTZ007 - it may have a zone, or --zone has it
        except ValueError:
            raise ValueError(f"its time {text[:40]!r} is not in the form {self._format}") from None
        return self._convert(instant)

    def _parse_number(self, number: Decimal, text: str) -> int:
        """Parse a number since 1970; the first one shows the unit of all."""
        for unit, power in _UNITS.items():
            us = number.scaleb(power)
            if _LEAST <= us / 10**6 < _MOST and self._unit in {None, unit}:
                self._unit = unit
                return round(us)
        if self._unit is not None:
            raise ValueError(f"its time {text[:40]} is not in {self._unit} since 1970, as others are")
        raise ValueError(f"its time {text[:40]} is no time since 1970; if it is counted from a start, add --start")

    def _parse_elapsed(self, text: str) -> int:
        if not (found := _ELAPSED.fullmatch(text)):
            raise ValueError(f"its time {text[:40]!r} is neither seconds nor hours, minutes and seconds since --start")
        minutes = 60 * int(found[1] or 0) + int(found[2] or 0)
        return self._start_us + round((60 * minutes + Decimal(found[3].replace(",", "."))) * 10**6)

    def _convert(self, instant: datetime) -> int:
        zone = self._zone
        if instant.tzinfo is not None:
            return _microseconds(instant - _EPOCH)
        if zone is None:
            raise NoZoneError("its time has no zone")
        offset, later = (zone.utcoffset(instant.replace(fold=fold)) for fold in (0, 1))
        assert offset is not None
        assert later is not None
        if offset != later:  # as clocks change
            how_often = "comes twice" if later < offset else "does not exist"
            raise ValueError(f"its time {instant} {how_often} in {zone}; --zone +02:00 or the like says which it is")
        return _microseconds(instant - _NAIVE_EPOCH - offset)


def _microseconds(since: timedelta) -> int:
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
