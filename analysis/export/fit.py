"""FIT activity files, which the tools of athletes read: one for each member and session.

Garmin's FIT protocol (https://developer.garmin.com/fit/file-types/activity/). A file has a record for each whole second
at which a reading holds, as such tools expect, and none in a gap, around which the timer is stopped: a tool that heeds
it draws no line through. Laps are the phases, cut at whole seconds, so that laps, timer and records agree; their heart
rates are those of the report. What FIT has no field for, the labels of marks and phases, is in a developer field.
"""

import hashlib
import heapq
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from pulsoid_rec.analysis.export.file_names import FileNames, portable
from pulsoid_rec.analysis.export.series import NO_READING, Series
from pulsoid_rec.recorder.contract.errors import UsageError

HIGHEST_BPM = 254
"""FIT has a byte for a heart rate; 255 stands for none."""

FIRST_AT = datetime(1989, 12, 31, tzinfo=UTC)
"""When FIT's seconds begin."""

_LEAST_S = 0x10000000  # smaller ones are no dates: seconds since a device was switched on
_MOST_S = 0xFFFFFFFF - 86_400  # the largest stands for none, and local time may be hours ahead
_MOST_TEXT_BYTES = 254  # a field has at most 255, with a zero at its end

_FILE_ID, _SESSION, _LAP, _RECORD, _EVENT, _DEVICE_INFO, _ACTIVITY = 0, 18, 19, 20, 21, 23, 34
_FIELD_DESCRIPTION, _DEVELOPER_DATA_ID = 206, 207
_LABEL = 0  # the key of the developer field
_STRING = 7  # FIT's number of that type
_PRODUCT = {"manufacturer": "development", "product": 1}
_DEVELOPER: Any = {
    "mesg_num": _DEVELOPER_DATA_ID,
    "application_id": list(b"pulsoid-rec\0\0\0\0\0"),
    "developer_data_index": 0,
}
_LABEL_FIELD: Any = {
    "mesg_num": _FIELD_DESCRIPTION,
    "developer_data_index": 0,
    "field_definition_number": 0,
    "fit_base_type_id": _STRING,
    "field_name": "label",
}


class _Order(IntEnum):
    """Of messages at one second: what ends there comes first."""

    STOP = 0
    LAP = 1
    START = 2
    RECORD = 3
    MARK = 4


class _Message(NamedTuple):
    at: int  # FIT's seconds
    order: _Order
    place: int
    fields: dict[str, Any]


def require_fit_sdk() -> None:
    """Raise `UsageError` unless FIT files can be made: Garmin's package is an extra."""
    try:
        import garmin_fit_sdk  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise UsageError("FIT files need garmin-fit-sdk", "Install it with `pip install pulsoid-rec[fit]`.") from error


def write_fit(series: Iterable[Series], folder: Path, *, local_time: bool = True) -> tuple[int, int]:
    """Write a FIT file for each series into a folder, and return their number, and how many series are empty.

    With `local_time` a file says what this computer's clocks showed; else that is UTC, which gives no place away.
    Raises `UsageError` if a time is before FIT has dates, or garmin-fit-sdk is missing.
    """
    names, written, left_out = FileNames(), 0, 0
    for each in series:
        if not each.bpm.size:
            left_out += 1
            continue
        room, member = portable(each.room_name) or "room", portable(each.name) or portable(each.profile_id)
        name = names.reserve(f"{room}_{each.session:04}_{member or 'member'}", "-")
        (folder / f"{name}.fit").write_bytes(encode_activity(each, local_time=local_time))
        written += 1
    return written, left_out


def encode_activity(series: Series, *, local_time: bool = True) -> bytes:
    """Encode a series, which is not empty, as a FIT activity file; parameters and errors as of `write_fit`."""
    require_fit_sdk()
    from garmin_fit_sdk import Encoder  # noqa: PLC0415 - an extra

    zero = round((series.zero_at - FIRST_AT).total_seconds())
    start, end = zero + series.first_s, zero + series.end_s
    if start < _LEAST_S:
        raise UsageError(
            f"FIT has no dates before July 1998; session {series.session} is of {series.zero_at:%Y}",
            "Choose other sessions with --session, or another format.",
        )
    if end > _MOST_S:
        raise UsageError(
            f"FIT has no dates after 2125; session {series.session} is of {series.zero_at:%Y}",
            "Choose other sessions with --session, or another format.",
        )
    encoder = Encoder()
    encoder.add_developer_field(_LABEL, _DEVELOPER, _LABEL_FIELD)
    origin = hashlib.sha256(f"{series.room_id}\0{series.session}\0{series.profile_id}".encode()).digest()
    head = {"type": "activity", **_PRODUCT, "serial_number": int.from_bytes(origin[:4]) or 1, "time_created": start}
    encoder.write_mesg({"mesg_num": _FILE_ID, **head, "product_name": "pulsoid-rec"})
    device = {"timestamp": start, "device_index": "creator", **_PRODUCT, "product_name": "pulsoid-rec"}
    encoder.write_mesg({"mesg_num": _DEVICE_INFO, **device})
    laps, marks = list(_laps(series, zero)), list(_marks(series, zero))
    if any("developer_fields" in message.fields for message in (*laps, *marks)):
        encoder.write_mesg(_DEVELOPER)
        encoder.write_mesg(_LABEL_FIELD)
    for message in heapq.merge(_records(series, zero), laps, marks, _timer(series, zero)):
        encoder.write_mesg(message.fields)
    timer_s = int((series.bpm != NO_READING).sum())
    figures = {**_times(start, end, timer_s), **_heart_rates(series.figures)}
    closing = {"message_index": 0, "timestamp": end, "event": "session", "event_type": "stop", **figures}
    sport = {"sport": "training", "sub_sport": "generic", "first_lap_index": 0, "num_laps": len(laps)}
    encoder.write_mesg({"mesg_num": _SESSION, **closing, **sport, "trigger": "activity_end"})
    activity = {"timestamp": end, "total_timer_time": timer_s, "num_sessions": 1, "type": "manual"}
    local = end + (_offset_s(series.zero_at + timedelta(seconds=series.end_s)) if local_time else 0)
    ending = {"event": "activity", "event_type": "stop", "local_timestamp": local}
    encoder.write_mesg({"mesg_num": _ACTIVITY, **activity, **ending})
    return encoder.close()


def _records(series: Series, zero: int) -> Iterator[_Message]:
    for second, bpm in enumerate(series.bpm.tolist(), zero + series.first_s):
        if bpm != NO_READING:
            fields = {"mesg_num": _RECORD, "timestamp": second, "heart_rate": bpm}
            yield _Message(second, _Order.RECORD, 0, fields)


def _timer(series: Series, zero: int) -> Iterator[_Message]:
    """Start and stop the timer around what was observed."""
    for first, end in series.runs():
        ending = "stop_all" if end == series.end_s else "stop"
        for at, order, kind in ((first, _Order.START, "start"), (end, _Order.STOP, ending)):
            fields = {"mesg_num": _EVENT, "timestamp": zero + at, "event": "timer", "event_type": kind}
            yield _Message(zero + at, order, 0, fields)


def _marks(series: Series, zero: int) -> Iterator[_Message]:
    """Make an event of each mark while the member was there, at the nearest second."""
    for place, mark in enumerate(series.marks):
        if series.first_s <= mark.at_s < series.end_s:
            at = zero + min(math.floor(mark.at_s + 0.5), series.end_s - 1)
            fields = {"mesg_num": _EVENT, "timestamp": at, "event": "user_marker", "event_type": "marker"}
            yield _Message(at, _Order.MARK, place, fields | _label(mark.label))


def _laps(series: Series, zero: int) -> Iterator[_Message]:
    """Make a lap of each phase that lasts for a whole second or more while the member was there."""
    number = 0
    for phase in series.phases:
        first = max(math.ceil(phase.start_s), series.first_s)
        end = min(math.ceil(phase.end_s), series.end_s)
        if end <= first:
            continue
        observed = series.bpm[first - series.first_s : end - series.first_s] != NO_READING
        times = _times(zero + first, zero + end, int(observed.sum()))
        trigger = "session_end" if end == series.end_s else "manual"
        fields = {"mesg_num": _LAP, "message_index": number, "timestamp": zero + end, "event": "lap"}
        fields |= {"event_type": "stop", **times, **_heart_rates(phase.figures), "lap_trigger": trigger}
        yield _Message(zero + end, _Order.LAP, number, fields | _label(phase.label))
        number += 1


def _times(start: int, end: int, timer_s: int) -> dict[str, int]:
    return {"start_time": start, "total_elapsed_time": end - start, "total_timer_time": timer_s}


def _heart_rates(figures: Mapping[str, Any]) -> dict[str, int]:
    fields = {"avg_heart_rate": "bpm_mean", "max_heart_rate": "bpm_max", "min_heart_rate": "bpm_min"}
    values = {field: figures.get(figure) for field, figure in fields.items()}
    return {field: round(value) for field, value in values.items() if value is not None}


def _label(label: str | None) -> dict[str, Any]:
    """Return the developer field of a label, cut where FIT has no more room for it."""
    text = (label or "").replace("\0", "").encode()[:_MOST_TEXT_BYTES].decode(errors="ignore")
    return {"developer_fields": {_LABEL: text}} if text else {}


def _offset_s(at: datetime) -> int:
    """Return by how much this computer's local time is ahead of UTC at an instant."""
    return round((at.astimezone().utcoffset() or timedelta(0)).total_seconds())
